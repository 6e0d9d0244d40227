"""Answers given without a task are those that a task would give, and nobody has the loop for long by them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sprint.core.errors import RequestError
from sprint.tools.net import bind
from sprint.tools.web.guard import Guard
from sprint.tools.web.http import AT_ONCE_MAX
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import Listener, serve

PIPELINED = 300
DATE = re.compile(rb"date: [^\r]*")


def plain(request: Request) -> Response:
    if "bad" in request.query:
        raise RequestError("bad_query", "bad", headers=(("Connection", "close"),))
    if "broken" in request.query:
        raise RuntimeError("a mistake of ours")
    return Response(b'{"a":1}', headers=(("Sprint-Cursor", "c"),) if "more" in request.query else ())


async def waiting(request: Request) -> Response:
    await asyncio.sleep(0)
    return plain(request)


@asynccontextmanager
async def listening(router: Router) -> AsyncIterator[Listener]:
    bound = bind("127.0.0.1", 0)
    site = Site(router, Guard(bound.getsockname()[1]), connections_max=10, headers=(("Sprint-Log", "x"),))
    listener = await serve(site, bound)
    try:
        yield listener
    finally:
        await listener.stop()


async def said(listener: Listener, request: str) -> bytes:
    """Return all that comes until the connection ends, which the last of two requests asks for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(request.format(port=listener.port).encode())
    writer.write(
        f"GET /tasks HTTP/1.1\r\nHost: 127.0.0.1:{listener.port}\r\nConnection: close\r\n\r\n".encode()
    )
    found = await reader.read()
    writer.close()
    return DATE.sub(b"date: then", found)


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("GET {path} HTTP/1.1", ""),
        ("GET {path}?more=1 HTTP/1.1", ""),
        ("GET {path}?bad=1 HTTP/1.1", ""),
        ("GET {path}?broken=1 HTTP/1.1", ""),
        ("GET {path} HTTP/1.1", "Origin: http://elsewhere\r\n"),
        ("GET {path} HTTP/1.1", "Content-Length: 2\r\n\r\nxx"),
        ("GET {path} HTTP/1.1", "Connection: close\r\n"),
        ("GET {path} HTTP/1.0", ""),
        ("HEAD {path} HTTP/1.1", ""),
        ("POST {path} HTTP/1.1", ""),
    ],
)
def test_it_says_to_the_byte_what_an_answer_in_a_task_says(line: str, more: str) -> None:
    async def main() -> None:
        router = Router()
        router.add_answer("/plain", plain)
        router.add("GET", "/tasks", waiting)
        async with listening(router) as listener:
            answers = [
                await said(listener, f"{line.format(path=path)}\r\nHost: 127.0.0.1:{{port}}\r\n{more}\r\n")
                for path in ("/plain", "/tasks")
            ]
        assert answers[0].startswith(b"HTTP/1.1 ")
        assert answers[0].replace(b"/plain", b"/tasks") == answers[1]

    asyncio.run(main())


def test_many_requests_in_one_piece_leave_the_loop_to_others_after_a_few() -> None:
    async def main() -> None:
        turns: Counter[int] = Counter()
        turn = 0

        def answer(_: Request) -> Response:
            turns[turn] += 1
            return Response(b"%04d" % turns.total())

        def next_turn() -> None:
            nonlocal turn
            turn += 1
            if turns.total() < PIPELINED:
                asyncio.get_running_loop().call_soon(next_turn)

        router = Router()
        router.add_answer("/plain", answer)
        router.add("GET", "/tasks", waiting)
        next_turn()
        async with listening(router) as listener:
            found = await said(listener, "GET /plain HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n" * PIPELINED)
        assert re.findall(rb"\r\n\r\n(\d{4})", found) == [b"%04d" % (n + 1) for n in range(PIPELINED)]
        # One more: what waited behind those of the read before is begun in the same turn.
        assert max(turns.values()) <= AT_ONCE_MAX + 1, turns

    asyncio.run(main())
