"""What a fault proxy without faults costs: round trips and bulk through it, beside the same without it.

    python -m tests.bench.bench_faultproxy [--rounds N] [--trips N] [--megabytes N]

The proxy is a process of its own, as is the echo server, a bare protocol on uvloop. The client is this
process, with plain blocking sockets. Direct, proxied and, where they can be had, haproxy, socat and a program
in C that does nothing but forward take turns, and the difference or the ratio is taken within the round.
Three processes that are busy want three cores: where there are fewer, bulk shows what the cores give and not
what the proxy costs. So the CPU that each of the three takes stands beside, and the share of what the program
in C gets through on the same cores, the faster of its two ways.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec
import psutil

from sprint.tools import runtime
from tests.bench.figures import environment, median, percentile
from tests.bench.rows import skip, tell
from tests.bench.tcp_peers import FORWARD_WAYS, peers

HOST = "127.0.0.1"
MESSAGE_SIZE = 64
BLOCK_SIZE = 1_000_000
MEGABYTE = 1_000_000
# What a relay that catches up reads of a good node, several times over.
PACED_MB_PER_S = 100
BESIDE_C = "idle fault proxy, bulk / a program in C that only forwards"


class Echo(asyncio.Protocol):
    """Sends back what it gets; a connection that begins with `B` is counted and answered at its end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._counts: bool | None = None
        self._size = 0

    def data_received(self, data: bytes) -> None:
        if self._counts is None:
            self._counts = data[:1] == b"B"
        if self._counts:
            self._size += len(data)
        else:
            self._transport.write(data)  # type: ignore[attr-defined]  # uvloop's has its own class

    def eof_received(self) -> bool:
        if self._counts:
            self._transport.write(b"%d" % self._size)  # type: ignore[attr-defined]  # as above
        return False


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def process(*words: str) -> Iterator[tuple[str, int]]:
    """Run a Python module as a process; give its first line and its pid."""
    with subprocess.Popen(
        [sys.executable, "-m", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            assert started.stdout is not None
            yield started.stdout.readline(), started.pid
        finally:
            started.kill()


def trips_s(port: int, count: int) -> list[float]:
    """Round trips of a small message on one connection, one after the other."""
    with socket.create_connection((HOST, port)) as connected:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        message, taken = b"a" * MESSAGE_SIZE, []
        for _ in range(count):
            begin = time.perf_counter()
            connected.sendall(message)
            received = 0
            while received < MESSAGE_SIZE:
                received += len(connected.recv(MESSAGE_SIZE))
            taken.append(time.perf_counter() - begin)
    return taken


def bulk_per_s(port: int, megabytes: int, paced_mb_per_s: float = 0.0) -> float:
    """Megabytes a second one way on one connection, until the other end says how many it has."""
    block = b"B" * BLOCK_SIZE
    with socket.create_connection((HOST, port)) as connected:
        begin = time.perf_counter()
        for number in range(megabytes * MEGABYTE // BLOCK_SIZE):
            if paced_mb_per_s:
                time.sleep(max(0.0, begin + number / paced_mb_per_s - time.perf_counter()))
            connected.sendall(block)
        connected.shutdown(socket.SHUT_WR)
        told = b""
        while part := connected.recv(64):
            told += part
        taken = time.perf_counter() - begin
    assert int(told) == megabytes * MEGABYTE, told
    return megabytes / taken


def cpu_s(pid: int) -> tuple[float, float]:
    """CPU of a process so far, its own and what the system did for it."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user), float(times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the fault proxy without faults")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--trips", type=int, default=4_000)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        runtime.run(serve())
        return
    print(environment())
    with ExitStack() as stack:
        line, server = stack.enter_context(process("tests.bench.bench_faultproxy", "--serve"))
        direct = int(line)
        words = ("sprint.tools.faultproxy", "--proxy", f"echo={HOST}:{direct}")
        told, pid = stack.enter_context(process(*words))
        proxied = int(json.loads(told)["proxies"]["echo"].rpartition(":")[2])
        ways = [Way("direct", direct, server), Way("proxied", proxied, server, pid)]
        others = stack.enter_context(peers(direct))
        ways += [Way(name, port, server, other) for name, (port, other) in others.items()]
        compare(ways, options)


class Way(msgspec.Struct):
    """A way to the echo server, and what the rounds gave of it. `pid` is of what stands between.

    It is None where nothing does, or where its CPU is not known.
    """

    name: str
    port: int
    server_pid: int
    pid: int | None = None
    p50_s: list[float] = []
    p99_s: list[float] = []
    bulk: list[float] = []
    paced: list[float] = []
    cpu_s: list[list[float]] = []

    def cpu_so_far_s(self) -> list[float]:
        """CPU of the client, of what stands between (its own, the system's), and of the server."""
        between = (0.0, 0.0) if self.pid is None else cpu_s(self.pid)
        return [time.process_time(), *between, sum(cpu_s(self.server_pid))]


def compare(ways: list[Way], options: argparse.Namespace) -> None:
    rng = random.Random(options.rounds)
    for way in ways:
        trips_s(way.port, 200)
    for _ in range(options.rounds):
        order = rng.sample(ways, len(ways))
        for way in order:
            taken = trips_s(way.port, options.trips)
            way.p50_s.append(median(taken))
            way.p99_s.append(percentile(taken, 0.99))
        for way in order:
            before = way.cpu_so_far_s()
            way.bulk.append(bulk_per_s(way.port, options.megabytes))
            way.cpu_s.append([now - then for now, then in zip(way.cpu_so_far_s(), before, strict=True)])
        for way in order:
            if way.name in {"direct", "proxied"}:
                way.paced.append(bulk_per_s(way.port, PACED_MB_PER_S, PACED_MB_PER_S))
    report(ways, options.megabytes / 1000)


def report(ways: list[Way], gigabytes: float) -> None:
    direct, proxied, *_ = ways
    print(f"{'':14}  round trip, µs   bulk, MB/s         CPU of a gigabyte, s")
    print(f"{'':14}     p50     p99          / direct  client    user  system  server     all")
    for way in ways:
        p50_us, p99_us = 1e6 * median(way.p50_s), 1e6 * median(way.p99_s)
        cpu = [sum(parts) / len(parts) / gigabytes for parts in zip(*way.cpu_s, strict=True)]
        share = median([one / other for one, other in zip(way.bulk, direct.bulk, strict=True)])
        known = way.pid is not None or way is direct
        figures = "".join(f"{part:8.3f}" for part in (*cpu, sum(cpu))) if known else f"{'not known':>32}"
        print(f"{way.name:14}{p50_us:8.1f}{p99_us:8.1f}{median(way.bulk):8.0f}{share:10.2f}{figures}")
    added = [1e6 * (one - other) for one, other in zip(proxied.p50_s, direct.p50_s, strict=True)]
    own, peer = (f"{1e6 * median(way.p50_s):.0f} µs" for way in (proxied, direct))
    tell("idle fault proxy, added to a round trip", median(added), ours=own, peer=f"{peer}, direct")
    tell_share(f"idle fault proxy, {PACED_MB_PER_S} MB/s / direct", proxied.paced, direct.paced)
    tell_share("idle fault proxy, bulk / direct", proxied.bulk, direct.bulk)
    forwards = [way.bulk for way in ways if way.name in FORWARD_WAYS]
    if forwards:
        tell_share(BESIDE_C, proxied.bulk, max(forwards, key=median), "in C")
    else:
        skip(BESIDE_C, "no C compiler")


def tell_share(target: str, proxied: list[float], others: list[float], who: str = "direct") -> None:
    """Tell the share of another rate, of each round."""
    own, peer = (f"{median(rates):,.0f} MB/s" for rates in (proxied, others))
    shares = [one / other for one, other in zip(proxied, others, strict=True)]
    tell(target, median(shares), ours=own, peer=f"{peer}, {who}")


if __name__ == "__main__":
    main()
