"""One relay per database: an advisory lock of the session that writes, and that ends with it."""

from __future__ import annotations

import time
from typing import NamedTuple

from sprint.core.errors import StoreError, StoreFailing
from sprint.tools.runtime import clock
from sprint.tools.store.postgres.link import Connection, Link

LOCK_KEY = 0x5350_5249_4E54_0001  # "SPRINT", 1
LOCK_WAIT_S = 2.0  # a relay that was killed just now leaves a session that ends within moments
LOCK_POLL_S = 0.02
_TRY = "SELECT pg_try_advisory_lock(%s)"
_HOLDER = """
SELECT activity.pid, coalesce(activity.application_name, ''),
    coalesce(host(activity.client_addr), 'local socket'), coalesce(activity.wait_event, '') = 'SyncRep'
FROM pg_locks AS locks JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
WHERE locks.locktype = 'advisory' AND locks.granted AND locks.objsubid = 1
AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND locks.classid = %s AND locks.objid = %s"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND wait_event IS DISTINCT FROM 'SyncRep'"""


def take(connection: Connection, link: Link, *, wait_s: float = LOCK_WAIT_S) -> None:
    """Take the lock; StoreError names who has it.

    A session of our own that still has it, on a connection that we lost, is ended: what it was about to
    commit is then in or will never be. One whose commit waits for a standby is left to wait, as ending it
    would show what the standby has not: StoreFailing says so.
    """
    until = clock() + wait_s
    while connection.execute(_TRY, (LOCK_KEY,)).fetchone() != (True,):
        holder = _holder(connection)
        if holder is not None and holder.name == link.name:
            connection.execute(_END, (holder.pid,))
        if clock() >= until:
            raise _refusal(link, holder)
        time.sleep(LOCK_POLL_S)


def held_by(connection: Connection) -> str:
    """Return who has the lock; empty where nobody does."""
    holder = _holder(connection)
    return holder.words if holder else ""


class _Holder(NamedTuple):
    """Who has the lock: its process on the server, its session's name, whether it waits for a standby."""

    pid: int
    name: str
    address: str
    waits_for_standby: bool

    @property
    def words(self) -> str:
        waits = ", whose commit waits for a synchronous standby" if self.waits_for_standby else ""
        name = self.name or "a session without a name"
        return f"{name} from {self.address} (server process {self.pid}){waits}"


def _holder(connection: Connection) -> _Holder | None:
    row = connection.execute(_HOLDER, (LOCK_KEY >> 32, LOCK_KEY & 0xFFFF_FFFF)).fetchone()
    return _Holder(*row) if row else None


def _refusal(link: Link, holder: _Holder | None) -> StoreError:
    if holder is not None and holder.name == link.name and holder.waits_for_standby:
        return StoreFailing(
            f"{link.place}: the last commit waits for a synchronous standby (server process {holder.pid}); "
            "bring one back, or take it out of synchronous_standby_names"
        )
    return StoreError(
        f"{link.place} is in use by {holder.words if holder else 'a session that just ended'}; stop that "
        "relay, or give this one a database of its own"
    )
