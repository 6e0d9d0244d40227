"""Whether the log of a database goes on or a new one begins.

A log may go on only if nothing that a subscriber was given can be missing from it. With durability
`process` that holds while the machine stays up. A start after another boot, without a clean stop, therefore
opens a new log: its events, positions and seqs begin again under a new id. Blocks, their state and the
heads stay, so that the chain goes on from where it was and a `delivered` block is not delivered again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sprint.core.relay.event_log import LOG_ID_SIZE
from sprint.tools.store.settings import Durability

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id(file: Path = _BOOT_ID_FILE) -> str:
    """Return the id of this boot; empty where the system tells none, which never counts as the same boot."""
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""


def open_log(
    connection: sqlite3.Connection,
    *,
    durability: Durability,
    boot_id: str,
    random_bytes: Callable[[int], bytes],
    now_ms: int,
) -> str:
    """Go on with the log or begin a new one, and mark it as running. Returns the log's id.

    Call it with synced commits: if the mark could be lost, a power failure would look like a clean stop.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute(
            "SELECT log_id, durability, boot_id, clean_stop FROM sprint_core_log"
        ).fetchone()
        if row is None or not _may_go_on(*row[1:], boot_id_now=boot_id):
            log_id = random_bytes(LOG_ID_SIZE).hex()
            _begin(connection, log_id)
        else:
            log_id = row[0]
        connection.execute(
            "UPDATE sprint_core_log SET durability = ?, boot_id = ?, clean_stop = 0, touched_at_ms = ?",
            (durability, boot_id, now_ms),
        )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return str(log_id)


def mark_clean_stop(connection: sqlite3.Connection) -> None:
    """Say that the log was left whole, and bring it to disk."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("UPDATE sprint_core_log SET clean_stop = 1")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _may_go_on(durability: str, boot_id: str, clean_stop: int, *, boot_id_now: str) -> bool:
    return bool(clean_stop) or durability == "disk" or (boot_id != "" and boot_id == boot_id_now)


def _begin(connection: sqlite3.Connection, log_id: str) -> None:
    connection.execute("DELETE FROM sprint_core_events")
    connection.execute("UPDATE sprint_core_heads SET seq = 0, stalled = ''")
    # Positions begin again: an old one would point at a stranger's event.
    connection.execute("UPDATE sprint_core_blocks SET event_position = NULL WHERE event_position IS NOT NULL")
    connection.execute("DELETE FROM sprint_core_log")
    connection.execute("INSERT INTO sprint_core_log VALUES (1, ?, 0, '', '', 0, 0)", (log_id,))
