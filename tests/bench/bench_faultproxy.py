"""What a fault proxy without faults costs: round trips and bulk through it, beside the same without it.

    python -m tests.bench.bench_faultproxy [--rounds N] [--trips N] [--megabytes N]

The proxy is a process of its own, as is the echo server, a bare protocol on uvloop. The client is this
process, with plain blocking sockets. Direct and proxied take turns, and the difference or the ratio is taken
within the round. Three processes that are busy want three cores: where there are fewer, bulk shows what the
cores give and not what the proxy costs, so the CPU that the proxy takes for it stands beside.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil

from sprint.tools import runtime
from tests.bench.figures import environment, median, percentile
from tests.bench.rows import tell

HOST = "127.0.0.1"
MESSAGE_SIZE = 64
BLOCK_SIZE = 1_000_000
MEGABYTE = 1_000_000
# What a relay that catches up reads of a good node, several times over.
PACED_MB_PER_S = 100


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
    started = subprocess.Popen(
        [sys.executable, "-m", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert started.stdout is not None
        yield started.stdout.readline(), started.pid
    finally:
        started.kill()
        started.wait()


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


def cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


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
    with process("tests.bench.bench_faultproxy", "--serve") as (line, _):
        direct = int(line)
        with process("sprint.tools.faultproxy", "--proxy", f"echo={HOST}:{direct}") as (told, pid):
            proxied = int(json.loads(told)["proxies"]["echo"].rpartition(":")[2])
            compare({"direct": direct, "proxied": proxied}, pid, options)


class Found:
    """What the rounds gave, by the way that was taken."""

    def __init__(self) -> None:
        self.p50_s: dict[str, list[float]] = {"direct": [], "proxied": []}
        self.p99_s: dict[str, list[float]] = {"direct": [], "proxied": []}
        self.bulk: dict[str, list[float]] = {"direct": [], "proxied": []}
        self.paced: dict[str, list[float]] = {"direct": [], "proxied": []}


def compare(ports: Mapping[str, int], pid: int, options: argparse.Namespace) -> None:
    found, rng, cpu = Found(), random.Random(options.rounds), 0.0
    for port in ports.values():
        trips_s(port, 200)
    for _ in range(options.rounds):
        order = rng.sample(list(ports), 2)
        for name in order:
            taken = trips_s(ports[name], options.trips)
            found.p50_s[name].append(median(taken))
            found.p99_s[name].append(percentile(taken, 0.99))
        before = cpu_s(pid)
        for name in order:
            found.bulk[name].append(bulk_per_s(ports[name], options.megabytes))
        cpu += cpu_s(pid) - before
        for name in order:
            found.paced[name].append(bulk_per_s(ports[name], PACED_MB_PER_S, PACED_MB_PER_S))
    report(found, cpu / (options.rounds * options.megabytes / 1000))


def report(found: Found, cpu_s_per_gigabyte: float) -> None:
    for name in found.bulk:
        p50_us, p99_us = (1e6 * median(values[name]) for values in (found.p50_s, found.p99_s))
        print(
            f"{name:8} round trip p50 {p50_us:6.1f} µs, p99 {p99_us:6.1f} µs;"
            f" bulk {median(found.bulk[name]):.0f} MB/s; of {PACED_MB_PER_S} {median(found.paced[name]):5.1f}"
        )
    print(f"the proxy took {cpu_s_per_gigabyte:.2f} s of CPU a gigabyte of bulk")
    added = [1e6 * (one - other) for one, other in pairs(found.p50_s)]
    own, peer = (f"{1e6 * median(found.p50_s[name]):.0f} µs" for name in ("proxied", "direct"))
    tell("idle fault proxy, added to a round trip", median(added), ours=own, peer=f"{peer}, direct")
    for target, rates in (
        (f"idle fault proxy, {PACED_MB_PER_S} MB/s / direct", found.paced),
        ("idle fault proxy, bulk / direct", found.bulk),
    ):
        own, peer = (f"{median(rates[name]):,.0f} MB/s" for name in ("proxied", "direct"))
        shares = [one / other for one, other in pairs(rates)]
        tell(target, median(shares), ours=own, peer=f"{peer}, direct")


def pairs(values: Mapping[str, list[float]]) -> Iterator[tuple[float, float]]:
    """The values of each round: through the proxy, and without it."""
    return zip(values["proxied"], values["direct"], strict=True)


if __name__ == "__main__":
    main()
