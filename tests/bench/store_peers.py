"""Plain drivers that write what the stores write: the same rows into the same tables, in groups as large.

The tables and their indexes are those that the store's own migrations make. A driver keeps no promise beside
the transaction: nothing of order, heads and the log's place is looked at or written.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from sprint.core.relay.event_log import Commit
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.transaction import _Group

GROUP_EVENTS = StoreSettings().group_events_max
_EVENT_COLUMNS = (
    "position", "chain", "seq", "type", "hash", "hash_key", "height", "committed_at_ms", "body",
)  # fmt: skip
_BLOCK_COLUMNS = (
    "chain", "hash", "parent", "height", "work", "header", "state", "canonical", "record", "event_position",
)  # fmt: skip
_DAY_OF = {"events": "day", "blocks": "event_day"}
_INSERT = "INSERT INTO {table} ({columns}) VALUES ({marks})"


class Taken(NamedTuple):
    """What a run took: by the clock, and of the processor in this process, which load changes less."""

    wall_s: float
    cpu_s: float

    @classmethod
    def now(cls) -> Taken:
        return cls(time.perf_counter(), time.process_time())

    def since(self) -> Taken:
        return Taken(time.perf_counter() - self.wall_s, time.process_time() - self.cpu_s)


class Rows(NamedTuple):
    """The rows of one transaction."""

    events: Sequence[tuple[Any, ...]]
    blocks: Sequence[tuple[Any, ...]]

    def dated(self) -> list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
        """Return each table of PostgreSQL with its columns and rows; theirs have a day too."""
        today = datetime.now(UTC).date()
        tables = [("events", _EVENT_COLUMNS, self.events), ("blocks", _BLOCK_COLUMNS, self.blocks)]
        return [
            (name, (*columns, _DAY_OF[name]), [(*row, today) for row in rows])
            for name, columns, rows in tables
            if rows
        ]


def groups_of(commits: Sequence[Commit]) -> list[Rows]:
    """Gather the rows of commits in groups as large as the store's."""
    now_ms = int(time.time() * 1000)
    step = max(1, GROUP_EVENTS // len(commits[0].events))
    found = [_Group(commits[start : start + step], now_ms) for start in range(0, len(commits), step)]
    return [Rows(group.events, group.blocks) for group in found]


def into_sqlite(path: Path, groups: Sequence[Rows]) -> Taken:
    """Return what it took, with the same journal and syncing as the store's default."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        events, blocks = (
            _INSERT.format(table=f"sprint_core_{name}", columns=", ".join(columns), marks=marks(columns, "?"))
            for name, columns in (("events", _EVENT_COLUMNS), ("blocks", _BLOCK_COLUMNS))
        )
        began = Taken.now()
        for group in groups:
            connection.execute("BEGIN")
            connection.executemany(events, group.events)
            connection.executemany(blocks, group.blocks)
            connection.execute("COMMIT")
        return began.since()


def into_psycopg(url: str, groups: Sequence[Rows]) -> Taken:
    """Return what executemany took; each commit is confirmed when it is on the disk."""
    dated = [group.dated() for group in groups]
    with psycopg.connect(url) as connection:
        began = Taken.now()
        for group in dated:
            for name, columns, rows in group:
                text = _INSERT.format(
                    table=f"sprint_core.{name}", columns=", ".join(columns), marks=marks(columns, "%s")
                )
                connection.cursor().executemany(text.encode(), rows)
            connection.commit()
        return began.since()


async def into_asyncpg(asyncpg: Any, url: str, groups: Sequence[Rows]) -> Taken:
    """Return what COPY took; each commit is confirmed when it is on the disk."""
    dated = [group.dated() for group in groups]
    connection = await asyncpg.connect(url)
    try:
        began = Taken.now()
        for group in dated:
            async with connection.transaction():
                for name, columns, rows in group:
                    await connection.copy_records_to_table(
                        name, schema_name="sprint_core", columns=columns, records=rows
                    )
        return began.since()
    finally:
        await connection.close()


def marks(columns: Sequence[str], mark: str) -> str:
    return ", ".join([mark] * len(columns))
