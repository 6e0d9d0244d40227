"""PostgreSQL as a database that is migrated: an advisory lock, and nobody waited for without an end.

The lock is taken on a connection of its own in autocommit, by `pg_try_advisory_lock` and again: a blocking
`pg_advisory_lock` would hold a snapshot open for as long as it waits, and an index that another migrator
builds concurrently waits for all of those. It ends with its connection, however the migrator ends.

A name without its schema is refused (`search_path` is empty), so that nobody's own setting decides where a
table comes to stand.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, LiteralString, NamedTuple

import psycopg
from msgspec.structs import astuple
from psycopg import conninfo

from sprint.core.errors import StoreError, StoreFailing
from sprint.core.migrate.order import Applied
from sprint.core.migrate.schema import Schema
from sprint.core.migrate.tokens import Dialect
from sprint.tools.runtime import clock, wall_clock
from sprint.tools.store.migrating import LOCK_POLL_S, STATEMENT_LOCK_WAIT_S, Refused, Tell
from sprint.tools.store.migrating.postgres_encoding import ENCODING, refuse_other_encoding
from sprint.tools.store.migrating.postgres_schema import read_schema
from sprint.tools.store.postgres.lock import LOCK_KEY as RELAY_LOCK_KEY

Connection = psycopg.Connection[tuple[Any, ...]]
# The key of the advisory lock, 64 bits; seen in pg_locks as two halves.
LOCK_KEY = int.from_bytes(b"sprintmg")
CONNECT_TIMEOUT_S = 10
SHADOW_PREFIX = "sprint_shadow_"
SHADOW_LEFT_OVER_S = 3_600

_SESSION: tuple[LiteralString, ...] = (
    "SET search_path = ''",
    "SET client_min_messages = warning",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET standard_conforming_strings = on",
    "SET client_encoding = 'UTF8'",
)
# Else a server goes on with the statement of a migrator that was killed, and holds its locks so long.
CLIENT_CHECK_SINCE = 140_000
_CLIENT_CHECK: LiteralString = "SET client_connection_check_interval = '1s'"
# Of the locales C is the one that goes with any encoding, whatever the server's templates have.
_CREATE_SHADOW = (
    f"CREATE DATABASE \"%s\" TEMPLATE template0 ENCODING '{ENCODING}' LC_COLLATE 'C' LC_CTYPE 'C'"
)
_CREATE_APPLIED: tuple[LiteralString, ...] = (
    # IF NOT EXISTS would want the right to make schemas also where an administrator has made this one.
    """
    DO $$ BEGIN
        IF to_regnamespace('sprint_migrations') IS NULL THEN CREATE SCHEMA sprint_migrations; END IF;
    END $$""",
    """
    CREATE TABLE IF NOT EXISTS sprint_migrations.applied (
        version integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at_ms bigint NOT NULL,
        running text NOT NULL DEFAULT ''
    )""",
    # Two that both believe to hold the lock, as through a pooler that changes sessions, wait for each other.
    "LOCK TABLE sprint_migrations.applied IN SHARE ROW EXCLUSIVE MODE",
)
_READ_APPLIED = """
SELECT version, name, checksum, applied_at_ms, running FROM sprint_migrations.applied ORDER BY version"""
_RECORD = """
INSERT INTO sprint_migrations.applied (version, name, checksum, applied_at_ms, running)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (version) DO UPDATE SET name = excluded.name, checksum = excluded.checksum,
    applied_at_ms = excluded.applied_at_ms, running = excluded.running"""
# A log goes on only on the server that it names, and no server has this name.
_ASK_FOR_NEW_LOG = "UPDATE sprint_core.log SET server_id = '' RETURNING log_id"
_HOLDER = """
SELECT l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), coalesce(host(a.client_addr), 'local')
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid = %s::bigint::oid AND l.objid = %s::bigint::oid"""


class Place(NamedTuple):
    """Where a database is: what is connected to, and how that is told."""

    url: str
    address: str
    shadow_url: str | None = None
    statement_lock_wait_s: float = STATEMENT_LOCK_WAIT_S


class PostgresDatabase:
    """A `Database` in PostgreSQL 13 or newer. Made by `open_postgres`."""

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection = connection
        self._place = place

    def __repr__(self) -> str:
        return f"PostgresDatabase({self.address})"

    @property
    def dialect(self) -> Dialect:
        return "postgres"

    @property
    def address(self) -> str:
        return self._place.address

    @contextmanager
    def held(self, wait_s: float, tell: Tell) -> Iterator[None]:
        lock = _connect(self._place)
        try:
            self._take(lock, wait_s, tell)
            yield
        finally:
            lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with self._connection.transaction():
                yield
        except psycopg.Error as error:
            raise self._failing(error) from error

    def execute(self, statement: str) -> None:
        try:
            self._connection.execute(statement.encode())
        except psycopg.Error as error:
            raise self._refused(error) from error

    def answer(self, query: str) -> Sequence[Sequence[object]]:
        try:
            return self._connection.execute(query.encode()).fetchmany(2)
        except psycopg.Error as error:
            raise self._refused(error) from error

    def prepare(self) -> None:
        for statement in _CREATE_APPLIED:
            self._connection.execute(statement)

    def applied(self) -> tuple[Applied, ...]:
        try:
            if not _is_there(self._connection, "sprint_migrations.applied"):
                return ()
            rows = self._connection.execute(_READ_APPLIED).fetchall()
        except psycopg.Error as error:
            raise self._failing(error) from error
        return tuple(Applied(*row) for row in rows)

    def record(self, applied: Applied) -> None:
        self._connection.execute(_RECORD, astuple(applied))

    def forget(self, version: int) -> None:
        self._connection.execute("DELETE FROM sprint_migrations.applied WHERE version = %s", (version,))

    def ask_for_new_log(self) -> str | None:
        with self.transaction():
            if not _is_there(self._connection, "sprint_core.log"):
                return None
            row = self._connection.execute(
                "SELECT pg_try_advisory_xact_lock(%s)", (RELAY_LOCK_KEY,)
            ).fetchone()
            if row is None or not row[0]:
                holder = _holder(self._connection, RELAY_LOCK_KEY)
                raise StoreError(f"{self.address} is in use by {holder}; stop that relay first")
            found = self._connection.execute(_ASK_FOR_NEW_LOG).fetchone()
        return str(found[0]) if found else None

    def schema(self) -> Schema:
        try:
            with self._connection.transaction():
                return read_schema(self._connection)
        except psycopg.Error as error:
            raise self._failing(error) from error

    @contextmanager
    def shadow(self) -> Iterator[PostgresDatabase]:
        """Lend a new database beside this one, or the empty one that `--shadow-url` names."""
        if self._place.shadow_url is not None:
            with _emptied(self._place.shadow_url) as given:
                yield given
            return
        name = f"{SHADOW_PREFIX}{int(wall_clock())}_{secrets.token_hex(4)}"
        self._make_shadow(name)
        try:
            url = conninfo.make_conninfo(self._place.url, dbname=name)
            database = PostgresDatabase(_connect(Place(url, name)), Place(url, name))
            try:
                yield database
            finally:
                database.close()
        finally:
            with suppress(psycopg.Error):
                self._connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def copy_before(self, what: str) -> None:
        """Leave copies to those who keep this database: `pg_dump` and base backups are theirs."""

    def close(self) -> None:
        self._connection.close()

    def _take(self, lock: Connection, wait_s: float, tell: Tell) -> None:
        until = clock() + wait_s
        told = False
        while True:
            try:
                row = lock.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
                if row is not None and row[0]:
                    return
                holder = _holder(lock, LOCK_KEY)
            except psycopg.Error as error:
                raise self._failing(error) from error
            if clock() >= until:
                raise StoreError(f"{self.address} is being migrated by {holder}; waited {wait_s:g} s for it")
            if not told:
                tell(f"waiting: {self.address} is being migrated by {holder}")
                told = True
            time.sleep(LOCK_POLL_S)

    def _make_shadow(self, name: str) -> None:
        try:
            self._drop_left_over()
            self._connection.execute((_CREATE_SHADOW % name).encode())
        except psycopg.Error as error:
            raise StoreError(
                f"{self.address}: no database can be made to replay the migrations into: {_said(error)}; "
                "grant CREATEDB, or name an empty database with --shadow-url"
            ) from error

    def _drop_left_over(self) -> None:
        """Drop what killed ones have left; one that somebody is connected to stays, as does a young one."""
        names = self._connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (SHADOW_PREFIX,)
        ).fetchall()
        for (name,) in names:
            made = name.removeprefix(SHADOW_PREFIX).partition("_")[0]
            if made.isdecimal() and int(made) + SHADOW_LEFT_OVER_S < wall_clock():
                with suppress(psycopg.Error):
                    self._connection.execute(f'DROP DATABASE "{name}"'.encode())

    def _refused(self, error: psycopg.Error) -> Refused:
        if self._connection.broken:
            raise self._failing(error) from error
        place = error.diag.statement_position
        reason = _said(error)
        if isinstance(error, psycopg.errors.LockNotAvailable):
            reason += (
                f"; waited {self._place.statement_lock_wait_s:g} s: pg_stat_activity tells who has it, "
                "--lock-timeout gives it longer"
            )
        return Refused(reason, int(place) - 1 if place else None)

    def _failing(self, error: psycopg.Error) -> StoreFailing:
        lost = ""
        if self._connection.broken:
            lost = "; the connection is lost: `sprint migrate status` tells what was applied"
        return StoreFailing(f"{self.address}: {_said(error)}{lost}")


def open_postgres(
    url: str,
    *,
    shadow_url: str | None = None,
    statement_lock_wait_s: float = STATEMENT_LOCK_WAIT_S,
) -> PostgresDatabase:
    """Connect to a database by its URL; StoreFailing where that fails."""
    place = Place(url, address_of(url), shadow_url, statement_lock_wait_s)
    return PostgresDatabase(_connect(place), place)


def address_of(url: str) -> str:
    """Return a URL as messages tell it: host, port and database, no user and no password."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "postgresql (a URL that cannot be read)"
    host, port = parts.get("host") or "localhost", parts.get("port") or "5432"
    return f"postgresql://{host}:{port}/{parts.get('dbname') or ''}"


