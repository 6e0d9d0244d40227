"""SQLite as a database that is migrated: exclusive transactions, the relay's own lock file, a copy first.

`SqliteDatabase` wraps a connection that somebody has opened, as a store does for its own start;
`open_sqlite` opens a file for `sprint migrate`, and then takes the lock that a relay would hold.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec.structs import astuple

from sprint.core.errors import StoreError, StoreFailing
from sprint.core.migrate.order import Applied
from sprint.core.migrate.schema import Schema
from sprint.core.migrate.tokens import Dialect
from sprint.tools.runtime import clock
from sprint.tools.store.file_lock import FileLock
from sprint.tools.store.migrating import LOCK_POLL_S, STATEMENT_LOCK_WAIT_S, Refused, Tell
from sprint.tools.store.migrating.sqlite_error_place import offset_of
from sprint.tools.store.migrating.sqlite_schema import read_schema

APPLIED_TABLE = "sprint_migrations_applied"
_CREATE_APPLIED = """
CREATE TABLE IF NOT EXISTS sprint_migrations_applied (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL,
    running TEXT NOT NULL DEFAULT ''
)"""
_ADD_RUNNING = "ALTER TABLE sprint_migrations_applied ADD COLUMN running TEXT NOT NULL DEFAULT ''"
_READ_APPLIED = (
    "SELECT version, name, checksum, applied_at_ms, running FROM sprint_migrations_applied ORDER BY version"
)
_READ_APPLIED_WITHOUT_RUNNING = (
    "SELECT version, name, checksum, applied_at_ms FROM sprint_migrations_applied ORDER BY version"
)
# As after a power failure: not synced, no clean stop, of no boot.
_ASK_FOR_NEW_LOG = (
    "UPDATE sprint_core_log SET durability = 'process', boot_id = '', clean_stop = 0 RETURNING log_id"
)
_RECORD = """
INSERT OR REPLACE INTO sprint_migrations_applied (version, name, checksum, applied_at_ms, running)
VALUES (?, ?, ?, ?, ?)"""


class SqliteDatabase:
    """A `Database` on a connection in autocommit; with `own_lock` it takes the file's lock to migrate."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path | None = None, *, own_lock: bool = False
    ) -> None:
        self._connection = connection
        self._path = path
        self._own_lock = own_lock

    def __repr__(self) -> str:
        return f"SqliteDatabase({self.address})"

    @property
    def dialect(self) -> Dialect:
        return "sqlite"

    @property
    def address(self) -> str:
        return str(self._path or "store in memory")

    @contextmanager
    def held(self, wait_s: float, tell: Tell) -> Iterator[None]:
        if self._path is None or not self._own_lock:
            yield
            return
        lock = _locked(self._path, wait_s, tell)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        connection = self._connection
        try:
            connection.execute("BEGIN EXCLUSIVE")
            try:
                yield
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._failing(error) from error

    def execute(self, statement: str) -> None:
        try:
            self._connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise Refused(_said(error), offset_of(self._connection, statement, str(error))) from error

    def answer(self, query: str) -> Sequence[Sequence[object]]:
        try:
            return self._connection.execute(query).fetchmany(2)
        except sqlite3.Error as error:
            raise Refused(_said(error), offset_of(self._connection, query, str(error))) from error

    def prepare(self) -> None:
        self._connection.execute(_CREATE_APPLIED)
        if "running" not in self._applied_columns():
            self._connection.execute(_ADD_RUNNING)

    def applied(self) -> tuple[Applied, ...]:
        try:
            columns = self._applied_columns()
            if not columns:
                return ()
            read = _READ_APPLIED if "running" in columns else _READ_APPLIED_WITHOUT_RUNNING
            rows = self._connection.execute(read).fetchall()
        except sqlite3.Error as error:
            raise self._failing(error) from error
        return tuple(Applied(*row) for row in rows)

    def record(self, applied: Applied) -> None:
        self._connection.execute(_RECORD, astuple(applied))

    def forget(self, version: int) -> None:
        self._connection.execute("DELETE FROM sprint_migrations_applied WHERE version = ?", (version,))

    def ask_for_new_log(self) -> str | None:
        there = "SELECT 1 FROM sqlite_master WHERE name = 'sprint_core_log'"
        with self.transaction():
            if self._connection.execute(there).fetchone() is None:
                return None
            found = self._connection.execute(_ASK_FOR_NEW_LOG).fetchone()
        return str(found[0]) if found else None

    def schema(self) -> Schema:
        try:
            return read_schema(self._connection, leave_out=APPLIED_TABLE)
        except sqlite3.Error as error:
            raise self._failing(error) from error

    @contextmanager
    def shadow(self) -> Iterator[SqliteDatabase]:
        """Lend a database in memory: it is as empty as a new file, and nothing of it can be left behind."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            yield SqliteDatabase(connection)

    def copy_before(self, what: str) -> str | None:
        if self._path is None:
            return None
        try:
            return str(_copy(self._connection, self._path, what))
        except (sqlite3.Error, OSError) as error:
            raise StoreFailing(
                f"{self.address}: the copy before migrating could not be made: {error}; nothing was changed"
            ) from error

    def close(self) -> None:
        self._connection.close()

    def _applied_columns(self) -> set[str]:
        found = self._connection.execute("SELECT name FROM pragma_table_info(?)", (APPLIED_TABLE,))
        return {name for (name,) in found}

    def _failing(self, error: sqlite3.Error) -> StoreFailing:
        return StoreFailing(f"{self.address}: {_said(error)}")


def open_sqlite(path: Path, *, to_write: bool) -> SqliteDatabase:
    """Open a file for `sprint migrate`. To be read only it must be there, else nothing was ever applied.

    StoreFailing where it cannot be opened.
    """
    if path.is_dir():
        raise StoreFailing(f"{path}: it is a folder; name the file in it, or the folder with --data-dir")
    try:
        if to_write:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        elif not path.exists():
            return SqliteDatabase(sqlite3.connect(":memory:", isolation_level=None), path.resolve())
        connection = sqlite3.connect(
            path.resolve().as_uri() + ("" if to_write else "?mode=ro"),
            uri=True,
            isolation_level=None,
            timeout=STATEMENT_LOCK_WAIT_S,
        )
        connection.execute("SELECT count(*) FROM sqlite_master")
    except (sqlite3.Error, OSError) as error:
        raise StoreFailing(f"{path}: {_said(error)}") from error
    return SqliteDatabase(connection, path.resolve(), own_lock=True)


def _locked(path: Path, wait_s: float, tell: Tell) -> FileLock:
    """Take the lock of a file as a relay does, whoever has it now waited for."""
    until = clock() + wait_s
    told = False
    while True:
        try:
            return FileLock(path)
        except StoreError as held:
            if clock() >= until:
                raise StoreError(f"{held}; waited {wait_s:g} s for it") from held
            if not told:
                tell(f"waiting: {held}")
                told = True
        except OSError as error:
            raise StoreFailing(f"{path}: its lock cannot be taken: {error}") from error
        time.sleep(LOCK_POLL_S)


def _copy(connection: sqlite3.Connection, path: Path, what: str) -> Path:
    """Copy a database whole, to the disk, readable by whom the original is."""
    target = path.with_name(f"{path.name}.before-{what}")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, stat.S_IMODE(path.stat().st_mode))
    try:
        with closing(sqlite3.connect(partial)) as copy:
            connection.backup(copy)
        os.fsync(descriptor)
        partial.replace(target)
    finally:
        os.close(descriptor)
        partial.unlink(missing_ok=True)
    return target


def _said(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", None)
    return f"{error}" + (f" ({name})" if name and name != "SQLITE_ERROR" else "")
