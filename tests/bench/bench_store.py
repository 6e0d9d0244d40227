"""Durable events a second into SQLite and PostgreSQL beside plain drivers; start and replay of a long log.

    python -m tests.bench.bench_store [--events N] [--log-events N] [--url postgresql://…]

Each peer writes the same rows of events, and nothing else, in transactions of as many rows; ours also keeps
its promise for each (order, seq, heads). The log for start and replay is filled by SQL. Without --url a
PostgreSQL of the benchmark's own is started, where there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from sprint.core.database_url import parse_database_url
from sprint.core.errors import StoreError
from sprint.core.relay.event_log import Commit, EventLog
from sprint.tools.store import Store
from sprint.tools.store.postgres.store import open_store as open_postgres
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.sqlite import open_store as open_sqlite
from tests.bench.bench_log import event_batch
from tests.bench.rows import skip, tell
from tests.integration.postgres_server import PostgresServer
from tests.integration.real_servers import POSTGRES_PATH

BATCH = 1_000
REPLAY_PAGE = 5_000
REPLAY_EVENTS = 500_000
WAIT_S = 600.0
SQLITE, POSTGRES = "store, SQLite, events in batches", "store, PostgreSQL, events in batches"
SQLITE_PEER = "store, SQLite beside executemany"
POSTGRES_PEER, ASYNCPG_PEER = (
    "store, PostgreSQL beside executemany",
    "store, PostgreSQL beside asyncpg's COPY",
)
START, REPLAY = "store, start with a long log", "store, replay from an old cursor"
_INSERT = "INSERT INTO events VALUES ({})"
_TABLE = (
    "CREATE TABLE events (position BIGINT PRIMARY KEY, chain TEXT, seq BIGINT, type TEXT, hash TEXT,"
    " height BIGINT, body {blob})"
)
_FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO sprint_core_events
SELECT n, 'bitcoin', n, 'header', NULL, NULL, n, 1000000000, CAST(printf('%0300d', n) AS BLOB) FROM numbers"""
Row = tuple[int, str, int, str, str | None, int | None, bytes]


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the stores")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--log-events", type=int, default=10_000_000)
    parser.add_argument("--url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        embedded(folder, options.events)
        long_log(folder / "long.db", options.log_events)
    with server_url(options.url) as url:
        if url is None:
            for name in (POSTGRES, POSTGRES_PEER, ASYNCPG_PEER):
                skip(name, "no PostgreSQL here")
            return
        server(url, options.events)


def embedded(folder: Path, events: int) -> None:
    """Ours into SQLite beside executemany on the same settings."""
    store = open_sqlite(folder / "ours.db", settings(events), wall_clock=time.time, random_bytes=os.urandom)
    rate = measure(store, events)
    peer = into_sqlite(folder / "peer.db", rows_of(events))
    print(f"SQLite       {rate:10,.0f} events/s, executemany {peer:,.0f} rows/s")
    tell(SQLITE, rate, ours=f"{rate:,.0f} events/s")
    tell(SQLITE_PEER, rate / peer, ours=f"{rate:,.0f}/s", peer=f"{peer:,.0f}/s")


def server(url: str, events: int) -> None:
    """Ours into PostgreSQL beside psycopg's executemany and asyncpg's COPY, each confirmed commit synced."""
    store = open_postgres(
        parse_database_url(url), settings(events), wall_clock=time.time, random_bytes=os.urandom
    )
    rate = measure(store, events)
    rows = rows_of(events)
    peer = into_psycopg(url, rows)
    print(f"PostgreSQL   {rate:10,.0f} events/s, psycopg executemany {peer:,.0f} rows/s")
    tell(POSTGRES, rate, ours=f"{rate:,.0f} events/s")
    tell(POSTGRES_PEER, rate / peer, ours=f"{rate:,.0f}/s", peer=f"{peer:,.0f}/s")
    try:
        asyncpg: Any = importlib.import_module("asyncpg")
    except ImportError:
        skip(ASYNCPG_PEER, "asyncpg is not installed")
        return
    copied = asyncio.run(into_asyncpg(asyncpg, url, rows))
    print(f"PostgreSQL   {rate:10,.0f} events/s, asyncpg COPY {copied:,.0f} rows/s")
    tell(ASYNCPG_PEER, rate / copied, ours=f"{rate:,.0f}/s", peer=f"{copied:,.0f}/s")


def long_log(path: Path, events: int) -> None:
    """Open a log of so many events, and read it from its beginning in pages, as a replay does."""
    made = open_sqlite(path, StoreSettings(), wall_clock=time.time, random_bytes=os.urandom)
    made.bind_chain("bitcoin", bytes(32))
    made.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(_FILL, (events,))
        connection.execute("UPDATE sprint_core_log SET position = ?", (events,))
        connection.execute("INSERT INTO sprint_core_heads VALUES ('bitcoin', NULL, ?, '')", (events,))
        connection.commit()
    began = time.perf_counter()
    store = open_sqlite(path, StoreSettings(), wall_clock=time.time, random_bytes=os.urandom)
    bounds, snapshot = store.bounds(), store.snapshot("bitcoin", 4_032)
    start_s = time.perf_counter() - began
    assert (bounds.latest, snapshot.seq) == (events, events)
    began, upto, after = time.perf_counter(), min(events, REPLAY_EVENTS), 0
    while after < upto:
        after = store.read_events(after, upto, (), (), REPLAY_PAGE)[-1].position
    rate = upto / (time.perf_counter() - began)
    store.close()
    size_gb = path.stat().st_size / 1e9
    print(f"{events:,} events, {size_gb:.1f} GB: open in {start_s:.3f} s, replay {rate:,.0f}/s")
    tell(START, start_s, ours=f"{start_s:.3f} s with {events:,} events")
    tell(REPLAY, rate, ours=f"{rate:,.0f} events/s")


def settings(events: int) -> StoreSettings:
    return StoreSettings(in_flight_max=events)


def measure(store: Store, events: int) -> float:
    """Time the commits alone: they are numbered and encoded before the clock starts."""
    log, commits = EventLog(store.log_id, 0, {}), []
    while log.position < events:
        commits.append(event_batch(log, log.position + 1))
    all_in = threading.Event()

    def done(_: Sequence[Commit], error: StoreError | None) -> None:
        if error is not None:
            raise SystemExit(f"the store refuses: {error}")
        if store.in_flight == 0:
            all_in.set()

    for commit in commits:
        store.submit(commit)
    began = time.perf_counter()
    store.start(done)
    if not all_in.wait(WAIT_S):
        raise SystemExit(f"not all in after {WAIT_S:.0f} s: {store!r}")
    taken_s = time.perf_counter() - began
    store.close()
    return events / taken_s


def rows_of(events: int) -> list[Row]:
    """The same events as plain rows."""
    log = EventLog("00" * 8, 0, {})
    rows: list[Row] = []
    while log.position < events:
        rows += [
            (each.position, each.chain, each.seq, each.type, each.hash, each.height, each.body)
            for each in event_batch(log, log.position + 1).events
        ]
    return rows


def timed(rows: Sequence[Row], write: Callable[[Sequence[Row]], None]) -> float:
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH):
        write(rows[start : start + BATCH])
    return len(rows) / (time.perf_counter() - began)


