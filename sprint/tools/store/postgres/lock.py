"""One relay per database: an advisory lock of the session that writes, and that ends with it."""

from __future__ import annotations

import time

from sprint.core.errors import StoreError
from sprint.tools.runtime import clock
from sprint.tools.store.postgres.link import Connection, Link

LOCK_KEY = 0x5350_5249_4E54_0001  # "SPRINT", 1
LOCK_WAIT_S = 2.0  # a relay that was killed just now leaves a session that ends within moments
LOCK_POLL_S = 0.02
_TRY = "SELECT pg_try_advisory_lock(%s)"
_HOLDER = """
SELECT activity.pid, coalesce(activity.application_name, ''),
    coalesce(host(activity.client_addr), 'local socket')
FROM pg_locks AS locks JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
WHERE locks.locktype = 'advisory' AND locks.granted AND locks.objsubid = 1
AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND locks.classid = %s AND locks.objid = %s"""


def take(connection: Connection, link: Link, *, wait_s: float = LOCK_WAIT_S) -> None:
    """Take the lock; StoreError names who has it.

    A session of our own that still has it, on a connection that we lost, is ended: what it was about to
    commit is then in or will never be.
    """
    until = clock() + wait_s
    while connection.execute(_TRY, (LOCK_KEY,)).fetchone() != (True,):
        pid, name, holder = _holder(connection)
        if name == link.name:
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        if clock() >= until:
            raise StoreError(
                f"{link.place} is in use by {holder or 'a session that just ended'}; stop that relay, or "
                "give this one a database of its own"
            )
        time.sleep(LOCK_POLL_S)


def held_by(connection: Connection) -> str:
    """Return who has the lock; empty where nobody does."""
    return _holder(connection)[2]


def _holder(connection: Connection) -> tuple[int, str, str]:
    """Return the holder's process on the server, the name of its session, and both in words."""
    row = connection.execute(_HOLDER, (LOCK_KEY >> 32, LOCK_KEY & 0xFFFF_FFFF)).fetchone()
    if row is None:
        return 0, "", ""
    pid, name, address = row
    return pid, name, f"{name or 'a session without a name'} from {address} (server process {pid})"
