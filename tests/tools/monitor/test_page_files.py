"""The page's files: all there, each with the policy that keeps it to its own host, none with a way round."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from sprint.core.monitor import query
from sprint.tools.monitor.page_files import POLICY, add_page, packaged_files
from sprint.tools.net import bind
from sprint.tools.web.guard import Guard
from sprint.tools.web.router import Router, Site
from sprint.tools.web.server import serve

FILES = packaged_files()
HOWTO = Path(__file__).resolve().parents[3] / "docs" / "howto" / "monitor-page.md"
IMPORT = re.compile(r'from "\./([a-z_]+\.js)"')
NAMED = re.compile(r'(?:src|href)="([^"#]+)"')
# What a script's text may name is a namespace, which nobody is asked for.
NAMESPACE = "http://www.w3.org/2000/svg"


@asynccontextmanager
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = Router()
    add_page(router)
    bound = bind("127.0.0.1", 0)
    site = Site(router, Guard(bound.getsockname()[1]), connections_max=8)
    listener = await serve(site, bound)
    async with httpx.AsyncClient(base_url=listener.url, trust_env=False) as found:
        yield found
    await listener.stop()


def text_of(name: str) -> str:
    return FILES[name].body.decode()


def test_all_that_the_page_names_is_packaged_and_nothing_else_is() -> None:
    named = set(NAMED.findall(text_of("index.html"))) - {"data:,"}
    wanted = {"index.html", *(each.removeprefix("page/") for each in named)}
    for name in FILES:
        wanted |= set(IMPORT.findall(text_of(name)))
    assert wanted == set(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_file_names_another_host_or_makes_markup_out_of_text(name: str) -> None:
    text = text_of(name).replace(NAMESPACE, "")
    assert re.findall(r"https?://|//[a-z]+\.[a-z]+/|url\(", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text) == []


def test_the_markup_has_no_script_style_or_handler_of_its_own() -> None:
    text = text_of("index.html")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son[a-z]+=", text) == []
    assert text.count("<script") == 1


def test_every_file_comes_with_the_policy_its_type_and_a_tag_that_saves_it_the_second_time() -> None:
    async def check() -> None:
        async with client() as http:
            for path in ("/", *(f"/page/{name}" for name in FILES)):
                first = await http.get(path)
                assert first.status_code == httpx.codes.OK, path
                assert first.headers["content-security-policy"] == POLICY
                assert first.headers["x-content-type-options"] == "nosniff"
                assert first.headers["content-type"].endswith("; charset=utf-8")
                again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
                assert (again.status_code, again.content) == (httpx.codes.NOT_MODIFIED, b"")
                assert "content-length" not in again.headers
                stale = await http.get(path, headers={"If-None-Match": '"another"'})
                assert stale.content == first.content

    asyncio.run(check())


def test_the_policy_names_no_host_and_no_inline() -> None:
    sources = {word for part in POLICY.split(";") for word in part.split()[1:]}
    assert sources == {"'none'", "'self'", "data:", "'script'"}


def test_what_is_not_packaged_is_not_there() -> None:
    async def check() -> None:
        async with client() as http:
            for path in ("/page/page_files.py", "/page/..%2fpage_files.py", "/page/", "/index.html"):
                assert (await http.get(path)).status_code == httpx.codes.NOT_FOUND, path

    asyncio.run(check())


def names_in(constant: str) -> set[str]:
    """The keys of a table in order.js."""
    found = re.search(rf"const {constant} = {{(.*?)\n}};", text_of("order.js"), flags=re.DOTALL)
    assert found, constant
    return set(re.findall(r"^  (\w+):", found[1], flags=re.MULTILINE))


def test_a_filter_knows_the_same_words_on_the_page_as_in_the_terminal() -> None:
    assert names_in("STATES_MEANT") == set(query.STATE_NAMES)
    assert names_in("TEXTS") == set(query._TEXT_FIELDS)
    assert names_in("FIGURES") == set(query._FIGURES)


def test_the_howto_and_the_help_name_every_key() -> None:
    keys = set(re.findall(r"^    \"?([a-z0-9/?])\"?:", text_of("keys.js"), flags=re.MULTILINE)) - {"2", "3"}
    assert {"/", "?", "j", "k", "o", "c", "l", "r", "e", "t", "1", "4"} == keys
    section = HOWTO.read_text(encoding="utf-8").partition("## Keys")[2].partition("## When")[0]
    for where, mark in ((section, "`{}`"), (text_of("index.html"), "<kbd>{}</kbd>")):
        assert [key for key in sorted(keys) if mark.format(key) not in where] == []
