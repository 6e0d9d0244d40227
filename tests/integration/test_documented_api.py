"""The API reference against a running relay: each path it lists is served, and nothing else is promised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from sprint.tools.breaker_api import endpoints
from sprint.tools.optimize import running
from sprint.tools.relay import admin_sources
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/http-api.md"
PATHS = re.findall(r"^\| `GET (/[^`]+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
ADMIN_PAGE = PAGE.with_name("admin-api.md")
ADMIN_ROWS = re.findall(
    r"^\| `([A-Z]+) (/[^`]+)` \|", ADMIN_PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE
)
STREAMS = ("/api/v1/events",)
REQUEST_TIMEOUT_S = 10.0


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """A relay on its devnet, with a block of each chain delivered."""
    with RelayProcess(tmp_path_factory.mktemp("relay"), "--demo") as process:
        wait_until(lambda: bool(latest_hash(process)), "a first block of litecoin")
        yield process


def get(relay: RelayProcess, path: str) -> httpx.Response:
    return httpx.get(relay.url + path, timeout=REQUEST_TIMEOUT_S, trust_env=False)


def latest_hash(relay: RelayProcess) -> str:
    answer = get(relay, "/api/v1/litecoin/latest")
    return str(answer.json()["hash"]) if answer.status_code == 200 else ""


def test_the_page_lists_paths() -> None:
    assert len(PATHS) > 5
    assert set(STREAMS) < set(PATHS)


@pytest.mark.parametrize("path", sorted(set(PATHS) - set(STREAMS)))
def test_a_documented_path_answers_with_json_and_the_log(relay: RelayProcess, path: str) -> None:
    block_hash = latest_hash(relay)
    filled = path.replace("{chain}", "litecoin")
    filled = filled.replace("{hash}", block_hash).replace("{hash or height}", block_hash)
    answer = get(relay, filled)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    assert answer.headers["sprint-log"] == relay.log_id
    assert answer.json() is not None


@pytest.mark.parametrize("path", STREAMS)
def test_a_documented_stream_gives_events_a_line_each(relay: RelayProcess, path: str) -> None:
    url = f"{relay.url}{path}?chains=litecoin&types=block&from=earliest"
    with httpx.stream("GET", url, timeout=REQUEST_TIMEOUT_S, trust_env=False) as answer:
        line = next(answer.iter_lines())
    assert line.startswith('{"type":"block","chain":"litecoin-regtest","seq":')


def admin_path(relay: RelayProcess, path: str) -> str:
    """Fill a path of the admin page with what this relay has."""
    sources = httpx.get(f"{relay.serving.admin}/api/sources", trust_env=False).json()["sources"]
    (source, *_) = sources["litecoin-regtest"]
    name = source["breaker"]["name"] if "/breakers/" in path else source["name"]
    filled = path.replace("{chain}", "litecoin").replace("{name}", quote(name, safe=""))
    return f"{relay.serving.admin}{filled}"


@pytest.mark.parametrize(("method", "path"), ADMIN_ROWS)
def test_a_documented_path_of_the_operator_is_served(relay: RelayProcess, method: str, path: str) -> None:
    url = admin_path(relay, path) + ("?not=known" if method == "DELETE" else "")
    wrong = {"not": "known"} if method in ("POST", "PUT") else None
    answer = httpx.request(method, url, json=wrong, timeout=REQUEST_TIMEOUT_S, trust_env=False)
    if path == "/ws":
        assert answer.status_code == 426
    elif method == "GET":
        assert answer.status_code == 200, answer.text
        assert answer.content
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_query"), answer.text
        assert "not" in answer.json()["detail"]


def test_no_path_of_the_operator_is_left_out() -> None:
    served = {
        (method, path) for method, path in ADMIN_ROWS if path not in ("/ws", "/metrics", "/api/v1/health")
    }
    told = {
        (method, path.strip())
        for module in (endpoints, admin_sources, running)
        for method, path in re.findall(
            r"^ *(GET|PUT|POST|DELETE) +(/\S+)", module.__doc__ or "", re.MULTILINE
        )
    }
    assert served == told | {("GET", "/api/health")}


def test_the_list_of_problems_is_served(relay: RelayProcess) -> None:
    assert get(relay, "/problems").status_code == 200
