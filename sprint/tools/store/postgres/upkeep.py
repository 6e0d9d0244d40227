"""What the writer does between commits: partitions made ahead, days and blocks dropped that are too old.

A day goes whole, the oldest first, when it is over and its newest event is older than the history that is
kept; so what is kept is one unbroken range, between the history and a day more of it. A drop that cannot have
its lock within a moment, since somebody reads, is tried again at the next turn: commits must not wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec
import psycopg

from sprint.core.errors import StoreError
from sprint.tools.store.postgres import days as partitions
from sprint.tools.store.postgres.link import Connection, Link
from sprint.tools.store.postgres.session import Session
from sprint.tools.store.record_sql import delete_expired, retention
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.upkeep import RESTART_SLACK_BLOCKS

DROP_LOCK_WAIT_MS = 100
DROPS_MAX = 8  # in one turn
DAYS_AHEAD_WARNED = 2  # one is what a clock that is moments ahead makes at midnight
_log = logging.getLogger(__name__)
_OLDEST = "SELECT day FROM sprint_core.event_days ORDER BY day LIMIT %s"
_NEWEST_OF_DAY = """
SELECT committed_at_ms FROM sprint_core.events WHERE day = %s ORDER BY position DESC LIMIT 1"""
_HEAD_HEIGHTS = """
SELECT heads.chain, max(blocks.height) FROM sprint_core.heads AS heads
JOIN sprint_core.blocks AS blocks ON blocks.chain = heads.chain AND blocks.hash = heads.head
GROUP BY heads.chain"""
_DELETE_BLOCKS = """
DELETE FROM sprint_core.blocks WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM sprint_core.blocks WHERE chain = %s AND height < %s
    AND (event_position IS NULL OR event_position <= (
        SELECT coalesce((SELECT min(first_position) - 1 FROM sprint_core.event_days), position)
        FROM sprint_core.log))
    ORDER BY height LIMIT %s))"""
_TOUCH = "UPDATE sprint_core.log SET touched_at_ms = %s"


class Upkeep:
    """Keeps one database in shape; runs on the writer's thread and connection."""

    def __init__(
        self, session: Session, link: Link, settings: StoreSettings, wall_clock: Callable[[], float]
    ) -> None:
        self._session = session
        self._link = link
        self._settings = settings
        self._wall_clock = wall_clock
        self._due_s = wall_clock() + settings.retention_interval_s
        self._trouble = ""
        self._ahead_warned: date | None = None

    def keep_blocks(self, blocks_max: int) -> None:
        """Keep what a restart loads, blocks `blocks_max` below a head, whatever the settings say."""
        keep = max(self._settings.blocks_keep, blocks_max + RESTART_SLACK_BLOCKS)
        self._settings = msgspec.structs.replace(self._settings, blocks_keep=keep)

    def run(self, *, idle: bool) -> None:
        """Do what is due. A failure is logged once and tried again at the next turn."""
        now_s = self._wall_clock()
        # What a clock that was ahead has put off is not waited for.
        self._due_s = min(self._due_s, now_s + self._settings.retention_interval_s)
        patience_s = 0.0 if idle else self._settings.retention_interval_s
        if now_s < self._due_s + patience_s:
            return
        try:
            self.turn()
        except (psycopg.Error, StoreError) as error:
            said = str(self._link.failing(error) if isinstance(error, psycopg.Error) else error)
            if said != self._trouble:
                self._trouble = said
                _log.warning("upkeep of the store failed, it is tried again: %s", said)
            self._due_s = self._wall_clock() + self._settings.retention_interval_s
        else:
            self._trouble = ""

    def turn(self) -> None:
        """Make what is missing ahead, then delete one bounded step; the next turn goes on."""
        now_s = self._wall_clock()
        self.make_ahead()
        self._warn_of_days_ahead(now_s)
        with self._session.transaction() as connection:
            connection.execute(_TOUCH, (int(now_s * 1000),))
            deleted = max(self._delete_blocks(connection), self._delete_records(connection, now_s))
        dropped = self._drop_days(now_s)
        if deleted < self._settings.delete_rows_max and dropped < DROPS_MAX:
            self._due_s = now_s + self._settings.retention_interval_s

    def make_ahead(self) -> None:
        """Make the partitions of the days to come, each in a transaction of its own."""
        for day in self._session.days.missing(self._wall_clock()):
            with self._session.transaction() as connection:
                partitions.make(connection, day)
            self._session.days.existing.add(day)

    def _warn_of_days_ahead(self, now_s: float) -> None:
        """Say once that a clock was ahead: the day that it showed takes all events until it comes."""
        newest, today = self._session.days.newest, datetime.fromtimestamp(now_s, UTC).date()
        if newest is None or newest == self._ahead_warned or (newest - today).days < DAYS_AHEAD_WARNED:
            return
        self._ahead_warned = newest
        _log.warning(
            "%s: the newest events lie in the day %s, %d days ahead of the clock (%s), as a clock was ahead "
            "once; all that come go there and none of them is deleted before that day is over. Set the clock "
            "right if it is wrong; else watch the disk, or begin a new log: sprint migrate repair --new-log",
            self._link.place,
            newest,
            (newest - today).days,
            today,
        )

    def _drop_days(self, now_s: float) -> int:
        """Drop days that nothing came on and the oldest while they are too old; at most `DROPS_MAX`."""
        dropped = 0
        while dropped < DROPS_MAX:
            with self._session.transaction() as connection:
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{DROP_LOCK_WAIT_MS}ms",))
                day = self._session.days.unused(connection, now_s)
                if day is None:
                    day = _expired(connection, self._settings.history_s, now_s)
                if day is None:
                    return dropped
                partitions.drop(connection, day)
            self._session.days.existing.discard(day)
            dropped += 1
        return dropped

    def _delete_blocks(self, connection: Connection) -> int:
        most = 0
        for chain, height in connection.execute(_HEAD_HEIGHTS).fetchall():
            lowest = height - self._settings.blocks_keep
            values = (chain, lowest, self._settings.delete_rows_max)
            most = max(most, connection.execute(_DELETE_BLOCKS, values).rowcount)
        return most

    def _delete_records(self, connection: Connection, now_s: float) -> int:
        most = 0
        for table, oldest_kept_ms in retention(self._settings, now_s):
            values = (oldest_kept_ms, self._settings.delete_rows_max)
            most = max(most, connection.execute(delete_expired(table, "postgres"), values).rowcount)
        return most


def _expired(connection: Connection, history_s: float, now_s: float) -> date | None:
    """Return the oldest day if it is over and too old.

    Its newest event tells how old it is; where that was written by a clock that was far behind, the day does.
    """
    row = connection.execute(_OLDEST, (1,)).fetchone()
    day: date | None = row[0] if row else None
    if day is None or day >= datetime.fromtimestamp(now_s, UTC).date():
        return None
    newest = connection.execute(_NEWEST_OF_DAY, (day,)).fetchone()
    began_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    newest_ms = max(began_ms, newest[0] if newest else 0)
    return day if newest_ms < (now_s - history_s) * 1000 else None
