"""Durable events a second into SQLite and PostgreSQL beside plain drivers; start and replay of a long log.

    python -m tests.bench.bench_store [--events N] [--rounds N] [--log-events N] [--url postgresql://…]

`events alone` are commits of 100 events; `block deliveries` are commits of 100 events with the row of each
one's block, which is new. `catch-up` is what a relay that was away writes: the rows of all blocks with their
headers, then a commit for each block, whose row is there already. Peers write the same rows into the same
tables, in transactions as large and synced alike; ours also keeps its promise for each (order, seq, heads,
each block once). They take turns, and the best round of each counts. Without --url a PostgreSQL of the
benchmark's own is started, where there is one; the database of a URL is emptied.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from sprint.core.database_url import parse_database_url
from sprint.core.errors import StoreError
from sprint.core.relay.event_log import Commit, EventLog
from sprint.tools.store import Store
from sprint.tools.store.postgres.store import open_store as open_postgres
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.sqlite import open_store as open_sqlite
from tests.bench.bench_log import block_batch, event_batch
from tests.bench.rows import skip, tell
from tests.bench.store_long_log import REPLAY, START, long_postgres, long_sqlite
from tests.bench.store_peers import (
    GROUP_EVENTS,
    Rows,
    Taken,
    groups_of,
    into_asyncpg,
    into_psycopg,
    into_sqlite,
)
from tests.integration.postgres_server import PostgresServer
from tests.integration.real_servers import POSTGRES_PATH
from tests.tools.store.commits import block_commit, row

WAIT_S = 600.0
KINDS: dict[str, Callable[[EventLog, int], Commit]] = {
    "events alone": event_batch,
    "block deliveries": block_batch,
}
EXECUTEMANY, ASYNCPG = "executemany", "asyncpg's COPY"
OURS, BESIDE = "store, {}, {}", "store, {}, {}, beside {}"
_EMPTY = """
DROP SCHEMA IF EXISTS sprint_core, sprint_chains, sprint_enterprise, sprint_analytics, sprint_migrations
CASCADE"""
Measure = Callable[[], Taken]


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the stores")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--log-events", type=int, default=10_000_000)
    parser.add_argument("--url")
    options = parser.parse_args()
    print(f"commits of 100 events, transactions of up to {GROUP_EVENTS:,}, best of {options.rounds} rounds")
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as place:
            embedded(Path(place), kind, options.events, options.rounds)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "caught-up.db"
        caught_up("SQLite", lambda: opened_sqlite(path, options.events), options.events)
    with tempfile.TemporaryDirectory() as place:
        long_sqlite(Path(place) / "long.db", options.log_events)
    with server_url(options.url) as url:
        if url is None:
            skip_server()
            return
        for kind in KINDS:
            server(url, kind, options.events, options.rounds)
        empty(url)
        caught_up("PostgreSQL", lambda: opened_postgres(url, options.events), options.events)
        empty(url)
        long_postgres(url, options.log_events)


def embedded(folder: Path, kind: str, events: int, rounds: int) -> None:
    """Ours into SQLite beside executemany."""
    groups = groups_of(commits_of("00" * 8, kind, events))
    numbers = iter(range(2 * rounds))

    def ours() -> Taken:
        path = folder / f"{next(numbers)}.db"
        return measured_of(opened_sqlite(path, events), kind, events)

    def peer() -> Taken:
        path = folder / f"{next(numbers)}.db"
        opened_sqlite(path, events).close()
        return into_sqlite(path, groups)

    compare("SQLite", kind, events, rounds, {"ours": ours, EXECUTEMANY: peer})


def server(url: str, kind: str, events: int, rounds: int) -> None:
    """Ours into PostgreSQL beside psycopg's executemany and asyncpg's COPY."""
    groups = groups_of(commits_of("00" * 8, kind, events))

    def opened() -> Store:
        empty(url)
        return opened_postgres(url, events)

    def beside(write: Callable[[str, Sequence[Rows]], Taken]) -> Measure:
        def peer() -> Taken:
            opened().close()
            return write(url, groups)

        return peer

    ways = {"ours": lambda: measured_of(opened(), kind, events), EXECUTEMANY: beside(into_psycopg)}
    try:
        asyncpg: Any = importlib.import_module("asyncpg")
    except ImportError:
        skip(BESIDE.format("PostgreSQL", kind, ASYNCPG), "asyncpg is not installed")
    else:
        ways[ASYNCPG] = beside(lambda place, rows: asyncio.run(into_asyncpg(asyncpg, place, rows)))
    compare("PostgreSQL", kind, events, rounds, ways)


def compare(database: str, kind: str, events: int, rounds: int, ways: dict[str, Measure]) -> None:
    """Have each take its turn, `rounds` times, and tell the best of each."""
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())
    rates = {name: events / min(each.wall_s for each in runs) for name, runs in taken.items()}
    for name, runs in taken.items():
        every = ", ".join(f"{events / each.wall_s:,.0f}" for each in runs)
        cpu_us = min(each.cpu_s for each in runs) / events * 1e6
        print(
            f"{database:11}{kind:17}{name:15}{rates[name]:9,.0f}/s (rounds: {every}), "
            f"processor of this process {cpu_us:.1f} µs an event"
        )
    ours = rates.pop("ours")
    tell(OURS.format(database, kind), ours, ours=f"{ours:,.0f}/s")
    for name, rate in rates.items():
        tell(BESIDE.format(database, kind, name), ours / rate, ours=f"{ours:,.0f}/s", peer=f"{rate:,.0f}/s")


def skip_server() -> None:
    names = [OURS.format("PostgreSQL", kind) for kind in KINDS]
    names += [BESIDE.format("PostgreSQL", kind, peer) for kind in KINDS for peer in (EXECUTEMANY, ASYNCPG)]
    for name in (*names, START.format("PostgreSQL"), REPLAY.format("PostgreSQL")):
        skip(name, "no PostgreSQL here")


def settings(events: int) -> StoreSettings:
    return StoreSettings(in_flight_max=events)


def commits_of(log_id: str, kind: str, events: int) -> list[Commit]:
    log, commits = EventLog(log_id, 0, {}), []
    while log.position < events:
        commits.append(KINDS[kind](log, log.position + 1))
    return commits


def opened_sqlite(path: Path, events: int) -> Store:
    return open_sqlite(path, settings(events), wall_clock=time.time, random_bytes=os.urandom)


def opened_postgres(url: str, events: int) -> Store:
    where = parse_database_url(url)
    return open_postgres(where, settings(events), wall_clock=time.time, random_bytes=os.urandom)


def caught_up(database: str, opened: Callable[[], Store], events: int) -> None:
    """Tell how long the blocks of a catch-up take, whose rows came with their headers."""
    rows = [row("bitcoin", height, state="known", canonical=False) for height in range(1, events + 1)]
    step = StoreSettings().group_events_max
    starts = range(0, events, step)
    measured(opened(), [Commit("bitcoin", (), tuple(rows[start : start + step])) for start in starts])
    store = opened()
    log = EventLog(store.log_id, 0, {})
    # As the pipeline makes them: the row says that the block joins the best branch, and so does a flag.
    commits = [
        msgspec.structs.replace(commit, canonical=((commit.blocks[0].hash, True),))
        for commit in (block_commit(log, "bitcoin", height) for height in range(1, events + 1))
    ]
    taken = measured(store, commits)
    cpu_us = taken.cpu_s / events * 1e6
    print(
        f"{database:11}{'catch-up':17}{'ours':15}{events / taken.wall_s:9,.0f}/s, "
        f"processor of this process {cpu_us:.1f} µs an event"
    )


def measured_of(store: Store, kind: str, events: int) -> Taken:
    return measured(store, commits_of(store.log_id, kind, events))


def measured(store: Store, commits: Sequence[Commit]) -> Taken:
    """Time the commits alone: they are numbered and encoded before the clock starts."""
    all_in = threading.Event()
    refused: list[StoreError] = []

    def done(_: Sequence[Commit], error: StoreError | None) -> None:
        if error is not None:
            refused.append(error)
        if error is not None or store.in_flight == 0:
            all_in.set()

    for commit in commits:
        store.submit(commit)
    began = Taken.now()
    store.start(done)
    if not all_in.wait(WAIT_S) or refused:
        raise SystemExit(f"not all in: {store!r}: {refused or f'{WAIT_S:.0f} s are over'}")
    taken = began.since()
    store.close()
    return taken


def empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_EMPTY)


@contextlib.contextmanager
def server_url(given: str | None) -> Iterator[str | None]:
    """Give the URL of a database that may be emptied."""
    if given is not None or not POSTGRES_PATH.exists():
        yield given
        return
    own = PostgresServer(settings={"shared_buffers": "256MB", "max_wal_size": "2GB"})
    try:
        yield own.start().url(own.new_database())
    finally:
        own.remove()


if __name__ == "__main__":
    main()
