"""The one connection that writes: held with the lock, made anew when it is lost, sure of what got in.

When a connection breaks during a commit nobody knows whether the commit is in. The log counts its
transactions, and the lock is only free once the old session has ended, so that the next connection can tell:
the count has grown by one, and the group is in, or it has not. A count that has grown by more, or a log that
is shorter than what was confirmed, is somebody else's writing or another server, and ends the writing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

from sprint.core.errors import StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.store.postgres import days as partitions
from sprint.tools.store.postgres.block_rows import Tops
from sprint.tools.store.postgres.days import Days
from sprint.tools.store.postgres.identity import read_server_id
from sprint.tools.store.postgres.link import Connection, Link, NoAnswer, NotReplicated
from sprint.tools.store.postgres.lock import take
from sprint.tools.store.postgres.transaction import Group, Turn, write_group
from sprint.tools.store.settings import Durability

_log = logging.getLogger(__name__)
_LOG = "SELECT log_id, written, position FROM sprint_core.log"
# A standby that took over with all that was confirmed is this log's server from now on. It is written each
# time: once that is confirmed, by a standby too where the server wants one, all before it in its log is.
_SERVER_IS = "UPDATE sprint_core.log SET server_id = %(server)s"
_SYNCHRONOUS: dict[Durability, str] = {"process": "on", "disk": "on", "memory": "off"}


class Session:
    """Writes to one log. One thread at a time uses it."""

    def __init__(
        self, link: Link, connection: Connection, durability: Durability, wall_clock: Callable[[], float]
    ) -> None:
        self._link = link
        self._connection: Connection | None = connection
        self._durability = durability
        self._wall_clock = wall_clock
        # `position` is the last that is confirmed; those who read look at it from their threads.
        self.log_id, self._written, self.position = self._read_log(connection)
        self.days = Days.read(connection)
        # What is stored of each chain, as far as that is known for sure.
        self._tops: Tops | None = None
        # The group whose commit may be in, and the first in the writer's line that are in. It still comes
        # with those, in groups of other sizes maybe: no loss on the way may have them forgotten.
        self._unsure: tuple[Commit, ...] = ()
        self._in_already: tuple[Commit, ...] = ()
        self._relax(connection)

    def __repr__(self) -> str:
        return f"Session({self._link!r}, log={self.log_id}, written={self._written})"

    def write(self, commits: Sequence[Commit]) -> None:
        """Write a group, on a new connection where the old one was lost; StoreFailing if that cannot be."""
        try:
            self._twice(lambda: self._try(commits))
        except (psycopg.Error, ArithmeticError, TypeError, ValueError) as error:
            raise self._link.failing(error) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend the connection for a transaction of upkeep; a psycopg.Error rolls it back."""
        connection = self._ready()
        with self._begun(connection):
            yield connection

    def close(self, *, clean_within_s: float | None = None) -> None:
        """Mark the stop as clean if that is told and can be done in time, free the lock, close.

        Nothing is lost without the mark; with durability `memory` the next start then begins a new log. A
        server that is not there is therefore not waited for.
        """
        try:
            if clean_within_s is not None:
                self._mark_clean_stop(clean_within_s)
        except psycopg.Error as error:
            _log.warning("the stop could not be marked as clean: %s", self._link.failing(error))
        finally:
            self._drop()

    def _twice(self, action: Callable[[], None]) -> None:
        """Do something, again where the connection was lost: the first to use it learns of that."""
        try:
            action()
        except psycopg.OperationalError as error:
            if isinstance(error, (NoAnswer, NotReplicated)) or not self._lost():
                raise
            action()

    def _mark_clean_stop(self, timeout_s: float) -> None:
        connection = self._connection
        if connection is None or connection.closed:
            raise psycopg.OperationalError("the connection is lost")
        connection.answer_s = min(connection.answer_s, timeout_s)
        connection.execute("SELECT set_config('synchronous_commit', 'on', false)")
        with self._begun(connection):
            connection.execute("UPDATE sprint_core.log SET clean_stop = true")

    def _try(self, commits: Sequence[Commit]) -> None:
        connection = self._ready()
        left = self._not_in_yet(commits)
        if not left:
            return
        now_s = self._wall_clock()
        day = self.days.due(now_s)
        group = Group(left, int(now_s * 1000))
        tops = self._tops = self._tops or Tops.read(connection)
        # Until the commit is confirmed, or is known to have been rolled back.
        self._unsure = tuple(left)
        try:
            with self._begun(connection):
                if day not in self.days.existing and group.events:
                    partitions.make(connection, day)
                write_group(connection, group, Turn(self.log_id, self._written, day), tops)
        except psycopg.errors.UniqueViolation:
            tops.distrust()
            raise
        self._confirmed()
        tops.grow(group.blocks.values())
        self.position = group.last_position or self.position
        if group.events:
            self.days.existing.add(day)
            self.days.newest = day

    def _not_in_yet(self, commits: Sequence[Commit]) -> list[Commit]:
        """Return those of a group that are to be written; those that left the line are forgotten."""
        known = self._in_already
        place = next((n for n, each in enumerate(known) if each is commits[0]), len(known))
        self._in_already = known[place:]
        return list(commits[len(self._in_already) :])

    def _confirmed(self) -> None:
        self._written += 1
        self._unsure = ()

    @contextmanager
    def _begun(self, connection: Connection) -> Iterator[None]:
        """Commit what is done within; where that raises roll it back, or drop a broken connection."""
        connection.execute("BEGIN")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):
                if not connection.closed:
                    connection.execute("ROLLBACK")
                    self._unsure = ()
            if connection.closed or connection.broken:
                self._drop()
            raise

    def _lost(self) -> bool:
        return self._connection is None or self._connection.closed

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ready(self) -> Connection:
        """Return the connection; where it was lost a new one, when it is sure where the log stands."""
        if self._connection is None or self._connection.closed:
            connection = self._link.connect()
            try:
                take(connection, self._link)
                self._relax(connection)
                self._resume(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _resume(self, connection: Connection) -> None:
        log_id, written, position = self._read_log(connection)
        got_in = bool(self._unsure) and written == self._written + 1
        if log_id != self.log_id or not (got_in or written == self._written):
            raise StoreFailing(
                f"{self._link.place}: this is not the log as it was left: log {log_id}, {written} "
                f"transactions; left at log {self.log_id}, {self._written}. Another server took its place, "
                "or somebody else wrote to it; restart the relay: it takes up that log or begins a new one"
            )
        # Only what is confirmed is in: a session that was ended while it waited for a standby leaves more.
        connection.execute(_SERVER_IS, {"server": read_server_id(connection)})
        if got_in:
            self._in_already += self._unsure
            self._written += 1
            self.position = position
        self._unsure = ()
        self._tops = None
        self.days = Days.read(connection)

    def _read_log(self, connection: Connection) -> tuple[str, int, int]:
        row = connection.execute(_LOG).fetchone()
        return (str(row[0]), int(row[1]), int(row[2])) if row is not None else ("none", 0, 0)

    def _relax(self, connection: Connection) -> None:
        connection.execute(
            "SELECT set_config('synchronous_commit', %s, false)", (_SYNCHRONOUS[self._durability],)
        )
