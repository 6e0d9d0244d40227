"""Whether the log of a database goes on or a new one begins.

A log may go on only if nothing that a subscriber was given can be missing from it. PostgreSQL confirms a
commit when its write-ahead log is on the disk (`synchronous_commit` and `fsync` on), which outlives a crash
of the server. What it does not outlive is another server in its place: a standby that had not received all,
or a copy restored from a backup. `server_id` tells that apart: the cluster's identifier, the timeline, which
a promotion and a recovery to a point in time begin anew, and the numbers of the database and of the log's
table, which a copy and a restored dump give out anew. Where it is another one, and where commits were not
synced and the stop was not a clean one, a new log begins: events, positions and seqs begin again under a new
id, while blocks, their state and the heads stay. So it does where the log is shorter than its high-water mark
says: a base backup or a snapshot that was put back without a new timeline looks like the server it was.
"""

from __future__ import annotations

from typing import Any

import psycopg

from sprint.tools.store.log_identity import Opening
from sprint.tools.store.postgres.days import Days, drop
from sprint.tools.store.postgres.link import Connection
from sprint.tools.store.settings import Durability

_SERVER = """
SELECT system_identifier || '.' || database.oid || '.' || 'sprint_core.log'::regclass::oid
FROM pg_control_system(), pg_database AS database WHERE datname = current_database()"""
# Some hosted servers have no such function, and no timelines of this kind.
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
_LEFT = "SELECT log_id, position, durability, server_id, clean_stop FROM sprint_core.log"
_MARK_RUNNING = """
UPDATE sprint_core.log SET durability = %s, server_id = %s, clean_stop = false, touched_at_ms = %s"""
_CLEAR_BLOCKS = """
UPDATE sprint_core.blocks SET event_position = NULL, event_day = NULL WHERE event_position IS NOT NULL"""


def read_server_id(connection: Connection) -> str:
    """Return what tells this server's log from a copy of it."""
    row = connection.execute(_SERVER).fetchone()
    try:
        timeline = connection.execute(_TIMELINE).fetchone()
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFunction):
        timeline = None
    return f"{row[0] if row else ''}.{timeline[0] if timeline else ''}"


def is_synced(connection: Connection, durability: Durability) -> bool:
    """Tell whether a commit is on the disk when it is confirmed."""
    fsync = connection.execute("SHOW fsync").fetchone()
    return durability != "memory" and fsync == ("on",)


def open_log(connection: Connection, opening: Opening, *, server_id: str) -> None:
    """Go on with the log or begin a new one, and mark it as running.

    In a transaction that is open and synced: if the mark could be lost, a crash would look like a clean stop.
    """
    row = connection.execute(_LEFT).fetchone()
    if row is None or not (_is_whole(row, server_id) and opening.high_water.may_go_on(row[0], row[1])):
        _begin(connection, opening.new_log_id())
    connection.execute(_MARK_RUNNING, (opening.durability, server_id, opening.now_ms))


def _is_whole(row: tuple[Any, ...], server_id: str) -> bool:
    _, _, durability, known_server, clean_stop = row
    return bool(known_server == server_id and (clean_stop or durability != "memory"))


def _begin(connection: Connection, log_id: str) -> None:
    for day in Days.read(connection).existing:
        drop(connection, day)
    connection.execute("DELETE FROM sprint_core.event_days")
    connection.execute("UPDATE sprint_core.heads SET seq = 0, stalled = ''")
    # Positions begin again: an old one would point at a stranger's event.
    connection.execute(_CLEAR_BLOCKS)
    connection.execute("DELETE FROM sprint_core.log")
    connection.execute("INSERT INTO sprint_core.log VALUES (1, %s, 0, 0, '', '', false, 0)", (log_id,))
