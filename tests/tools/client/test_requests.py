"""REST through both faces, against a tiny HTTP server that answers what a test puts there."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from sprint.core.errors import ClientError, CursorExpired, CursorForeign, CursorUnknown, SprintError
from sprint.core.model import BlockData, CheckSlip
from sprint.tools.client import AsyncClient, BlockAnswer, Client, answers
from tests.tools.client.test_streams import FACES

HASH = "00" * 31 + "ab"
BLOCK = BlockAnswer(
    hash=HASH,
    height=7,
    parent="00" * 32,
    timestamp="2025-09-05T18:55:07Z",
    tx_count=1,
    size=285,
    validation="full",
    source="core-1",
    sources_seen=2,
    agreed_by=2,
    relay_time_ms=0.5,
    proof=CheckSlip(("target",), ("core-1",)),
    native={"nonce": 1},
    chain="bitcoin",
    seq=7,
    cursor="abc",
    canonical=True,
    confirmations=3,
)


class Page(msgspec.Struct, frozen=True):
    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Site(ThreadingHTTPServer):
    """Answers `page` on every path and remembers the paths asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.page = Page(b"{}")
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        page = self.server.page
        self.send_response(page.status)
        self.send_header("Content-Length", str(len(page.body)))
        for name, value in page.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join(10)


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(face: str, url: str, method: str, *arguments: Any) -> Any:
    if face == "blocking":
        with Client(url) as client:
            return getattr(client, method)(*arguments)

    async def run() -> Any:
        async with AsyncClient(url) as client:
            return await getattr(client, method)(*arguments)

    return asyncio.run(run())


def problem(code: str, status: int, **members: str) -> Page:
    body = {"type": f"/problems/{code}", "title": "T", "status": status, "detail": "why", "advice": "do this"}
    return Page(json.dumps(body | members).encode(), status)


def test_a_block_is_its_events_data_and_its_place(face: str, site: Site) -> None:
    site.page = Page(msgspec.json.encode(BLOCK))
    assert ask(face, site.url, "latest", "bitcoin") == BLOCK
    assert ask(face, site.url, "block", "btc", HASH) == BLOCK
    assert ask(face, site.url, "block", "bitcoin", 7) == BLOCK
    assert isinstance(BLOCK, BlockData)
    assert site.paths == [
        "/api/v1/bitcoin/latest",
        f"/api/v1/btc/block/{HASH}",
        "/api/v1/bitcoin/block/7",
    ]


def test_the_relays_own_reports_have_their_paths(face: str, site: Site) -> None:
    chain = {"chain": "bitcoin", "name": "bitcoin", "network": "main", "aliases": ["btc"], "status": "ok"}
    site.page = Page(json.dumps({"chains": [chain, chain | {"height": 7, "hash": HASH}]}).encode())
    first, second = ask(face, site.url, "chains")
    assert (first.chain, first.aliases, first.height) == ("bitcoin", ("btc",), None)
    assert (second.height, second.hash) == (7, HASH)
    site.page = Page(b'{"version":"0.1.0","status":"ok"}')
    assert ask(face, site.url, "version").version == "0.1.0"
    assert ask(face, site.url, "health") == {"version": "0.1.0", "status": "ok"}
    assert ask(face, site.url, "status", "btc") == {"version": "0.1.0", "status": "ok"}
    assert site.paths == ["/api/v1/chains", "/api/v1/version", "/api/v1/health", "/api/v1/chains/btc/status"]


def test_parts_of_a_path_cannot_reach_another_one(face: str, site: Site) -> None:
    site.page = Page(msgspec.json.encode(BLOCK))
    ask(face, site.url, "block", "bit/coin", "../x?y#z")
    assert site.paths == ["/api/v1/bit%2Fcoin/block/..%2Fx%3Fy%23z"]


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("unknown_chain", 404, ClientError),
        ("not_ready", 503, ClientError),
        ("cursor_expired", 410, CursorExpired),
        ("cursor_foreign", 409, CursorForeign),
        ("cursor_unknown", 400, CursorUnknown),
    ],
)
def test_a_problem_is_raised_as_its_error_with_code_and_advice(
    face: str, site: Site, code: str, status: int, kind: type[SprintError]
) -> None:
    site.page = problem(code, status, earliest="the earliest")
    with pytest.raises(kind, match=f"{status} {code}: T: why: do this") as caught:
        ask(face, site.url, "latest", "dash")
    assert caught.value.code == code
    if isinstance(caught.value, CursorExpired):
        assert caught.value.earliest == "the earliest"


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (Page(b"<html>not found</html>", 404), "http_404"),
        (Page(b"", 302, (("Location", "http://127.0.0.1:1/"),)), "http_302"),
        (Page(b"\xff\xfe", 500), "http_500"),
        (Page(b"{}"), "bad_answer"),
        (Page(b"not json"), "bad_answer"),
        (Page(b"{}", 200, (("Content-Encoding", "gzip"),)), "unreachable"),
    ],
)
def test_what_no_relay_answers_is_a_client_error(face: str, site: Site, page: Page, code: str) -> None:
    site.page = page
    with pytest.raises(ClientError) as caught:
        ask(face, site.url, "latest", "bitcoin")
    assert caught.value.code == code


def test_an_answer_is_read_up_to_its_limit(face: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    body = msgspec.json.encode(BLOCK)
    site.page = Page(body)
    for module in ("async_client", "sync_client"):
        monkeypatch.setattr(f"sprint.tools.client.{module}.ANSWER_SIZE_MAX", len(body))
    assert ask(face, site.url, "latest", "bitcoin") == BLOCK
    site.page = Page(body + b" ")
    with pytest.raises(ClientError, match=f"over {len(body)} bytes") as caught:
        ask(face, site.url, "latest", "bitcoin")
    assert caught.value.code == "too_big"


def test_a_relay_that_is_not_there_is_named(face: str) -> None:
    with Site() as closed:
        url = closed.url
    with pytest.raises(ClientError, match=url) as caught:
        ask(face, url, "health")
    assert caught.value.code == "unreachable"


def test_both_faces_have_the_same_names() -> None:
    names = {"close" if name == "aclose" else name for name in dir(AsyncClient) if not name.startswith("_")}
    assert names == {name for name in dir(Client) if not name.startswith("_")}


def test_a_problem_without_a_body_still_says_its_status() -> None:
    assert str(answers.parse_problem(503, b"")) == "503 http_503"
