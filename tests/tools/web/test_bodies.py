"""Bodies of requests: read up to the listener's limit, refused beyond it, never acted on by halves."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import RequestError
from sprint.tools.net import bind
from sprint.tools.web import router as router_module
from sprint.tools.web.guard import Guard
from sprint.tools.web.json_object import object_of
from sprint.tools.web.problems import PROBLEMS
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import Listener, serve
from tests.tools.web.test_server import Peer

BODY_SIZE_MAX = 100
JSON_LEAVES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text()


@asynccontextmanager
async def taking_bodies(taken: list[dict[str, Any]]) -> AsyncIterator[Listener]:
    async def take(request: Request) -> Response:
        taken.append(await request.json_object())
        return Response(json.dumps({"code": "", "taken": taken[-1]}).encode())

    router = Router()
    router.add("POST", "/take", take)
    bound = bind("127.0.0.1", 0)
    guard = Guard(bound.getsockname()[1], body_size_max=BODY_SIZE_MAX)
    listener = await serve(Site(router, guard, connections_max=10), bound)
    try:
        yield listener
    finally:
        await listener.stop()


def post(listener: Listener, *lines: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"Host: 127.0.0.1:{listener.port}", *lines))
    return f"POST /take HTTP/1.1\r\n{head}\r\n".encode()


def answers(*pieces: bytes, headers: tuple[str, ...] = ()) -> tuple[tuple[int, str], list[dict[str, Any]]]:
    """Send a body in pieces; return status and code, and what was taken."""
    taken: list[dict[str, Any]] = []

    async def run() -> tuple[int, str]:
        async with taking_bodies(taken) as listener, Peer(listener) as peer:
            length = f"Content-Length: {sum(map(len, pieces))}"
            await peer.send(post(listener, *(headers or (length,))))
            for piece in pieces:
                await peer.send(piece)
            return await peer.answer()

    return asyncio.run(run()), taken


@pytest.mark.parametrize(
    ("pieces", "taken"),
    [
        ((b'{"a":1}',), {"a": 1}),
        ((b'{"a"', b":1}"), {"a": 1}),
        ((), {}),
        ((b"  ",), {}),
        ((b'{"a":"' + b"x" * (BODY_SIZE_MAX - 8) + b'"}',), {"a": "x" * (BODY_SIZE_MAX - 8)}),
    ],
)
def test_an_object_up_to_the_limit_is_read_and_no_body_is_an_empty_one(
    pieces: tuple[bytes, ...], taken: dict[str, Any]
) -> None:
    assert answers(*pieces) == ((200, ""), [taken])


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"a"', b"3", b"null", b"true", b"\xff", b"[" * 90])
def test_what_is_no_object_is_told_and_not_taken(body: bytes) -> None:
    assert answers(body) == ((400, "bad_json"), [])


@pytest.mark.parametrize(
    "headers",
    [
        (f"Content-Length: {BODY_SIZE_MAX + 1}",),
        ("Content-Length: 99999999999999999",),
    ],
)
def test_a_body_over_the_limit_is_refused_unread(headers: tuple[str, ...]) -> None:
    status = PROBLEMS["body_too_large"].status
    assert answers(headers=headers) == ((status, "body_too_large"), [])


def test_a_body_of_untold_length_is_refused_for_that_and_not_as_too_long() -> None:
    assert answers(headers=("Transfer-Encoding: chunked",)) == ((411, "length_required"), [])


@pytest.mark.parametrize(
    "body", [b'{"a":1,"a":2}', b'{"a":{"b":1,"c":2,"b":1}}', b'{"a":[{"b":1,"\\u0062":1}]}']
)
def test_a_key_that_stands_twice_is_refused_and_not_taken_once(body: bytes) -> None:
    assert answers(body) == ((400, "bad_json"), [])
    with pytest.raises(RequestError, match=r"the key '[ab]' stands twice"):
        object_of(body)


@pytest.mark.parametrize("body", [rb'{"reason":"\ud800"}', rb'{"\uDFFF":1}'])
def test_half_of_a_surrogate_pair_is_not_told_as_a_body_cut_short(body: bytes) -> None:
    with pytest.raises(RequestError, match=r"\\u[dD]...? ?.*alone is no character"):
        object_of(body)
    with pytest.raises(RequestError, match="the body: ") as cut_short:
        object_of(body[:-1])
    assert "alone" not in str(cut_short.value)


@given(
    st.recursive(JSON_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))
)
def test_an_object_is_read_as_it_was_written_and_else_refused_as_json(value: Any) -> None:
    body = json.dumps(value).encode()
    if isinstance(value, dict):
        assert object_of(body) == value
    else:
        with pytest.raises(RequestError, match="want an object"):
            object_of(body)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0d8 e', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_refused_as_no_json(body: bytes) -> None:
    with contextlib.suppress(RequestError):
        assert isinstance(object_of(body), dict)


def test_a_body_that_does_not_come_is_told_and_its_connection_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_module, "BODY_TIMEOUT_S", 0.05)
    assert answers(b'{"a":1}', headers=("Content-Length: 8",)) == ((400, "bad_request"), [])


def test_a_body_whose_connection_ends_before_it_is_not_acted_on() -> None:
    taken: list[dict[str, Any]] = []
    read: list[BaseException] = []

    async def run() -> None:
        async def receive() -> dict[str, Any]:
            return messages.pop(0)

        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": b'{"a":1}', "more_body": True},
            {"type": "http.disconnect"},
        ]
        try:
            taken.append(await Request({}, {}, receive).json_object())
        except RequestError as error:
            read.append(error)

    asyncio.run(run())
    assert taken == []
    assert "ended before the body" in str(read[0])
