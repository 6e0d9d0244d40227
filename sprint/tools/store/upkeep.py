"""What the writer does between commits: checkpoints and bounded deletes of what is too old.

A checkpoint moves the write-ahead log into the database file and syncs. When nothing has come for a while
the writer makes one itself. Under load, when the log has grown past its limit, a thread with a connection
of its own moves the bulk while commits go on; the writer then moves the little that came meanwhile, after
which the log starts over. The first write after that syncs the emptied log, so the upkeep makes that write
itself and no event pays for it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from sprint.tools.store import record_sql
from sprint.tools.store.settings import StoreSettings

CHECKPOINT_ROUNDS_MAX = 4
CHECKPOINT_PAGES_FEW = 256
RESTART_SLACK_BLOCKS = 1_024  # a head that a reorg moved lower loads blocks from lower too
_log = logging.getLogger(__name__)
_DELETE_BLOCKS = """
DELETE FROM sprint_core_blocks WHERE rowid IN (
    SELECT rowid FROM sprint_core_blocks WHERE chain = ? AND height < ? ORDER BY height LIMIT ?)
AND (event_position IS NULL OR event_position <= ?)"""
_HEAD_HEIGHTS = """
SELECT heads.chain, (
    SELECT height FROM sprint_core_blocks AS blocks
    WHERE blocks.chain = heads.chain AND blocks.hash = heads.head ORDER BY height DESC LIMIT 1)
