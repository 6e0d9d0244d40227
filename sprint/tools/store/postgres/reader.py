"""What is asked of the store in PostgreSQL, each question on a connection of a pool that only reads.

A question of several statements runs in one transaction that sees one moment. What waits for a connection
while none can be had is told why after a moment, rather than left to wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from sprint.core.errors import StoreError, StoreFailing
from sprint.core.relay.event_log import LoggedEvent, cursor_encoder
from sprint.tools.runtime import clock
from sprint.tools.store import ChainSnapshot, LogBounds, StoredBlock
from sprint.tools.store.postgres.link import Connection, Link
from sprint.tools.store.rows import block_row, logged_events, stored_block
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.transaction import hash_key

POOL_STEP_S = 0.2
# Whoever asks is told why no connection could be made; the pool would say so at each of its own tries too.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
_BOUNDS = """
SELECT log_id, position, coalesce((SELECT min(first_position) - 1 FROM sprint_core.event_days), position)
FROM sprint_core.log"""
# Within a day positions grow, and over the days: the partitions are read one after the other, as far as need
# be, each from the place in its index on.
_FIRST_DAY = """
SELECT log_id, position, coalesce(
    (SELECT max(day) FROM sprint_core.event_days WHERE first_position <= %(after)s + 1), '0001-01-01')