def _connect(place: Place) -> Connection:
    try:
        connection: Connection = psycopg.connect(
            place.url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=f"sprint migrate {os.getpid()}",
        )
        try:
            _configure(connection, place)
        except BaseException:
            connection.close()
            raise
    except psycopg.Error as error:
        raise StoreFailing(f"{place.address}: {_said(error)}") from error
    return connection


def _configure(connection: Connection, place: Place) -> None:
    refuse_other_encoding(connection.info.parameter_status("server_encoding"), place.address)
    for statement in _SESSION:
        connection.execute(statement)
    if connection.info.server_version >= CLIENT_CHECK_SINCE:
        connection.execute(_CLIENT_CHECK)
    milliseconds = int(place.statement_lock_wait_s * 1000)
    connection.execute(f"SET lock_timeout = {milliseconds}".encode())


@contextmanager
def _emptied(url: str) -> Iterator[PostgresDatabase]:
    """Lend a database that somebody named; it must be empty, and is so again afterwards."""
    database = open_postgres(url)
    try:
        if database.applied() or database.schema() != Schema():
            raise StoreError(f"--shadow-url {database.address}: it is not empty; name a database that is")
        try:
            yield database
        finally:
            _drop_all(database)
    finally:
        database.close()


def _drop_all(database: PostgresDatabase) -> None:
    for thing in database.schema().things:
        if thing.kind == "schema":
            database.execute(f'DROP SCHEMA "{thing.name}" CASCADE')


def _is_there(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return row is not None and bool(row[0])


def _holder(connection: Connection, key: int) -> str:
    row = connection.execute(_HOLDER, (key >> 32, key & 0xFFFF_FFFF)).fetchone()
    return f"process {row[0]} of the server ({row[1]}, from {row[2]})" if row else "somebody who just ended"


def _said(error: psycopg.Error) -> str:
    """Return what the server says, in a line, with its hint."""
    diagnosis = error.diag
    if diagnosis.message_primary is None:
        return " ".join(str(error).split())
    parts = (diagnosis.message_primary, diagnosis.message_detail, diagnosis.message_hint)
    return "; ".join(part for part in parts if part) + f" ({diagnosis.sqlstate})"
