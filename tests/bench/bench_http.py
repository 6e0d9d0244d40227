"""GET of the latest block over kept connections: the relay's listener beside bare servers of the same bytes.

    python -m tests.bench.bench_http [--connections 32] [--seconds 2] [--runs 7]

Each server is a child process on uvloop that answers the same path with the same body. The relay's has its
routing, guard, limits, time limits and headers on; `uvicorn` is a bare ASGI function on httptools,
`Starlette` one route on the same server, `aiohttp` one route of its own server. Their access logs are off.
The client is this process: plain sockets that ask again as soon as they have the whole answer, one request
under way each. Runs take turns. Printed are requests a second by the clock, and the server's own time on a
processor for one, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop
from aiohttp import web
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.figures import environment, median
from tests.bench.rows import tell
from tests.tools.relay.serving import Relay

HOST = "127.0.0.1"
PATH = "/api/v1/bitcoin/latest"
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: {HOST}:{{port}}\r\nAccept: application/json\r\n\r\n"
JSON = "application/json"
OURS, BARE = "sprint", "uvicorn"
TIMEOUT_S = 30.0
WARM_UP_S = 0.2
HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")


class Found(msgspec.Struct, frozen=True):
    per_second: float
    server_us: float


async def serve_sprint(body: bytes) -> None:
    relay = Relay()
    relay.block(840_000)
    async with relay.listening() as listener:
        await tell_port(listener.port)


async def serve_uvicorn(body: bytes) -> None:
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    await under_uvicorn(answer)


async def serve_starlette(body: bytes) -> None:
    async def answer(request: object) -> Response:
        return Response(body, media_type=JSON)

    await under_uvicorn(Starlette(routes=[Route(PATH, answer)]))


async def serve_aiohttp(body: bytes) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=JSON)

    application = web.Application()
    application.router.add_get(PATH, answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    with bound() as listening:
        await web.SockSite(runner, listening).start()
        await tell_port(listening.getsockname()[1])


async def under_uvicorn(application: Any) -> None:
    config = uvicorn.Config(
        application, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    with bound() as listening:
        task = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listening]))
        await tell_port(listening.getsockname()[1])
        task.cancel()


SERVERS: dict[str, Callable[[bytes], Awaitable[None]]] = {
    OURS: serve_sprint,
    BARE: serve_uvicorn,
    "aiohttp": serve_aiohttp,
    "Starlette": serve_starlette,
}


def bound() -> socket.socket:
    listening = socket.create_server((HOST, 0), backlog=1_024)
    listening.settimeout(0.0)
    return listening


async def tell_port(port: int) -> None:
    """Print it, and serve until standard input ends."""
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


def measure(name: str, body: bytes, options: argparse.Namespace) -> Found:
    """Ask one server for a time; its answer has to be `body`."""
    with server(name, body) as (pid, port), clients(port, options.connections) as peers:
        answer, found = answer_of(peers[0], port)
        if found != body:
            raise RuntimeError(f"another answer than the others give: {answer!r}")
        ask(peers, port, len(answer), WARM_UP_S)
        before, started = on_processor_ns(pid), time.perf_counter()
        count = ask(peers, port, len(answer), options.seconds)
        elapsed = time.perf_counter() - started
        spent_ns = on_processor_ns(pid) - before
    return Found(count / elapsed, spent_ns / count / 1e3)


@contextlib.contextmanager
def server(name: str, body: bytes) -> Iterator[tuple[int, int]]:
    """Run one in a child process; gives its id and its port."""
    command = [sys.executable, "-m", "tests.bench.bench_http", "--serve", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"%d\n" % len(body) + body)
        yield child.pid, int(child.stdout.readline())
        child.stdin.close()


def on_processor_ns(pid: int) -> int:
    """Return the time that a process's first thread, where its event loop is, was on a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0])


@contextlib.contextmanager
def clients(port: int, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((HOST, port), timeout=TIMEOUT_S))
            for _ in range(count)
        ]


def answer_of(peer: socket.socket, port: int) -> tuple[bytes, bytes]:
    """Ask once; return the whole answer, and its body."""
    peer.sendall(REQUEST.format(port=port).encode())
    answer, length = b"", None
    while length is None or len(answer.partition(HEAD_END)[2]) < int(length[1]):
        part = peer.recv(65_536)
        if not part:
            raise RuntimeError(f"the server ended the connection after {answer!r}")
        answer += part
        length = CONTENT_LENGTH.search(answer) if HEAD_END in answer else None
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"refused: {answer!r}")
    return answer, answer.partition(HEAD_END)[2]


def ask(peers: list[socket.socket], port: int, size: int, seconds: float) -> int:
    """Keep one request under way on each connection for a time; return how many were answered."""
    request, buffer = REQUEST.format(port=port).encode(), bytearray(65_536)
    by_descriptor = {peer.fileno(): peer for peer in peers}
    had = dict.fromkeys(by_descriptor, 0)
    waiting, count, until = len(peers), 0, time.perf_counter() + seconds
    with select.epoll() as poll:
        for descriptor, peer in by_descriptor.items():
            poll.register(descriptor, select.EPOLLIN)
            peer.sendall(request)
        while waiting:
            more = time.perf_counter() < until
            for descriptor, _ in poll.poll(TIMEOUT_S):
                peer = by_descriptor[descriptor]
                had[descriptor] += peer.recv_into(buffer)
                if had[descriptor] < size:
                    continue
                had[descriptor] = 0
                count += 1
                if more:
                    peer.send(request)
                else:
                    waiting -= 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of HTTP GET")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--serve", choices=tuple(SERVERS))
    options = parser.parse_args()
    if options.serve:
        body = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(SERVERS[options.serve](body))  # type: ignore[arg-type]  # each is a coroutine
        return
    print(environment())
    with server(OURS, b"") as (_, port), clients(port, 1) as (peer,):
        _, body = answer_of(peer, port)
    found: dict[str, list[Found]] = {name: [] for name in SERVERS}
    order, rng = list(SERVERS), random.Random(options.runs)
    for _ in range(options.runs):
        rng.shuffle(order)
        for name in order:
            found[name].append(measure(name, body, options))
    report(found, options, len(body))


def report(found: dict[str, list[Found]], options: argparse.Namespace, size: int) -> None:
    print(
        f"{options.connections} connections, {options.runs} runs of {options.seconds:g} s, {size} B of JSON"
    )
    for name, runs in found.items():
        rate, spent = (median([getattr(run, field) for run in runs]) for field in Found.__struct_fields__)
        print(f"{name:10}{rate:>10,.0f} requests/s{spent:>8.2f} µs of the server each")
    ours = found[OURS]
    for name, target in ((BARE, "uvicorn bare"), ("aiohttp", "aiohttp"), ("Starlette", "Starlette")):
        rates = [one.per_second / other.per_second for one, other in zip(ours, found[name], strict=True)]
        times = [other.server_us / one.server_us for one, other in zip(ours, found[name], strict=True)]
        tell(
            f"GET of the latest block / {target}",
            median(rates),
            ours=f"{median([run.per_second for run in ours]):,.0f}/s",
            peer=f"{median([run.per_second for run in found[name]]):,.0f}/s, {median(times):.2f}x by CPU",
        )


if __name__ == "__main__":
    main()
