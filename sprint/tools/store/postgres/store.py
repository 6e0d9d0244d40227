"""The store in PostgreSQL: one writer thread and its session, a pool of readers.

`open_store` takes the database's lock, brings its schema up to date or refuses it, decides whether its log
goes on or a new one begins (`identity`), and returns a `PostgresStore`, which is a `Store`. The order of
commits, tries and bounds are the same `writer`'s as the embedded store's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import msgspec
import psycopg
from psycopg.errors import DatatypeMismatch

from sprint.core.database_url import DatabaseUrl
from sprint.core.errors import StoreFailing, StoreForeign
from sprint.core.relay.event_log import Commit
from sprint.core.relay.records import Record
from sprint.tools.runtime import clock
from sprint.tools.store.high_water import HighWater
from sprint.tools.store.log_identity import Opening
from sprint.tools.store.log_store import CLOSE_STEP_S_MIN, LogStore, left_s
from sprint.tools.store.migrating.postgres_dialect import open_postgres
from sprint.tools.store.migrating.startup import bring_up
from sprint.tools.store.postgres.identity import is_synced, open_log, read_server_id
from sprint.tools.store.postgres.link import Connection, Link
from sprint.tools.store.postgres.lock import held_by, take
from sprint.tools.store.postgres.reader import Reader
from sprint.tools.store.postgres.session import Session
from sprint.tools.store.postgres.upkeep import Upkeep
from sprint.tools.store.record_sql import groups, upsert
from sprint.tools.store.settings import StoreSettings

_log = logging.getLogger(__name__)
_BIND = "INSERT INTO sprint_chains.parameters VALUES (%s, %s) ON CONFLICT (chain) DO NOTHING"
_BOUND = "SELECT genesis FROM sprint_chains.parameters WHERE chain = %s"


def open_store(
    url: DatabaseUrl,
    settings: StoreSettings,
    *,
    wall_clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    high_water: HighWater | None = None,
) -> PostgresStore:
    """Open the store in a database.

    StoreError if another relay has it, StoreMismatch if its schema is not one of this version's, StoreFailing
    if the server cannot be used. Without `high_water` a log that was put back is not noticed.
    """
    link = Link(url, settings)
    high_water = high_water or HighWater(None)
    with ExitStack() as undo:
        try:
            connection = link.connect()
            undo.callback(connection.close)
            take(connection, link)
            settings = _as_the_server_keeps_it(connection, link, settings)
            undo.callback(high_water.close)
            now_ms = int(wall_clock() * 1000)
            _migrate(url, settings, now_ms)
            with connection.transaction():
                opening = Opening(settings.durability, now_ms, random_bytes, high_water)
                open_log(connection, opening, server_id=read_server_id(connection))
            session = Session(link, connection, settings.durability, wall_clock)
            high_water.follow(session.log_id, session.position)
            store = PostgresStore(link, session, settings, wall_clock, high_water)
            undo.callback(store.close_readers)
            store.make_ahead()
        except psycopg.Error as error:
            raise link.failing(error) from error
        undo.pop_all()
    _log.info("the log is kept in %s", link.place)
    return store


def look_at(url: DatabaseUrl, settings: StoreSettings) -> str:
    """Reach a database and say what is there; StoreError where a relay could not be started on it."""
    link = Link(url, settings)
    began_s = clock()
    try:
        connection = link.connect()
        try:
            took_ms = (clock() - began_s) * 1000
            if connection.execute("SHOW transaction_read_only").fetchone() == ("on",):
                raise StoreFailing(f"{link.place}: it is read-only; name the primary in store.url")
            synced = is_synced(connection, settings.durability)
            holder = held_by(connection)
            version = connection.info.parameter_status("server_version")
        finally:
            connection.close()
    except psycopg.Error as error:
        raise link.failing(error) from error
    applied = _applied(url, settings)
    said = [f"{link.place}, version {version}, connected in {took_ms:.0f} ms", applied]
    said += [] if synced else ["commits are not synced: a crash of the server may lose some"]
    said += [f"in use by {holder}"] if holder else []
    return "; ".join(said)


class PostgresStore(LogStore[Reader, Upkeep]):
    """A `Store` in one PostgreSQL database. Made by `open_store`."""

    def __init__(
        self,
        link: Link,
        session: Session,
        settings: StoreSettings,
        wall_clock: Callable[[], float],
        high_water: HighWater,
    ) -> None:
        self._link = link
        self._session = session
        self._high_water = high_water
        super().__init__(
            Reader(link, session.log_id, settings, lambda: session.position),
            Upkeep(session, link, settings, wall_clock),
            settings,
        )

    def __repr__(self) -> str:
        return f"PostgresStore({self._link.place}, log={self.log_id}, in_flight={self.in_flight})"

    @property
    def log_id(self) -> str:
        return self._session.log_id

    def bind_chain(self, chain: str, genesis_hash: bytes) -> None:
        """Bind a chain's rows to its genesis; to be called before `start`."""
        try:
            with self._session.transaction() as connection:
                connection.execute(_BIND, (chain, genesis_hash))
                row = connection.execute(_BOUND, (chain,)).fetchone()
        except psycopg.Error as error:
            raise self._link.failing(error) from error
        if row is not None and row[0] != genesis_hash:
            raise StoreForeign(
                f"{self._link.place} holds {chain} with genesis {row[0].hex()}, configured is "
                f"{genesis_hash.hex()} (bytes as hashed); give another database"
            )

    def make_ahead(self) -> None:
        """Make the partitions of the days to come."""
        self._upkeep.make_ahead()

    def close_readers(self) -> None:
        """Close the connections that read."""
        self._reader.close(CLOSE_STEP_S_MIN)

    def _end(self, ends_at: float) -> None:
        try:
            self._finish_writing(ends_at)
            self._session.close(clean_within_s=left_s(ends_at))
        finally:
            self.close_readers()
            if self._writer.has_ended:
                self._session.close()
                self._high_water.close()

    def _write(self, commits: Sequence[Commit]) -> None:
        self._session.write(commits)
        self._high_water.note(self._session.position)

    def _keep_up(self, *, idle: bool) -> None:
        self._upkeep.run(idle=idle)
        self.records.run()

    def _write_records(self, records: Sequence[Record]) -> None:
        try:
            with self._session.transaction() as connection:
                for table, rows in groups(records):
                    connection.cursor().executemany(upsert(table, "postgres"), rows)
        except (psycopg.DataError, psycopg.IntegrityError, DatatypeMismatch) as error:
            raise ValueError(str(error)) from error
        except psycopg.Error as error:
            raise self._link.failing(error) from error


def _as_the_server_keeps_it(connection: Connection, link: Link, settings: StoreSettings) -> StoreSettings:
    """Return the settings; a server that doesn't sync what it confirms keeps no more than `memory` does."""
    if settings.durability == "memory" or is_synced(connection, settings.durability):
        return settings
    _log.warning(
        "%s runs with fsync off: a crash of its machine may lose what was confirmed, so that a new log "
        "follows a stop that is not clean",
        link.place,
    )
    return msgspec.structs.replace(settings, durability="memory")


def _applied(url: DatabaseUrl, settings: StoreSettings) -> str:
    """Say how far the schema is; StoreMismatch where a relay would refuse it."""
    database = open_postgres(url.secret)
    try:
        if not settings.auto_migrate:
            bring_up(database, now_ms=0, auto_migrate=False)
        applied = database.applied()
    finally:
        database.close()
    return f"schema {applied[-1].name}" if applied else "no schema yet"


def _migrate(url: DatabaseUrl, settings: StoreSettings, now_ms: int) -> None:
    database = open_postgres(url.secret)
    try:
        bring_up(database, now_ms=now_ms, auto_migrate=settings.auto_migrate)
    finally:
        database.close()
