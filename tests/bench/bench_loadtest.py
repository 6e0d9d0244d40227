"""How much load one generator makes, how late it is, what it costs, beside wrk, hey, autocannon and locust.

    python -m tests.bench.bench_loadtest [--seconds N] [--long-seconds N] [--rates R …] [--connections N]

All load the same trivial server, a bare protocol on uvloop in a process of its own, over as many connections.
The peers are closed loops: they send as soon as an answer comes, and their highest rate is what is left of
the machine. Ours is an open loop, asked for one rate after the other: 1,000 and 10,000, then shares of wrk's;
the highest of which it answered 99.5 %, half of it in time, counts. wrk runs before and after, and the mean
counts. How late it is stands beside a loop in C that keeps the same moments over as many connections and
never sleeps: what that is late by is the machine's, of whose cores the server has one.

The highest rate is then held for longer (--long-seconds, SPRINT_BENCH_S or 60): CPU and memory of the whole
process tree are from there, its start and its compiling among them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, cast

from sprint.tools import runtime
from sprint.tools.loadtest.target_url import parse_url
from tests.bench.bench_faultproxy import process
from tests.bench.c_programs import Absent, build
from tests.bench.figures import environment
from tests.bench.load_peers import Peer, Run, measured, peers, run_peer, settle
from tests.bench.rows import skip, tell

HOST = "127.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
END = b"\r\n\r\n"
ANSWERED_SHARE_MIN = 0.995
RESPONSE_MS_MAX = 100.0  # p50; over as many connections wrk's is below 1
FIXED_RATES = (1_000, 10_000)
LATENESS_AT_PER_S = 10_000
HIGH_PER_S = 100_000
PACER = Path(__file__).with_name("pacer_floor.c")
RATE_MAX_PER_S = 200_000  # what may be asked of cb-loadtest
SHARES_OF_WRK = (0.4, 0.6, 0.75, 0.85, 0.95, 1.05)
WITHOUT_WRK_PER_S = 80_000
RISE = 1.1  # from a highest rate that was kept up to the next one
RUNS_MAX = 12
ROUNDED_TO_PER_S = 1_000
LONG_S = 60
HIGHEST = "load generator, one process, highest rate / wrk"
CPU = "load generator, CPU of a request / wrk"
LATENESS = "load generator, lateness p99 at 10,000/s"
LATENESS_HIGH = "load generator, lateness p99 at 100,000/s"
LATENESS_BESIDE_C = "load generator, lateness p99 at 100,000/s / a loop in C that never sleeps"
LATENESS_HIGHEST = "load generator, lateness p99 at its highest rate"
EXACT = "load generator, rate beside what was asked"
MEMORY = "load generator, memory of its processes"
DRIFT = "load generator, memory that came in a run's second half"


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


class Ours(NamedTuple):
    """A run of ours at a rate that was asked for, and its report."""

    asked_per_s: int
    run: Run
    totals: dict[str, Any]
    kernels: str

    @property
    def kept_up(self) -> bool:
        """Whether it answered what was asked, and no queue of requests stood before it all the time."""
        response = self.totals["response"]
        in_time = response is not None and response["ms_p50"] <= RESPONSE_MS_MAX
        return in_time and self.run.per_s >= ANSWERED_SHARE_MIN * self.asked_per_s

    @property
    def late_ms(self) -> tuple[float, float]:
        """How long after its moment a request was come to, p50 and p99."""
        late = self.totals["schedule_error"]
        return late["ms_p50"], late["ms_p99"]


def ours(url: str, rate_per_s: int, seconds: int, connections: int) -> Ours:
    command = [sys.executable, "-m", "sprint.cli.main", "cb-loadtest", "--target", url, "--json", "--quiet"]
    command += ["--rps", str(rate_per_s), "--duration", f"{seconds}s", "--processes", "1"]
    command += ["--workers", str(connections), "--timeout", "2s"]
    found = measured(command, seconds)
    report = json.loads(found.said)
    answers = report["totals"]["successes"]
    run = Run(
        answers / seconds, found.cpu_s / max(1, answers) * 1e6, found.memory_mb, found.drift_mb, found.said
    )
    settle()
    return Ours(rate_per_s, run, report["totals"], report["environment"]["kernels"])


def show(name: str, run: Run | Absent) -> None:
    if isinstance(run, Absent):
        print(f"{name:14} skipped: {run.reason}", flush=True)
        return
    print(f"{name:14} {run.per_s:10,.0f}/s {run.cpu_us:8.1f} µs CPU {run.memory_mb:8.0f} MB", flush=True)


def show_ours(found: Ours) -> None:
    p50_ms, p99_ms = found.late_ms
    response = found.totals["response"] or {"ms_p50": float("nan"), "ms_p99": float("nan")}
    show(f"ours {found.asked_per_s:>9,}", found.run)
    print(
        f"{'':14} late p50 {p50_ms:.3f} ms, p99 {p99_ms:.3f} ms; response p50 {response['ms_p50']:.3f} ms, "
        f"p99 {response['ms_p99']:.3f} ms; {found.totals['failures']:,} failed, "
        f"{found.totals['never_sent']:,} never sent; {found.kernels} histograms",
        flush=True,
    )


class Pacer(NamedTuple):
    """A run of the loop in C: answers, how late it was in µs, and the CPU of the whole of it."""

    answers: int
    late_us_p50: float
    late_us_p99: float
    cpu_s: float


def pacer(program: Path, port: int, rate_per_s: int, options: argparse.Namespace) -> Pacer | Absent:
    """Run the loop in C at a rate; Absent where it can't be built or fails."""
    absent = build(PACER, program)
    if absent is not None:
        return absent
    words = [str(each) for each in (program, port, rate_per_s, options.seconds, options.connections)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=options.seconds + 30)
    if done.returncode:
        return Absent(f"{PACER.name} ended with {done.returncode}")
    answers, *figures = done.stdout.split()
    return Pacer(int(answers), *map(float, figures))