FROM sprint_core.log"""
_EVENTS = """
SELECT position, chain, seq, type, body, hash, height FROM sprint_core.events
WHERE day >= %(day)s AND (day, position) > (%(day)s, %(after)s)
AND position > %(after)s AND position <= %(upto)s
AND (%(chains)s::text[] IS NULL OR chain = ANY (%(chains)s::text[]))
AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
ORDER BY day, position LIMIT %(limit)s"""
_SNAPSHOT_BLOCKS = """
SELECT chain, hash, parent, height, work, header, state, canonical, record
FROM sprint_core.blocks WHERE chain = %s AND height >= %s ORDER BY height, number"""
_HEAD = "SELECT head, seq, stalled FROM sprint_core.heads WHERE chain = %s"
_TOP_HEIGHT = """
SELECT coalesce(
    (SELECT max(height) FROM sprint_core.blocks WHERE chain = %(chain)s AND hash = %(head)s),
    (SELECT max(height) FROM sprint_core.blocks WHERE chain = %(chain)s))"""
_BY_HASH = """
SELECT events.chain, events.hash, events.height, blocks.canonical, events.body
FROM sprint_core.events AS events JOIN sprint_core.blocks AS blocks
ON blocks.chain = events.chain AND blocks.height = events.height AND blocks.event_position = events.position
WHERE events.hash_key = %s AND events.hash = %s ORDER BY events.chain"""
# First the blocks, few, then the event of each: joined as they are, all events of all days would be read.
_CANONICAL_FROM_TOP = """
SELECT blocks.chain, event.hash, blocks.height, blocks.canonical, event.body
FROM (
    SELECT chain, height, canonical, event_day, event_position FROM sprint_core.blocks
    WHERE chain = %s AND height BETWEEN %s AND %s AND canonical
    AND event_position >= (SELECT min(first_position) FROM sprint_core.event_days)
    ORDER BY height DESC LIMIT %s
) AS blocks CROSS JOIN LATERAL (
    SELECT hash, body FROM sprint_core.events AS events
    WHERE events.day = blocks.event_day AND events.position = blocks.event_position
    LIMIT 1
) AS event
ORDER BY blocks.height DESC"""


class Reader:
    """Answers from the database of one log. `confirmed` tells the position that it goes to at least."""

    def __init__(
        self, link: Link, log_id: str, settings: StoreSettings, confirmed: Callable[[], int]
    ) -> None:
        self._link = link
        self._log_id = log_id
        self._confirmed = confirmed
        self._cursor = cursor_encoder(log_id)
        self._settings = settings
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            connection_class=_connection_class(link),
            kwargs={**link.parameters, "autocommit": True},
            configure=self._configure,
            check=ConnectionPool.check_connection,
            min_size=min(1, settings.readers),
            max_size=settings.readers,
            reconnect_timeout=0.0,  # whoever asks next tries again, and is told why it failed
            name=link.name,
            open=True,
        )

    def __repr__(self) -> str:
        return f"Reader({self._link!r}, log={self._log_id})"

    def close(self, timeout_s: float) -> None:
        """Close the connections that are free, and those that are lent when they come back."""
        self._pool.close(timeout_s)

    def snapshot(self, chain: str, blocks_max: int) -> ChainSnapshot:
        with self._one_moment() as connection:
            row = connection.execute(_HEAD, (chain,)).fetchone()
            head, seq, stalled = row or (None, 0, "")
            top = connection.execute(_TOP_HEIGHT, {"chain": chain, "head": head}).fetchone()
            lowest = ((top[0] if top else None) or 0) - blocks_max
            rows = connection.execute(_SNAPSHOT_BLOCKS, (chain, lowest), binary=True).fetchall()
        blocks = tuple(block_row(row) for row in rows)
        return ChainSnapshot(blocks=blocks, head=head, seq=seq, stalled=stalled)

    def bounds(self) -> LogBounds:
        position = self._confirmed()
        with self._borrowed() as connection:
            latest, earliest = self._own(connection.execute(_BOUNDS).fetchone(), position)
        return LogBounds(earliest, latest)

    def read_events(
        self, after: int, upto: int, chains: Collection[str], types: Collection[str], limit: int
    ) -> list[LoggedEvent]:
        wanted = {
            "after": after,
            "upto": upto,
            "chains": list(chains) or None,
            "types": list(types) or None,
            "limit": limit,
        }
        position = self._confirmed()
        with self._one_moment() as connection:
            _, wanted["day"] = self._own(connection.execute(_FIRST_DAY, wanted).fetchone(), position)
            rows = connection.execute(_EVENTS, wanted, binary=True).fetchall()
        return logged_events(rows, self._cursor)

    def block_by_hash(self, displayed_hash: str) -> list[StoredBlock]:
        return [stored_block(row) for row in self._ask(_BY_HASH, (hash_key(displayed_hash), displayed_hash))]

    def block_at(self, chain: str, height: int) -> StoredBlock | None:
        rows = self._ask(_CANONICAL_FROM_TOP, (chain, height, height, 1))
        return stored_block(rows[0]) if rows else None

    def blocks_before(self, chain: str, before: int, limit: int) -> list[StoredBlock]:
        return [stored_block(row) for row in self._ask(_CANONICAL_FROM_TOP, (chain, 0, before - 1, limit))]

    def _own(self, row: tuple[Any, ...] | None, position: int) -> tuple[Any, ...]:
        """Return what was asked beside the log's id; StoreFailing where it is not the log, or not all of it.

        Another relay may have begun a new one, or a standby have taken over that has not got all of this one.
        """
        if row is None or row[0] != self._log_id or row[1] < position:
            found = f"log {row[0]} up to {row[1]}" if row else "no log"
            raise StoreFailing(
                f"{self._link.place}: it holds {found}, want log {self._log_id} up to {position}; another "
                "server took its place, or another relay began a new log: restart the relay"
            )
        return row[1:]

    def _ask(self, question: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._borrowed() as connection:
            return connection.execute(question.encode(), values, binary=True).fetchall()

    @contextmanager
    def _one_moment(self) -> Iterator[Connection]:
        with self._borrowed() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _borrowed(self) -> Iterator[Connection]:
        try:
            connection = self._get()
            try:
                yield connection
            finally:
                self._pool.putconn(connection)
        except PoolClosed:
            raise StoreError("the store is closed") from None
        except psycopg.Error as error:
            raise self._link.failing(error) from error

    def _get(self) -> Connection:
        """Wait for a connection; StoreFailing where none can be made, or none comes back in time."""
        asked_at = clock()
        while True:
            try:
                return self._pool.getconn(POOL_STEP_S)
            except PoolTimeout:
                failed = self._link.last_failure
                if failed is not None and failed[0] >= asked_at:
                    raise self._link.failing(failed[1]) from failed[1]
                longest_s = self._settings.answer_timeout_s + 2 * self._settings.connect_timeout_s
                if clock() - asked_at > longest_s:
                    raise StoreFailing(
                        f"{self._link.place}: none of {self._settings.readers} connections came free within "
                        f"{longest_s:g} s; raise store.readers"
                    ) from None

    def _configure(self, connection: Connection) -> None:
        self._link.configure(connection)
        connection.execute("SET default_transaction_read_only = on")


def _connection_class(link: Link) -> type[Connection]:
    """Return a kind of connection that notes for the pool's users why one could not be made."""

    class Noting(Connection):
        @classmethod
        def connect(cls, *args: Any, **more: Any) -> Any:
            try:
                return super().connect(*args, **more)
            except psycopg.Error as error:
                link.last_failure = (clock(), error)
                raise

    return Noting
