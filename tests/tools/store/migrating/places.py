"""A new and empty database of each dialect, and small migrations that both understand, for tests of both."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest

from sprint.core.migrate.files import Migration
from sprint.core.migrate.order import Applied
from sprint.core.migrate.schema import Schema
from sprint.core.migrate.tokens import Dialect
from sprint.tools.store.migrating import Database
from sprint.tools.store.migrating.postgres_dialect import open_postgres
from sprint.tools.store.migrating.runner import Running
from sprint.tools.store.migrating.sqlite_dialect import open_sqlite

WAIT_S = 60.0
_NAMES = ("0001_first", "0002_second", "0003_third")
_FIRST = """CREATE TABLE @a (x bigint NOT NULL);
INSERT INTO @a VALUES (1), (2);
-- verify: both rows are there
SELECT count(*) = 2 FROM @a;
"""
_DOWN = "DROP TABLE @a;\n"
_SECOND = """CREATE TABLE @b (x bigint, y text NOT NULL DEFAULT 'n', CHECK (x > 0));
INSERT INTO @b (x) SELECT x FROM @a;
CREATE INDEX b_x ON @b (x);
"""
_THIRD = """ALTER TABLE @a ADD COLUMN y text;
UPDATE @a SET y = 'is ; ' || x WHERE x > 0;
DELETE FROM @b WHERE x = 1;
"""
_INDEX_THERE: dict[Dialect, str] = {
    "sqlite": "SELECT count(*) = 1 FROM sqlite_master WHERE name = '@i';",
    "postgres": "SELECT count(*) = 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid\n"
    "WHERE c.relname = '@i' AND i.indisvalid;",
}
_THIRD_DOWN = "ALTER TABLE @a DROP COLUMN y;\n"


class Place(msgspec.Struct, frozen=True):
    """Where a database is; `address` is a path or a URL."""

    dialect: Dialect
    address: str

    @contextmanager
    def opened(self) -> Iterator[Database]:
        """Lend the database as `sprint migrate` opens it."""
        database: Database
        if self.dialect == "sqlite":
            database = open_sqlite(Path(self.address), to_write=True)
        else:
            database = open_postgres(self.address)
        with closing(database):
            yield database

    @contextmanager
    def running(self, *known: Migration) -> Iterator[Running]:
        with self.opened() as database:
            yield Running(database, known, 1, lock_wait_s=WAIT_S)

    def run(self, sql: str) -> None:
        """Run one statement, in a connection of its own."""
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self.address, isolation_level=None)) as connection:
                connection.execute(sql)
        else:
            with psycopg.connect(self.address, autocommit=True) as server:
                server.execute(sql.encode())

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self.address)) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self.address) as server:
            return server.execute(query.encode()).fetchall()

    def state(self) -> tuple[tuple[Applied, ...], Schema]:
        """Return all that a migrator may change."""
        with self.opened() as database:
            return database.applied(), database.schema()

    def table(self, name: str) -> str:
        """Return a table's name: in the schema `sprint_t`, or with that as its prefix."""
        return f"sprint_t_{name}" if self.dialect == "sqlite" else f"sprint_t.{name}"

    def migrations(self) -> tuple[Migration, ...]:
        """Return three versions: tables with data, an index, a column that is filled."""
        names, schema, no_schema = "sprint_t_", "", ""
        if self.dialect == "postgres":
            names, schema, no_schema = "sprint_t.", "CREATE SCHEMA sprint_t;\n", "DROP SCHEMA sprint_t;\n"
        down = _DOWN + no_schema
        texts = ((schema + _FIRST, down), (_SECOND, "DROP TABLE @b;\n"), (_THIRD, _THIRD_DOWN))
        return tuple(
            Migration(version, name, up.replace("@", names), down.replace("@", names))
            for version, (name, (up, down)) in enumerate(zip(_NAMES, texts, strict=True), start=1)
        )

    def migrations_alone(self) -> tuple[Migration, ...]:
        """Return a table, and two versions without a transaction: an index, and one that is verified."""
        first = self.migrations()[0]
        names = "sprint_t_" if self.dialect == "sqlite" else "sprint_t."
        on_its_own = "" if self.dialect == "sqlite" else " CONCURRENTLY"
        up = f"-- transaction:false\nCREATE INDEX{on_its_own} @i ON {names}a (x);\n"
        down = f"-- transaction:false\nDROP INDEX{on_its_own} IF EXISTS @i;\n"
        there = _INDEX_THERE[self.dialect]
        found = [first]
        for version, name, index, check in (
            (2, "0002_alone", "a_x", ""),
            (3, "0003_checked", "a_again", f"-- verify: the index is there\n{there}\n"),
        ):
            # An index is in its table's schema: said where it is dropped, and not where it is made.
            full = index if self.dialect == "sqlite" else f"sprint_t.{index}"
            texts = (f"{up}{check}".replace("@i", index), down.replace("@i", full))
            found.append(Migration(version, name, *texts))
        return tuple(found)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.real("postgres"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database: a file, or one in a real PostgreSQL."""
    if request.param == "sqlite":
        return Place("sqlite", str(tmp_path / "any.db"))
    return Place("postgres", str(request.getfixturevalue("database_url")))