def tell_high(found: Ours | None, beside: Pacer | Absent) -> None:
    """Tell how late both were at the rate that has a goal."""
    if isinstance(beside, Pacer):
        print(
            f"loop in C {HIGH_PER_S:,}: p50 {beside.late_us_p50:.1f} µs, p99 {beside.late_us_p99:.1f} µs, "
            f"{beside.answers:,} answers, {beside.cpu_s:.1f} s CPU, never asleep"
        )
    if found is None or not found.kept_up:
        why = f"{HIGH_PER_S:,}/s was not {'asked for' if found is None else 'kept up'}"
        skip(LATENESS_HIGH, why)
        skip(LATENESS_BESIDE_C, why)
        return
    p50_us, p99_us = (1_000 * late_ms for late_ms in found.late_ms)
    own = f"{p99_us:.0f} µs (p50 {p50_us:.0f})"
    tell(LATENESS_HIGH, p99_us, ours=own)
    if isinstance(beside, Absent):
        skip(LATENESS_BESIDE_C, beside.reason)
    else:
        peer = f"{beside.late_us_p99:.0f} µs (p50 {beside.late_us_p50:.1f})"
        tell(LATENESS_BESIDE_C, p99_us / max(0.001, beside.late_us_p99), ours=own, peer=peer)


def measure(url: str, options: argparse.Namespace, beside: list[Peer], folder: Path) -> None:
    """Measure all of them, and tell the rows."""
    wrk_peer = beside[0]
    runs = {}
    for peer in beside:
        runs[peer.name] = run_peer(peer, options.seconds)
        show(peer.name, runs[peer.name])
        settle()
    first_wrk = runs[wrk_peer.name]
    wrk_per_s = WITHOUT_WRK_PER_S if isinstance(first_wrk, Absent) else first_wrk.per_s
    found = []
    for rate_per_s in options.rates or rates_beside(wrk_per_s):
        found.append(ours(url, rate_per_s, options.seconds, options.connections))
        show_ours(found[-1])
    in_c = pacer(folder / "pacer", parse_url(url).port, HIGH_PER_S, options)
    while not options.rates and len(found) < RUNS_MAX and found[-1].kept_up:
        more_per_s = round(found[-1].asked_per_s * RISE / ROUNDED_TO_PER_S) * ROUNDED_TO_PER_S
        if found[-1].asked_per_s >= RATE_MAX_PER_S:
            break
        found.append(ours(url, min(more_per_s, RATE_MAX_PER_S), options.seconds, options.connections))
        show_ours(found[-1])
    held = hold(url, found, options)
    again = run_peer(wrk_peer, options.seconds)
    show(f"{wrk_peer.name} again", again)
    wrks = [run for run in (first_wrk, again) if isinstance(run, Run)]
    tell_lateness(found)
    tell_high(next((each for each in found if each.asked_per_s == HIGH_PER_S), None), in_c)
    judge(max((each.run.per_s for each in found if each.kept_up), default=None), held, wrks, first_wrk)


