"""Whether the log of a database goes on or a new one begins.

A log may go on only if nothing that a subscriber was given can be missing from it. With durability
`process` that holds while the machine stays up. A start after another boot, without a clean stop, therefore
opens a new log: its events, positions and seqs begin again under a new id. Blocks, their state and the
heads stay, so that the chain goes on from where it was and a `delivered` block is not delivered again. So
does a start on a file that was put back from a copy, which its high-water mark tells.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from sprint.core.relay.event_log import LOG_ID_SIZE
from sprint.tools.store.connections import PUT_BACK
from sprint.tools.store.high_water import HighWater
from sprint.tools.store.settings import Durability

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id(file: Path = _BOOT_ID_FILE) -> str:
    """Return the id of this boot; empty where the system tells none, which never counts as the same boot."""
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""


class Opening(msgspec.Struct, frozen=True):
    """How a store is opened, in either database."""

    durability: Durability
    now_ms: int
    random_bytes: Callable[[int], bytes]
    high_water: HighWater

    def new_log_id(self) -> str:
        return self.random_bytes(LOG_ID_SIZE).hex()


def open_log(connection: sqlite3.Connection, opening: Opening, *, boot_id: str) -> str:
    """Go on with the log or begin a new one, and mark it as running. Returns the log's id.

    Call it with synced commits: if the mark could be lost, a power failure would look like a clean stop.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute(
            "SELECT log_id, position, durability, boot_id, clean_stop FROM sprint_core_log"
        ).fetchone()
        if row is not None:
            _refuse_mixture(connection, row[1])
        if (
            row is not None
            and _is_whole(*row[2:], boot_id_now=boot_id)
            and opening.high_water.may_go_on(row[0], row[1])
        ):
            log_id, position = str(row[0]), int(row[1])
        else:
            log_id, position = opening.new_log_id(), 0
            _begin(connection, log_id)
        connection.execute(
            "UPDATE sprint_core_log SET durability = ?, boot_id = ?, clean_stop = 0, touched_at_ms = ?",
            (opening.durability, boot_id, opening.now_ms),
        )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    opening.high_water.follow(log_id, position)
    return log_id


def _refuse_mixture(connection: sqlite3.Connection, position: int) -> None:
    """Refuse a file that was put back beside the write-ahead log of the one that it replaced.

    SQLite takes that log for the file's own. Log and events are committed together, so they end together.
    """
    (newest,) = connection.execute("SELECT max(position) FROM sprint_core_events").fetchone()
    if newest is not None and newest != position:
        raise sqlite3.DatabaseError(
            f"the log reaches to position {position}, its events to {newest}; {PUT_BACK}"
        )


def mark_clean_stop(connection: sqlite3.Connection) -> None:
    """Say that the log was left whole, and bring it to disk."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("UPDATE sprint_core_log SET clean_stop = 1")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_whole(durability: str, boot_id: str, clean_stop: int, *, boot_id_now: str) -> bool:
    return bool(clean_stop) or durability == "disk" or (boot_id != "" and boot_id == boot_id_now)


def _begin(connection: sqlite3.Connection, log_id: str) -> None:
    connection.execute("DELETE FROM sprint_core_events")
    connection.execute("UPDATE sprint_core_heads SET seq = 0, stalled = ''")
    # Positions begin again: an old one would point at a stranger's event.
    connection.execute("UPDATE sprint_core_blocks SET event_position = NULL WHERE event_position IS NOT NULL")
    connection.execute("DELETE FROM sprint_core_log")
    connection.execute("INSERT INTO sprint_core_log VALUES (1, ?, 0, '', '', 0, 0)", (log_id,))