FROM sprint_core_heads AS heads"""


class Upkeep:
    """Keeps one database in shape; runs on the writer's thread and connection."""

    def __init__(
        self,
        path: Path | None,
        settings: StoreSettings,
        wall_clock: Callable[[], float],
        checkpointing: sqlite3.Connection | None,
    ) -> None:
        self._wal = None if path is None else path.with_name(path.name + "-wal")
        self._settings = settings
        self._wall_clock = wall_clock
        self._retention_due_s = wall_clock() + settings.retention_interval_s
        self._checkpointing = checkpointing
        self._thread = ThreadPoolExecutor(1, "sprint-store-checkpoint")
        self._bulk: Future[None] | None = None
        self._checkpoint_at_bytes = settings.wal_bytes_max
        self._changes_at_checkpoint = 0
        self._trouble = ""

    def keep_blocks(self, blocks_max: int) -> None:
        """Keep what a restart loads, blocks `blocks_max` below a head, whatever the settings say."""
        keep = max(self._settings.blocks_keep, blocks_max + RESTART_SLACK_BLOCKS)
        self._settings = msgspec.structs.replace(self._settings, blocks_keep=keep)

    def run(self, connection: sqlite3.Connection, *, idle: bool) -> None:
        """Do what is due. A failure is logged once and tried again at the next turn."""
        try:
            if self._retention_is_due(idle=idle):
                self._retain(connection)
            self._keep_wal_short(connection, idle=idle)
        except (sqlite3.Error, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("upkeep of the store failed, it is tried again: %s", error)
        else:
            self._trouble = ""

    def _retention_is_due(self, *, idle: bool) -> bool:
        """Wait for an idle moment, but at most one interval more, for a log that never rests."""
        now_s, interval_s = self._wall_clock(), self._settings.retention_interval_s
        # What a clock that was ahead has put off is not waited for.
        self._retention_due_s = min(self._retention_due_s, now_s + interval_s)
        return now_s >= self._retention_due_s + (0.0 if idle else interval_s)

    def _retain(self, connection: sqlite3.Connection) -> None:
        """Delete one bounded step; the next turn goes on at once while there is more."""
        now_s = self._wall_clock()
        deleted = delete_expired(connection, self._settings, now_s)
        if deleted < self._settings.delete_rows_max:
            self._retention_due_s = now_s + self._settings.retention_interval_s

    def close(self) -> None:
        """Break off a checkpoint that runs, close its connection. Again is harmless."""
        if self._checkpointing is not None:
            self._checkpointing.interrupt()
        self._thread.shutdown()
        if self._checkpointing is not None:
            self._checkpointing.close()
            self._checkpointing = None

    def _keep_wal_short(self, connection: sqlite3.Connection, *, idle: bool) -> None:
        if self._wal is None or self._checkpointing is None:
            return
        if self._bulk is not None:
            if self._bulk.done():
                bulk, self._bulk = self._bulk, None
                bulk.result()
                self._finish_checkpoint(connection)
        elif idle:
            if connection.total_changes != self._changes_at_checkpoint:
                self._finish_checkpoint(connection)
        elif self._wal_bytes() >= self._checkpoint_at_bytes:
            self._bulk = self._thread.submit(_checkpoint_most, self._checkpointing)

    def _finish_checkpoint(self, connection: sqlite3.Connection) -> None:
        _checkpoint(connection)
        connection.execute("UPDATE sprint_core_log SET touched_at_ms = ?", (int(self._wall_clock() * 1000),))
        self._changes_at_checkpoint = connection.total_changes
        # A reader may keep the log from starting over; then wait for as much again before the next try.
        kept = max(self._wal_bytes() - self._settings.wal_bytes_kept, 0)
        self._checkpoint_at_bytes = kept + self._settings.wal_bytes_max

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size if self._wal is not None else 0
        except FileNotFoundError:
            return 0


def _checkpoint_most(connection: sqlite3.Connection) -> None:
    """Make checkpoints until one finds little: under load as much comes during the first as it took away.

    What is left then is the writer's to do, and commits wait for that.
    """
    done_before = 0
    for _ in range(CHECKPOINT_ROUNDS_MAX):
        done = _checkpoint(connection)
        if done - done_before <= CHECKPOINT_PAGES_FEW:
            return
        done_before = done


def _checkpoint(connection: sqlite3.Connection) -> int:
    """Copy what is committed from the log into the file; return how many of the log's pages are in it."""
    ((_, _, done),) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return int(done)


def delete_expired(connection: sqlite3.Connection, settings: StoreSettings, now_s: float) -> int:
    """Delete at most `delete_rows_max` events that are too old, then as many blocks, and of each record.

    Events go from the oldest on, so that what is kept is always one unbroken range. A block goes when its
    event is gone and it lies deeper than `blocks_keep` below its chain's head. Returns the largest count.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        deleted = _delete_events(connection, settings, now_s)
        for chain, height in connection.execute(_HEAD_HEIGHTS).fetchall():
            if height is not None:
                deleted = max(deleted, _delete_blocks(connection, settings, chain, height))
        for table, oldest_kept_ms in record_sql.retention(settings, now_s):
            statement = record_sql.delete_expired(table, "sqlite")
            gone = connection.execute(statement, (oldest_kept_ms, settings.delete_rows_max)).rowcount
            deleted = max(deleted, gone)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return deleted


def _delete_events(connection: sqlite3.Connection, settings: StoreSettings, now_s: float) -> int:
    oldest_kept_ms = (now_s - settings.history_s) * 1000
    last = None
    for position, committed_at_ms in connection.execute(
        "SELECT position, committed_at_ms FROM sprint_core_events ORDER BY position LIMIT ?",
        (settings.delete_rows_max,),
    ):
        if committed_at_ms >= oldest_kept_ms:
            break
        last = position
    if last is None:
        return 0
    return connection.execute("DELETE FROM sprint_core_events WHERE position <= ?", (last,)).rowcount


def _delete_blocks(
    connection: sqlite3.Connection, settings: StoreSettings, chain: str, head_height: int
) -> int:
    oldest = connection.execute("SELECT min(position) FROM sprint_core_events").fetchone()[0]
    if oldest is None:
        oldest = connection.execute("SELECT position + 1 FROM sprint_core_log").fetchone()[0]
    return connection.execute(
        _DELETE_BLOCKS, (chain, head_height - settings.blocks_keep, settings.delete_rows_max, oldest - 1)
    ).rowcount
