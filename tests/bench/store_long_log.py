"""A log of millions of events, filled by SQL: how long a start takes on it, and how fast it is replayed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from sprint.core.database_url import parse_database_url
from sprint.tools.store import Store
from sprint.tools.store.postgres.store import open_store as open_postgres
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.sqlite import open_store as open_sqlite
from tests.bench.rows import tell

START, REPLAY = "store, start with a long log, {}", "store, replay from an old cursor, {}"
REPLAY_PAGE = 5_000
REPLAY_EVENTS = 500_000
_FILL_SQLITE = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO sprint_core_events
SELECT n, 'bitcoin', n, 'header', NULL, NULL, n, 1000000000, CAST(printf('%0300d', n) AS BLOB) FROM numbers"""
_FILL_POSTGRES = """
INSERT INTO sprint_core.events (day, position, chain, seq, type, height, committed_at_ms, body)
SELECT (now() AT TIME ZONE 'UTC')::date, n, 'bitcoin', n, 'header', n,
    extract(epoch FROM now())::bigint * 1000, convert_to(lpad(n::text, 300, '0'), 'UTF8')
FROM generate_series(1, %s) AS numbers (n)"""


def long_sqlite(path: Path, events: int) -> None:
    """Fill a file, then open and replay it."""

    def opened() -> Store:
        return open_sqlite(path, StoreSettings(), wall_clock=time.time, random_bytes=os.urandom)

    _bind(opened())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(_FILL_SQLITE, (events,))
        connection.execute("UPDATE sprint_core_log SET position = ?", (events,))
        connection.execute("INSERT INTO sprint_core_heads VALUES ('bitcoin', NULL, ?, '')", (events,))
        connection.commit()
    _measure("SQLite", opened, events)


def long_postgres(url: str, events: int) -> None:
    """Fill an empty database, then open and replay it."""

    def opened() -> Store:
        settings = StoreSettings()
        return open_postgres(parse_database_url(url), settings, wall_clock=time.time, random_bytes=os.urandom)

    _bind(opened())
    with psycopg.connect(url) as connection:
        connection.execute(_FILL_POSTGRES, (events,))
        connection.execute("INSERT INTO sprint_core.event_days VALUES ((now() AT TIME ZONE 'UTC')::date, 1)")
        connection.execute("UPDATE sprint_core.log SET position = %s", (events,))
        connection.execute("INSERT INTO sprint_core.heads VALUES ('bitcoin', NULL, %s, '')", (events,))
    _measure("PostgreSQL", opened, events)


def _bind(store: Store) -> None:
    store.bind_chain("bitcoin", bytes(32))
    store.close()


def _measure(database: str, opened: Callable[[], Store], events: int) -> None:
    """Open it, ask what a relay asks at its start, and read from the beginning in pages, as a replay does."""
    began = time.perf_counter()
    store = opened()
    bounds, snapshot = store.bounds(), store.snapshot("bitcoin", 4_032)
    start_s = time.perf_counter() - began
    assert (bounds.earliest, bounds.latest, snapshot.seq) == (0, events, events)
    began, began_cpu, upto, after = time.perf_counter(), time.process_time(), min(events, REPLAY_EVENTS), 0
    while after < upto:
        after = store.read_events(after, upto, (), (), REPLAY_PAGE)[-1].position
    rate = upto / (time.perf_counter() - began)
    each_us = (time.process_time() - began_cpu) / upto * 1e6
    store.close()
    print(
        f"{database:11}{events:,} events: open in {start_s:.3f} s, replay {rate:,.0f}/s, "
        f"{each_us:.1f} µs of this process an event"
    )
    tell(START.format(database), start_s, ours=f"{start_s:.3f} s with {events:,} events")
    tell(REPLAY.format(database), rate, ours=f"{rate:,.0f} events/s")
