"""What is asked of the embedded store, each question on a borrowed connection.

A question of several statements runs in one read transaction, so that it sees one moment of the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import Any

from sprint.core.relay.event_log import LoggedEvent, cursor_encoder
from sprint.tools.store import ChainSnapshot, LogBounds, StoredBlock
from sprint.tools.store.connections import Connections, failing
from sprint.tools.store.rows import block_row, logged_events, stored_block
from sprint.tools.store.transaction import hash_key

_BOUNDS = """
SELECT coalesce((SELECT min(position) - 1 FROM sprint_core_events), position), position
FROM sprint_core_log"""
_EVENTS = """
SELECT position, chain, seq, type, body, hash, height FROM sprint_core_events
WHERE position > :after AND position <= :upto
AND (:chains IS NULL OR chain IN (SELECT value FROM json_each(:chains)))
AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
ORDER BY position LIMIT :limit"""
_SNAPSHOT_BLOCKS = """
SELECT chain, hash, parent, height, work, header, state, canonical, record
FROM sprint_core_blocks WHERE chain = ? AND height >= ? ORDER BY height, rowid"""
_TOP_HEIGHT = """
SELECT coalesce(
    (SELECT height FROM sprint_core_blocks
     WHERE chain = :chain AND hash = :head ORDER BY height DESC LIMIT 1),
    (SELECT max(height) FROM sprint_core_blocks WHERE chain = :chain))"""
_STORED = """
SELECT events.chain, events.hash, events.height, blocks.canonical, events.body
FROM sprint_core_events AS events JOIN sprint_core_blocks AS blocks
ON blocks.chain = events.chain AND blocks.height = events.height AND blocks.event_position = events.position
"""
_BY_HASH = _STORED + "WHERE events.hash_key = ? AND events.hash = ? ORDER BY events.chain"
_CANONICAL_FROM_TOP = """
SELECT blocks.chain, events.hash, blocks.height, blocks.canonical, events.body
FROM sprint_core_blocks AS blocks JOIN sprint_core_events AS events ON events.position = blocks.event_position
WHERE blocks.chain = ? AND blocks.height BETWEEN ? AND ? AND blocks.canonical = 1
ORDER BY blocks.height DESC LIMIT ?"""


class Reader:
    """Answers from the database of one log."""

    def __init__(self, connections: Connections, log_id: str, path: Path | None) -> None:
        self._connections = connections
        self._log_id = log_id
        self._cursor = cursor_encoder(log_id)
        self._path = path

    def __repr__(self) -> str:
        return f"Reader({self._log_id})"

    def snapshot(self, chain: str, blocks_max: int) -> ChainSnapshot:
        with self._one_moment() as connection:
            row = connection.execute(
                "SELECT head, seq, stalled FROM sprint_core_heads WHERE chain = ?", (chain,)
            ).fetchone()
            head, seq, stalled = row or (None, 0, "")
            (top,) = connection.execute(_TOP_HEIGHT, {"chain": chain, "head": head}).fetchone()
            rows = connection.execute(_SNAPSHOT_BLOCKS, (chain, (top or 0) - blocks_max)).fetchall()
        blocks = tuple(block_row(row) for row in rows)
        return ChainSnapshot(blocks=blocks, head=head, seq=seq, stalled=stalled)

    def bounds(self) -> LogBounds:
        return LogBounds(*self._ask(_BOUNDS, ())[0])

    def read_events(
        self, after: int, upto: int, chains: Collection[str], types: Collection[str], limit: int
    ) -> list[LoggedEvent]:
        wanted = {
            "after": after,
            "upto": upto,
            "chains": dumps(list(chains)) if chains else None,
            "types": dumps(list(types)) if types else None,
            "limit": limit,
        }
        return logged_events(self._ask(_EVENTS, wanted), self._cursor)

    def block_by_hash(self, displayed_hash: str) -> list[StoredBlock]:
        return [stored_block(row) for row in self._ask(_BY_HASH, (hash_key(displayed_hash), displayed_hash))]

    def block_at(self, chain: str, height: int) -> StoredBlock | None:
        rows = self._ask(_CANONICAL_FROM_TOP, (chain, height, height, 1))
        return stored_block(rows[0]) if rows else None

    def blocks_before(self, chain: str, before: int, limit: int) -> list[StoredBlock]:
        return [stored_block(row) for row in self._ask(_CANONICAL_FROM_TOP, (chain, 0, before - 1, limit))]

    def _ask(self, question: str, values: tuple[Any, ...] | dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._connections.borrow() as connection:
            try:
                return connection.execute(question, values).fetchall()
            except sqlite3.Error as error:
                raise failing(self._path, error) from error

    @contextmanager
    def _one_moment(self) -> Iterator[sqlite3.Connection]:
        with self._connections.borrow() as connection:
            try:
                connection.execute("BEGIN")
                yield connection
            except sqlite3.Error as error:
                raise failing(self._path, error) from error
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
