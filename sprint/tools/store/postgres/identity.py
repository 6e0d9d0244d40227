"""Whether the log of a database goes on or a new one begins.

A log may go on only if nothing that a subscriber was given can be missing from it. PostgreSQL confirms a
commit when its write-ahead log is on the disk (`synchronous_commit` and `fsync` on), which outlives a crash
of the server. What it does not outlive is another server in its place: a standby that had not received all,
or a copy restored from a backup. `server_id` tells that apart: the cluster's identifier, the timeline, which
a promotion and a recovery to a point in time begin anew, and the numbers of the database and of the log's
table, which a copy and a restored dump give out anew. Where it is another one, and where commits were not
synced and the stop was not a clean one, a new log begins: events, positions and seqs begin again under a new
id, while blocks, their state and the heads stay.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from sprint.core.relay.event_log import LOG_ID_SIZE
from sprint.tools.store.postgres.days import Days, drop
from sprint.tools.store.postgres.link import Connection
from sprint.tools.store.settings import Durability

_SERVER = """
SELECT system_identifier || '.' || database.oid || '.' || 'sprint_core.log'::regclass::oid
FROM pg_control_system(), pg_database AS database WHERE datname = current_database()"""
# Some hosted servers have no such function, and no timelines of this kind.
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
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


def open_log(
    connection: Connection,
    *,
    durability: Durability,
    server_id: str,
    random_bytes: Callable[[int], bytes],
    now_ms: int,
) -> str:
    """Go on with the log or begin a new one, and mark it as running. Returns the log's id.

    In a transaction that is open and synced: if the mark could be lost, a crash would look like a clean stop.
    """
    row = connection.execute(
        "SELECT log_id, durability, server_id, clean_stop FROM sprint_core.log"
    ).fetchone()
    if row is None or row[2] != server_id or not (row[3] or row[1] != "memory"):
        log_id = random_bytes(LOG_ID_SIZE).hex()
        _begin(connection, log_id)
    else:
        log_id = str(row[0])
    connection.execute(_MARK_RUNNING, (durability, server_id, now_ms))
    return log_id


def _begin(connection: Connection, log_id: str) -> None:
    for day in Days.read(connection).existing:
        drop(connection, day)
    connection.execute("DELETE FROM sprint_core.event_days")
    connection.execute("UPDATE sprint_core.heads SET seq = 0, stalled = ''")
    # Positions begin again: an old one would point at a stranger's event.
    connection.execute(_CLEAR_BLOCKS)
    connection.execute("DELETE FROM sprint_core.log")
    connection.execute("INSERT INTO sprint_core.log VALUES (1, %s, 0, 0, '', '', false, 0)", (log_id,))
