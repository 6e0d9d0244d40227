"""Where a store under test is kept: a SQLite file, or a database of its own in the process's PostgreSQL.

`home` gives each test that asks for it both, one after the other. A PostgreSQL database is made like one that
was migrated before, which takes a tenth of a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import psycopg
import pytest

from sprint.core.database_url import parse_database_url
from sprint.tools.store import Store
from sprint.tools.store.log_identity import read_boot_id
from sprint.tools.store.migrating.postgres_dialect import open_postgres
from sprint.tools.store.migrating.startup import bring_up
from sprint.tools.store.postgres.store import PostgresStore
from sprint.tools.store.postgres.store import open_store as open_postgres_store
from sprint.tools.store.settings import StoreSettings
from tests.integration.postgres_server import PostgresServer
from tests.tools.store.commits import Clock, opened

KINDS = ("sqlite", "postgres")


class Home(Protocol):
    """A place that a store is opened at, again and again."""

    @property
    def kind(self) -> str: ...
    def opened(
        self, settings: StoreSettings | None = None, *, wall_clock: Callable[[], float] | None = None
    ) -> Store: ...


class SqliteHome:
    """A file, opened in one boot of the machine."""

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path

    def opened(
        self, settings: StoreSettings | None = None, *, wall_clock: Callable[[], float] | None = None
    ) -> Store:
        return opened(self.path, settings, wall_clock=wall_clock, boot_id=read_boot_id())


class PostgresHome:
    """A database of its own."""

    kind = "postgres"

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server = server
        self.name = name
        self.url = server.url(name)

    def opened(
        self, settings: StoreSettings | None = None, *, wall_clock: Callable[[], float] | None = None
    ) -> PostgresStore:
        return open_postgres_store(
            parse_database_url(self.url),
            settings or StoreSettings(),
            wall_clock=wall_clock or Clock(),
            random_bytes=os.urandom,
        )

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the server's administrator."""
        return self.server.connect(self.name)

    def begin_anew(self) -> None:
        """Have the next store begin a new log, with no block and no head."""
        with self.connect() as connection:
            connection.execute(
                "TRUNCATE sprint_core.log, sprint_core.blocks, sprint_core.heads, sprint_chains.parameters"
            )


def begin_anew(home: Home) -> None:
    """Have the next store begin with nothing."""
    if isinstance(home, PostgresHome):
        home.begin_anew()
    elif isinstance(home, SqliteHome):
        for suffix in ("", "-wal", "-shm"):
            home.path.with_name(home.path.name + suffix).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def migrated_database(postgres_server: PostgresServer) -> str:
    """A database with the whole schema and nothing in it, which others are made like."""
    name = postgres_server.new_database()
    database = open_postgres(postgres_server.url(name))
    bring_up(database, now_ms=0, auto_migrate=True)
    database.close()
    return name


@pytest.fixture
def postgres_home(postgres_server: PostgresServer, migrated_database: str) -> Iterator[PostgresHome]:
    """A new database with the schema in place."""
    name = postgres_server.new_database(migrated_database)
    yield PostgresHome(postgres_server, name)
    postgres_server.drop_database(name)


@pytest.fixture(params=KINDS)
def home(request: pytest.FixtureRequest) -> Home:
    """Each place in turn."""
    return home_of(request.param, request)


def home_of(kind: str, request: pytest.FixtureRequest) -> Home:
    """Return the test's place of that kind; without a PostgreSQL the test is skipped, or fails."""
    if kind == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return SqliteHome(folder / "sprint.db")
    found: PostgresHome = request.getfixturevalue("postgres_home")
    return found
