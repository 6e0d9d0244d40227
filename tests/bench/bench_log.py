"""How fast the embedded log takes events: many at a time, and one by one.

    python -m tests.bench.bench_log [--events N] [--durability process|disk|memory]

`batches` submits commits of 100 block events with their rows, as a catch-up does, `headers` commits of 100
events without rows, `load` single-block commits as fast as the writer takes them. `single` waits for each
commit before the next: the time from `submit` to the report. A store is made anew for each, in the folder
given by --folder or a temporary one.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sprint.core.errors import StoreError
from sprint.core.relay.event_log import Commit, EventLog
from sprint.tools.store.settings import Durability, StoreSettings
from sprint.tools.store.sqlite import SqliteStore, open_store
from tests.bench.rows import tell
from tests.tools.store.commits import block_commit, block_data, row

BATCH = 100
SINGLES = 2_000
WAIT_S = 300.0
TARGETS = {"batches": "log, batches of 100 blocks", "headers": "log, batches of 100 events without blocks"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the embedded event log")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--durability", choices=("process", "disk", "memory"), default="process")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    print_environment(options.durability)
    for name, make in (("batches", block_batch), ("headers", event_batch), ("load", block_single)):
        rate, per_event = measure(options.folder, options.durability, options.events, make)
        print(f"{name:8} {rate:10,.0f} events/s, {per_event:,.0f} bytes an event in the file")
        if name in TARGETS:
            tell(TARGETS[name], rate, ours=f"{rate:,.0f} events/s")
    p50, p99, worst = single_latency(options.folder, options.durability)
    print(f"single   p50 {p50:.1f} µs, p99 {p99:.1f} µs, worst {worst:.1f} µs from submit to report")


def print_environment(durability: Durability) -> None:
    print(
        f"python {platform.python_version()}, sqlite {sqlite3.sqlite_version}, {platform.platform()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, durability {durability}"
    )


def block_batch(log: EventLog, height: int) -> Commit:
    """Deliver 100 blocks in one commit."""
    rows = tuple(row("bitcoin", height + step) for step in range(BATCH))
    events = tuple(log.append("bitcoin", block_data(block)) for block in rows)
    return Commit("bitcoin", events, rows, head=rows[-1].hash)


def event_batch(log: EventLog, height: int) -> Commit:
    """Log 100 events of blocks that are already stored."""
    return Commit("bitcoin", block_batch(log, height).events)


def block_single(log: EventLog, height: int) -> Commit:
    return block_commit(log, "bitcoin", height)


def measure(
    folder: Path | None, durability: Durability, events: int, make: Callable[[EventLog, int], Commit]
) -> tuple[float, float]:
    """Time the commits alone: they are numbered and encoded before the clock starts."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "sprint.db"
        store = new_store(path, durability, in_flight_max=events)
        log, commits, height = EventLog(store.log_id, 0, {}), [], 1
        while log.position < events:
            commits.append(make(log, height))
            height += len(commits[-1].events)
        all_in = threading.Event()

        def done(_: Sequence[Commit], error: StoreError | None) -> None:
            if error is not None:
                raise error
            if store.in_flight == 0:
                all_in.set()

        for commit in commits:
            store.submit(commit)
        start = time.perf_counter()
        store.start(done)
        if not all_in.wait(WAIT_S):
            raise SystemExit(f"not all in after {WAIT_S:.0f} s: {store!r}")
        taken_s = time.perf_counter() - start
        store.close()
        size = path.stat().st_size if path.exists() else 0
        return events / taken_s, size / events


def single_latency(folder: Path | None, durability: Durability) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        store = new_store(Path(place) / "sprint.db", durability, in_flight_max=1)
        log, taken_us = EventLog(store.log_id, 0, {}), []
        came = threading.Semaphore(0)
        ends: list[float] = []

        def done(_: Sequence[Commit], error: StoreError | None) -> None:
            ends.append(time.perf_counter())
            came.release()

        store.start(done)
        for height in range(1, SINGLES + 1):
            commit = block_commit(log, "bitcoin", height)
            start = time.perf_counter()
            store.submit(commit)
            came.acquire()
            taken_us.append((ends[-1] - start) * 1e6)
        store.close()
    taken_us.sort()
    return taken_us[SINGLES // 2], taken_us[SINGLES * 99 // 100], taken_us[-1]


def new_store(path: Path, durability: Durability, *, in_flight_max: int) -> SqliteStore:
    settings = StoreSettings(durability=durability, in_flight_max=in_flight_max)
    return open_store(path, settings, wall_clock=time.time, random_bytes=os.urandom)


if __name__ == "__main__":
    main()
