"""How many JSON-RPC calls a second one process makes, with 100 under way: our connections beside libraries.

    python -m tests.bench.bench_rpc [--seconds S] [--rounds N]

The server is a process of its own that answers each POST with the same few bytes of JSON. Every client
decodes each answer with msgspec. aiohttp is there for the benchmark alone. Rounds take turns, and the median
counts.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import httpx
import msgspec

from sprint.tools import runtime
from sprint.tools.relay.sources.http_connection import HttpAnswer, HttpConnection
from tests.bench.figures import environment, median
from tests.bench.rows import skip, tell

IN_FLIGHT = 100
HOST = "127.0.0.1"
REQUEST = b'[{"id":1,"method":"getbestblockhash","params":[]}]'
ANSWER = b'[{"result":"%b","error":null,"id":1}]' % (b"ab" * 32)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)
Client = Callable[[int, float], Awaitable[int]]


class BareServer(asyncio.Protocol):
    """Answers whatever ends like the one request there is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while REQUEST in self._waiting:
            self._waiting = self._waiting.split(REQUEST, 1)[1]
            self._transport.write(RESPONSE)  # type: ignore[attr-defined]  # uvloop's has its own class


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(BareServer, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Caller:
    """One connection of ours that calls again as soon as it is answered."""

    def __init__(self, until: float) -> None:
        self.calls = 0
        self.done = asyncio.get_running_loop().create_future()
        self.connection = HttpConnection(HOST, "", self)
        self._until = until

    def answered(self, answer: HttpAnswer) -> None:
        msgspec.json.decode(answer.body)
        self.calls += 1
        if answer.read_at < self._until:
            self.connection.post(REQUEST, 10_000)
        elif not self.done.done():
            self.done.set_result(None)

    def too_large(self, size: int) -> None:
        raise AssertionError(size)

    def ended(self, reason: str, *, malformed: bool) -> None:
        raise AssertionError(reason, malformed)


async def ours(port: int, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    callers = [Caller(runtime.clock() + seconds) for _ in range(IN_FLIGHT)]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller.connection, HOST, port)  # type: ignore[misc]
    for caller in callers:
        caller.connection.post(REQUEST, 10_000)
    await asyncio.gather(*(caller.done for caller in callers))
    for caller in callers:
        caller.connection.abort()
    return sum(caller.calls for caller in callers)


async def by_httpx(port: int, seconds: float) -> int:
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with httpx.AsyncClient(limits=limits, timeout=60.0) as client:

        async def call() -> None:
            answer = await client.post(f"http://{HOST}:{port}/", content=REQUEST)
            msgspec.json.decode(answer.content)

        return await repeat(call, seconds)


async def by_aiohttp(port: int, seconds: float) -> int:
    aiohttp = importlib.import_module("aiohttp")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as client:

        async def call() -> None:
            async with client.post(f"http://{HOST}:{port}/", data=REQUEST) as answer:
                msgspec.json.decode(await answer.read())

        return await repeat(call, seconds)


async def repeat(call: Callable[[], Awaitable[None]], seconds: float) -> int:
    """Keep 100 calls under way for a time; return how many were made."""
    until = time.monotonic() + seconds

    async def again() -> int:
        made = 0
        while time.monotonic() < until:
            await call()
            made += 1
        return made

    return sum(await asyncio.gather(*(again() for _ in range(IN_FLIGHT))))


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of JSON-RPC clients")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        runtime.run(serve())
        return
    clients: dict[str, Client] = {"ours": ours, "httpx": by_httpx}
    if importlib.util.find_spec("aiohttp") is not None:
        clients["aiohttp"] = by_aiohttp
    print(environment())
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bench_rpc", "--serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        rates: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(options.rounds):
            for name, client in clients.items():
                rates[name].append(runtime.run(client(port, options.seconds)) / options.seconds)  # type: ignore[arg-type]
    finally:
        server.kill()
        server.wait()
    for name, values in rates.items():
        share = median(rates["ours"]) / median(values)
        print(f"{name:8} {median(values):10,.0f} calls/s; ours makes {share:.1f} times as many")
    target = "JSON-RPC calls, 100 under way / aiohttp"
    if "aiohttp" not in clients:
        skip(target, "aiohttp is not installed")
        return
    ratios = [one / other for one, other in zip(rates["ours"], rates["aiohttp"], strict=True)]
    own, peer = (f"{median(rates[name]):,.0f}/s" for name in ("ours", "aiohttp"))
    tell(target, median(ratios), ours=own, peer=peer)


if __name__ == "__main__":
    main()