def into_sqlite(path: Path, rows: Sequence[Row]) -> float:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_TABLE.format(blob="BLOB"))

        def write(part: Sequence[Row]) -> None:
            connection.execute("BEGIN")
            connection.executemany(_INSERT.format(", ".join("?" * 7)), part)
            connection.execute("COMMIT")

        return timed(rows, write)


def into_psycopg(url: str, rows: Sequence[Row]) -> float:
    with psycopg.connect(url) as connection:
        connection.execute(_TABLE.format(blob="BYTEA").encode())
        connection.commit()

        def write(part: Sequence[Row]) -> None:
            connection.cursor().executemany(_INSERT.format(", ".join(["%s"] * 7)).encode(), part)
            connection.commit()

        rate = timed(rows, write)
        connection.execute("DROP TABLE events")
        return rate


async def into_asyncpg(asyncpg: Any, url: str, rows: Sequence[Row]) -> float:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_TABLE.format(blob="BYTEA"))
        began = time.perf_counter()
        for start in range(0, len(rows), BATCH):
            await connection.copy_records_to_table("events", records=rows[start : start + BATCH])
        taken_s = time.perf_counter() - began
        await connection.execute("DROP TABLE events")
        return len(rows) / taken_s
    finally:
        await connection.close()


@contextlib.contextmanager
def server_url(given: str | None) -> Iterator[str | None]:
    """Give the URL of an empty database."""
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