def rates_beside(wrk_per_s: float) -> list[int]:
    """Return the rates to ask for, rising: whole thousands, no more than may be asked."""
    shares = {round(share * wrk_per_s / ROUNDED_TO_PER_S) * ROUNDED_TO_PER_S for share in SHARES_OF_WRK}
    return sorted({*FIXED_RATES, HIGH_PER_S, *(min(rate, RATE_MAX_PER_S) for rate in shares if rate)})


def hold(url: str, found: list[Ours], options: argparse.Namespace) -> Ours | None:
    """Hold the highest rate that was kept up for longer; the next lower one where it isn't now."""
    for each in sorted((each for each in found if each.kept_up), reverse=True)[:2]:
        held = ours(url, each.asked_per_s, options.long_seconds, options.connections)
        print(f"held for {options.long_seconds} s:")
        show_ours(held)
        print(f"{'':14} memory that came in its second half: {held.run.drift_mb:.1f} MB", flush=True)
        if held.kept_up:
            return held
    return None


def tell_lateness(found: list[Ours]) -> None:
    kept = [each for each in found if each.kept_up]
    for each in kept:
        if each.asked_per_s == LATENESS_AT_PER_S:
            p50_ms, p99_ms = each.late_ms
            tell(LATENESS, p99_ms, ours=f"{p99_ms:.3f} ms (p50 {p50_ms:.3f})")
    if not kept:
        skip(EXACT, "no rate that was asked for was kept up")
        return
    highest = max(kept, key=lambda each: each.asked_per_s)
    p50_ms, p99_ms = highest.late_ms
    tell(LATENESS_HIGHEST, p99_ms, ours=f"{p99_ms:.3f} ms (p50 {p50_ms:.3f}) at {highest.asked_per_s:,}/s")
    exact = [each for each in kept if each.asked_per_s in FIXED_RATES or each is highest]
    off = max(abs(each.run.per_s / each.asked_per_s - 1) * 100 for each in exact)
    tell(EXACT, off, ours=f"{off:.3f} % off at {', '.join(f'{each.asked_per_s:,}' for each in exact)}/s")


def judge(highest_per_s: float | None, held: Ours | None, wrks: list[Run], first: Run | Absent) -> None:
    if held is None or highest_per_s is None:
        for name in (HIGHEST, CPU, MEMORY, DRIFT):
            skip(name, "no rate that was asked for was kept up")
        return
    tell(MEMORY, held.run.memory_mb, ours=f"{held.run.memory_mb:.0f} MB")
    tell(DRIFT, held.run.drift_mb, ours=f"{held.run.drift_mb:.1f} MB")
    if not wrks:
        for name in (HIGHEST, CPU):
            skip(name, first.reason if isinstance(first, Absent) else "wrk did not run")
        return
    wrk_per_s = sum(run.per_s for run in wrks) / len(wrks)
    wrk_cpu_us = sum(run.cpu_us for run in wrks) / len(wrks)
    tell(HIGHEST, highest_per_s / wrk_per_s, ours=f"{highest_per_s:,.0f}/s", peer=f"{wrk_per_s:,.0f}/s")
    tell(CPU, held.run.cpu_us / wrk_cpu_us, ours=f"{held.run.cpu_us:.1f} µs", peer=f"{wrk_cpu_us:.1f} µs")


def main() -> None:
    # A variable of ours that the commands we start don't know would be refused by them.
    long_seconds = int(os.environ.pop("SPRINT_BENCH_S", LONG_S))
    parser = argparse.ArgumentParser(description="Benchmark of the load generator")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--long-seconds", type=int, default=long_seconds)
    parser.add_argument("--rates", type=int, nargs="+", default=[])
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        runtime.run(serve())
        return
    print(environment())
    with (
        tempfile.TemporaryDirectory() as folder,
        process("tests.bench.bench_loadtest", "--serve") as (line, _),
    ):
        url = f"http://{HOST}:{int(line)}/"
        beside = peers(url, options.seconds, options.connections, Path(folder))
        measure(url, options, beside, Path(folder))
    print(environment())


if __name__ == "__main__":
    main()
