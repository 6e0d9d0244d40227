"""How much load one generator makes, how late it is, and what that costs, beside wrk, hey and autocannon.

    python -m tests.bench.bench_loadtest [--seconds N] [--rates R …] [--connections N]

All load the same trivial server, a bare protocol on uvloop in a process of its own, over as many connections.
wrk, hey and autocannon are closed loops: they send as soon as an answer comes, and their highest rate is what
is left of the machine. Ours is an open loop, asked for one rate after the other; the highest of which it
answered 99.5 % counts. CPU is what the system says of the whole process tree when it has ended, per answer;
memory is the largest process of it. A peer that isn't installed is named as that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import NamedTuple, cast

from sprint.tools import runtime
from tests.bench.bench_faultproxy import process
from tests.bench.figures import environment
from tests.bench.rows import skip, tell

HOST = "127.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
END = b"\r\n\r\n"
ANSWERED_SHARE_MIN = 0.995
LATENESS_AT_PER_S = 10_000
HIGHEST = "load generator, one process, highest rate / wrk"
CPU = "load generator, CPU of a request / wrk"
LATENESS = "load generator, lateness p99 at 10,000/s"
MEMORY = "load generator, memory of its largest process"


class Server(asyncio.Protocol):
    """Answers each request, whatever it asks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER * data.count(END))


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Server, HOST, 0, backlog=2_048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Run(NamedTuple):
    """One run of a generator: answers a second, CPU seconds and memory of its process tree, what it said."""

    per_s: float
    cpu_us: float
    memory_mb: float
    said: str


def measured(command: Sequence[str]) -> tuple[str, float, float]:
    """Run a command; return what it printed, its CPU seconds and its largest process in MB."""
    with tempfile.TemporaryFile("w+") as out:
        started = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        # What it has cost is told once, to whoever waits for it first.
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return out.read(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def closed_loop(command: Sequence[str], pattern: str, seconds: int) -> Run:
    """Run a peer, which prints its rate as the pattern says."""
    said, cpu_s, memory_mb = measured(command)
    found = re.search(pattern, said)
    if found is None:
        raise RuntimeError(f"{command[0]} printed no rate: {said[-500:]}")
    per_s = float(found[1].replace(",", ""))
    return Run(per_s, cpu_s / (per_s * seconds) * 1e6, memory_mb, said)


def ours(url: str, rate_per_s: int, options: argparse.Namespace) -> Run:
    command = [sys.executable, "-m", "sprint.cli.main", "cb-loadtest", "--target", url, "--json", "--quiet"]
    command += ["--rps", str(rate_per_s), "--duration", f"{options.seconds}s", "--processes", "1"]
    command += ["--workers", str(options.connections), "--timeout", "2s"]
    said, cpu_s, memory_mb = measured(command)
    answered = json.loads(said)["totals"]["successes"]
    return Run(answered / options.seconds, cpu_s / max(1, answered) * 1e6, memory_mb, said)


def peers(url: str, options: argparse.Namespace) -> dict[str, Run]:
    """Run the peers that are installed."""
    seconds, count = options.seconds, options.connections
    commands = {
        "wrk": (["wrk", "-t1", f"-c{count}", f"-d{seconds}s", url], r"Requests/sec:\s+([\d.]+)"),
        "hey": (["hey", "-z", f"{seconds}s", "-c", str(count), url], r"Requests/sec:\s+([\d.]+)"),
        "autocannon": (
            ["autocannon", "-c", str(count), "-d", str(seconds), "--json", url],
            r'"requests":\{"average":([\d.]+)',
        ),
    }
    runs = {}
    for name, (command, pattern) in commands.items():
        if shutil.which(name) is None:
            print(f"{name:12} is not installed")
            continue
        runs[name] = closed_loop(command, pattern, seconds)
        show(name, runs[name])
    return runs


def show(name: str, run: Run) -> None:
    print(f"{name:12} {run.per_s:10,.0f}/s {run.cpu_us:8.1f} µs CPU {run.memory_mb:8.0f} MB")


def highest(url: str, options: argparse.Namespace) -> Run | None:
    """Ask for one rate after the other; return the highest run that kept up, None where none did."""
    best = None
    for rate_per_s in options.rates:
        run = ours(url, rate_per_s, options)
        generator = json.loads(run.said)["generator"]
        print(
            f"ours {rate_per_s:>7,} {run.per_s:10,.0f}/s {run.cpu_us:8.1f} µs CPU {run.memory_mb:8.0f} MB"
            f"  lateness p99 {generator['schedule_error_ms_p99']:.3f} ms"
        )
        if rate_per_s == LATENESS_AT_PER_S:
            late_ms = generator["schedule_error_ms_p99"]
            tell(LATENESS, late_ms, ours=f"{late_ms:.3f} ms")
        if run.per_s >= ANSWERED_SHARE_MIN * rate_per_s:
            best = run
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the load generator")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument(
        "--rates", type=int, nargs="+", default=[10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000]
    )
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        runtime.run(serve())
        return
    print(environment())
    with process("tests.bench.bench_loadtest", "--serve") as (line, _):
        url = f"http://{HOST}:{int(line)}/"
        found = peers(url, options)
        best = highest(url, options)
    judge(best, found.get("wrk"))
    print(environment())


def judge(best: Run | None, wrk: Run | None) -> None:
    if best is None:
        for name in (HIGHEST, CPU, MEMORY):
            skip(name, "no rate that was asked for was kept up")
        return
    tell(MEMORY, best.memory_mb, ours=f"{best.memory_mb:.0f} MB")
    if wrk is None:
        for name in (HIGHEST, CPU):
            skip(name, "wrk is not installed")
        return
    tell(HIGHEST, best.per_s / wrk.per_s, ours=f"{best.per_s:,.0f}/s", peer=f"{wrk.per_s:,.0f}/s")
    tell(CPU, best.cpu_us / wrk.cpu_us, ours=f"{best.cpu_us:.1f} µs", peer=f"{wrk.cpu_us:.1f} µs")


if __name__ == "__main__":
    main()
