"""What `sprint cb-monitor` costs as a service: processor, memory, and how late it tells of a transition.

    python -m tests.bench.bench_monitor [--seconds S]

A stand-in for a relay serves real breakers in this process and has an operator change them; the monitor is
the command, as a process of its own, with one watcher on its WebSocket. Once with 20 breakers and 4 changes a
second, once with 1,000 and 200. The processor's time is the monitor's own, user and system, over the run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

import psutil
from websockets.asyncio.client import connect

from sprint.core.monitor.fleet import FleetTransition, decode_fleet
from tests.bench.figures import environment, percentile
from tests.bench.rows import tell
from tests.tools.monitor.relay_stand_in import RelayStandIn

DURATION_S = 30.0
# Until the first figures are told and all histories are read.
SETTLE_S = 6.0
LINES_MAX = 16
MB = 1 << 20
COMMAND = (sys.executable, "-m", "sprint.cli.main", "cb-monitor", "--port", "0", "--target")


class Scene(NamedTuple):
    """So many breakers that are changed so often."""

    breakers: int
    changes_per_s: float


class Cost(NamedTuple):
    """Of the monitor's process: share of a core, resident memory in MB, and how late it told, in seconds."""

    core_share: float
    resident_mb: float
    told: int
    late_s: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description="What the monitor's service costs")
    parser.add_argument("--seconds", type=float, default=DURATION_S)
    seconds = parser.parse_args().seconds
    print(environment())
    small = asyncio.run(measured(Scene(20, 4.0), seconds))
    large = asyncio.run(measured(Scene(1_000, 200.0), seconds))
    percent = "of a core in"
    said = f"{small.core_share:.2%} {percent} {seconds:g} s"
    tell("monitor's service, 20 breakers", small.core_share * 100, ours=said)
    said = f"{large.core_share:.2%} {percent} {seconds:g} s, {large.told} transitions told"
    tell("monitor's service, 1,000 breakers changed 200 times a second", large.core_share * 100, ours=said)
    tell("monitor's service, memory with these 1,000", large.resident_mb, ours=f"{large.resident_mb:.1f} MB")
    late_ms = percentile(large.late_s, 0.99) * 1000
    said = f"{late_ms:.1f} ms, p50 {percentile(large.late_s, 0.5) * 1000:.1f} ms"
    tell("monitor's service, a transition after the relay's own time, p99", late_ms, ours=said)
    print(environment())


async def measured(scene: Scene, seconds: float) -> Cost:
    """Run a scene and return what it cost the monitor."""
    names = tuple(f"store:{number}" for number in range(scene.breakers))
    async with (
        RelayStandIn(names=names) as relay,
        monitor_of(relay) as (process, url),
        connect(f"ws{url.removeprefix('http')}/ws", proxy=None, max_size=None) as connection,
    ):
        late_s: list[float] = []

        async def read() -> None:
            async for payload in connection:
                message = decode_fleet(payload)
                if isinstance(message, FleetTransition):
                    at_s = datetime.fromisoformat(message.transition.at).timestamp()
                    late_s.append(time.time() - at_s)

        reading = asyncio.create_task(read())
        changing = asyncio.create_task(change(relay, scene))
        await asyncio.sleep(SETTLE_S)
        late_s.clear()
        before, began = process.cpu_times(), time.monotonic()
        await asyncio.sleep(seconds)
        after, took_s = process.cpu_times(), time.monotonic() - began
        for task in (reading, changing):
            task.cancel()
        await asyncio.gather(reading, changing, return_exceptions=True)
        used_s = after.user + after.system - before.user - before.system
        return Cost(used_s / took_s, process.memory_info().rss / MB, len(late_s), late_s)


async def change(relay: RelayStandIn, scene: Scene) -> None:
    """Have an operator open and close the breakers, one after the other."""
    began = time.monotonic()
    breakers = list(relay.registry)
    for number in itertools.count():
        breaker = breakers[number % len(breakers)]
        if breaker.state == "closed":
            breaker.force_open("bench")
        else:
            breaker.reset("bench")
        await asyncio.sleep(max(0.0, began + number / scene.changes_per_s - time.monotonic()))


@contextlib.asynccontextmanager
async def monitor_of(relay: RelayStandIn) -> AsyncIterator[tuple[psutil.Process, str]]:
    """A monitor of the relay as a process: that, and where it serves."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, relay.target.url, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        yield psutil.Process(process.pid), await url_of(process)
    finally:
        process.terminate()
        await process.wait()


async def url_of(process: asyncio.subprocess.Process) -> str:
    """Return where it says that it serves."""
    if process.stderr is not None:
        for _ in range(LINES_MAX):
            line = (await process.stderr.readline()).decode().rstrip()
            if "serves at" in line:
                return line.rpartition(" ")[2]
    raise RuntimeError("the monitor does not say where it serves")


if __name__ == "__main__":
    main()
