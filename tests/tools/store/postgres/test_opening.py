"""What a store in PostgreSQL is opened as: its log or a new one, and why it isn't opened."""

from __future__ import annotations

import logging
import os
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sprint.cli.migrate import app as migrate
from sprint.cli.relay import app as relay
from sprint.core.config import StoreSection
from sprint.core.database_url import parse_database_url
from sprint.core.errors import ConfigError, SprintError, StoreError, StoreFailing, StoreMismatch
from sprint.tools.store import LogBounds, opening
from sprint.tools.store.opening import look_at, open_store, store_settings
from sprint.tools.store.postgres.link import Link
from sprint.tools.store.postgres.lock import take
from sprint.tools.store.postgres.store import PostgresStore
from sprint.tools.store.settings import Durability, StoreSettings
from sprint.tools.store.sqlite import SqliteStore
from tests.integration.postgres_server import ADMIN_LOGIN, PostgresServer
from tests.integration.real_servers import HOST, free_ports, wait_until
from tests.tools.store.commits import GENESIS, Answers, Clock, block_commit, hash_at, log_of
from tests.tools.store.homes import PostgresHome

real = pytest.mark.real("postgres")
CHANGE = "UPDATE sprint_core.log SET"
SECRET = ADMIN_LOGIN[1]


def fill(store: PostgresStore, blocks: int = 2) -> None:
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    for height in range(1, blocks + 1):
        store.submit(block_commit(log, "bitcoin", height))
    answers.wait_in(blocks)


def left_unclean(home: PostgresHome, durability: Durability = "process") -> str:
    """Leave a log of two blocks as kill -9 would; return its id."""
    store = home.opened(StoreSettings(durability=durability))
    fill(store)
    store.close()
    with home.connect() as connection:
        connection.execute("UPDATE sprint_core.log SET clean_stop = false")
    return store.log_id


@real
@pytest.mark.parametrize(
    ("durability", "changed", "goes_on"),
    [
        ("process", "", True),
        ("disk", "", True),
        ("memory", "", False),
        ("memory", "clean_stop = true", True),
        ("process", "server_id = 'another'", False),
        # The mark of a clean stop may be as old as the backup that it was restored from.
        ("process", "server_id = 'another', clean_stop = true", False),
    ],
)
def test_the_log_goes_on_where_nothing_can_be_missing(
    postgres_home: PostgresHome, durability: Durability, changed: str, *, goes_on: bool
) -> None:
    old_id = left_unclean(postgres_home, durability)
    if changed:
        with postgres_home.connect() as connection:
            connection.execute(f"{CHANGE} {changed}".encode())
    with closing(postgres_home.opened(StoreSettings(durability=durability))) as store:
        assert (store.log_id == old_id) == goes_on
        assert store.bounds() == (LogBounds(0, 2) if goes_on else LogBounds(0, 0))
        snapshot = store.snapshot("bitcoin", 10)
        assert [block.height for block in snapshot.blocks] == [1, 2]
        assert (snapshot.head, snapshot.seq) == (hash_at("bitcoin", 2), 2 if goes_on else 0)
        if not goes_on:
            log = log_of(store)
            answers = Answers()
            store.start(answers)
            store.submit(block_commit(log, "bitcoin", 3))
            answers.wait_in(1)
            # The old blocks must not be given the new log's event at their old position.
            assert store.block_at("bitcoin", 1) is None
            assert store.block_at("bitcoin", 3) is not None


@real
def test_a_copy_of_a_database_begins_a_log_of_its_own(postgres_home: PostgresHome) -> None:
    """A database made like another one has its cluster, its timeline and the numbers of its tables."""
    old_id = left_unclean(postgres_home)
    copied = PostgresHome(postgres_home.server, postgres_home.server.new_database(postgres_home.name))
    with closing(copied.opened()) as store:
        assert store.log_id != old_id
    copied.server.drop_database(copied.name)
    with closing(postgres_home.opened()) as store:
        assert store.log_id == old_id


@real
def test_a_server_that_does_not_sync_is_said_and_kept_no_better_than_memory(
    postgres_home: PostgresHome, caplog: pytest.LogCaptureFixture
) -> None:
    server = postgres_home.server
    with server.connect() as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
        while connection.execute("SHOW fsync").fetchone() != ("off",):
            connection.execute("SELECT 1")
    try:
        with closing(postgres_home.opened()) as store:
            assert store._settings.durability == "memory"
    finally:
        with server.connect() as connection:
            connection.execute("ALTER SYSTEM RESET fsync")
            connection.execute("SELECT pg_reload_conf()")
    assert "runs with fsync off" in caplog.text


@real
def test_a_database_that_is_not_migrated_is_refused_with_the_command(database_url: str) -> None:
    section = StoreSection(url=database_url)
    settings = store_settings(section, "process", 60.0)
    with pytest.raises(StoreMismatch, match=r"migrations are not applied.*run `sprint migrate up`"):
        open_store(None, database_url, settings, wall_clock=Clock(), random_bytes=os.urandom)
    with pytest.raises(StoreMismatch, match="sprint migrate up"):
        look_at(database_url, settings)
    willing = store_settings(StoreSection(url=database_url, auto_migrate=True), "process", 60.0)
    assert look_at(database_url, willing).endswith("; no schema yet")
    open_store(None, database_url, willing, wall_clock=Clock(), random_bytes=os.urandom).close()
    open_store(None, database_url, settings, wall_clock=Clock(), random_bytes=os.urandom).close()


@real
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_in_a_database_without_characters_the_first_migration_was_applied_and_the_rest_ended_in_a_traceback(
    postgres_server: PostgresServer, encoding: str
) -> None:
    name = f"sprint_of_{encoding.lower()}"
    with postgres_server.connect() as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0".encode()
        )
    try:
        url = postgres_server.url(name)
        willing = store_settings(StoreSection(url=url, auto_migrate=True), "process", 60.0)
        says = rf"its encoding is {encoding}, want UTF8.*CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        with pytest.raises(StoreMismatch, match=says):
            open_store(None, url, willing, wall_clock=Clock(), random_bytes=os.urandom)
        with pytest.raises(StoreMismatch, match=says):
            look_at(url, willing)
        for verb in ("up", "status"):
            ended = CliRunner().invoke(migrate, [verb, "--url", url])
            assert ended.exit_code == 3
            assert re.search(says, ended.stderr)
        with postgres_server.connect(name) as connection:
            made = connection.execute("SELECT to_regnamespace('sprint_migrations') IS NULL").fetchone()
        assert made == (True,)
    finally:
        postgres_server.drop_database(name)


@real
def test_looking_at_a_database_disturbs_no_relay_and_tells_of_it(postgres_home: PostgresHome) -> None:
    settings = store_settings(StoreSection(url=postgres_home.url), "process", 60.0)
    with closing(postgres_home.opened()) as store:
        found = look_at(postgres_home.url, settings)
        assert f"PostgreSQL {HOST}:{postgres_home.server.port}/{postgres_home.name}, version 15" in found
        assert f"in use by {store._link.name}" in found
        fill(store)
    assert "in use" not in look_at(postgres_home.url, settings)


def refusals(server: PostgresServer) -> list[tuple[str, str]]:
    (port,) = free_ports(1)
    return [
        (f"postgresql://sprint:{SECRET}@{HOST}:{port}/x", "Connection refused"),
        (server.url(password=f"not-{SECRET}"), "password authentication failed"),
        (server.url("absent"), 'database "absent" does not exist'),
        (f"postgresql://sprint:{SECRET}@{HOST}/x?no_such={SECRET}", "invalid URI query parameter"),
        (f"postgresql://sprint:{SECRET}%zz@{HOST}/x", "invalid percent-encoded token"),
        (f"postgresql://sprint:{SECRET}@{HOST}:{port}/x?sslmode=none", "invalid sslmode value"),
    ]


@real
def test_why_a_database_cannot_be_used_is_said_without_its_password(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for url, reason in refusals(postgres_server):
        with pytest.raises(SprintError) as refused:
            open_store(None, url, StoreSettings(), wall_clock=Clock(), random_bytes=os.urandom)
        assert isinstance(refused.value, (StoreFailing, ConfigError))
        assert reason in str(refused.value)
        assert SECRET not in str(refused.value) + repr(refused.value) + repr(parse_database_url(url))
    assert SECRET not in caplog.text


def test_nothing_that_is_printed_of_a_link_has_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "of-the-environment")
    url = parse_database_url(f"postgresql://sprint:{SECRET}@db.example:6432/sprint")
    link = Link(url, StoreSettings())
    assert repr(link) == "Link(PostgreSQL db.example:6432/sprint)"
    said = str(link.failing(ValueError(f"refused {SECRET} and of-the-environment")))
    assert said == "PostgreSQL db.example:6432/sprint: refused … and …"


def test_the_parameters_of_the_url_go_over_the_stores_own() -> None:
    url = parse_database_url(
        "postgresql://db/x?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=30&application_name=mine"
    )
    given = Link(url, StoreSettings(connect_timeout_s=2.0)).parameters
    assert (given["sslmode"], given["sslrootcert"], given["connect_timeout"]) == (
        "verify-full",
        "/ca.pem",
        "30",
    )
    assert given["tcp_user_timeout"] == 12_000


@pytest.mark.real("postgres")
def test_the_lock_of_a_relay_whose_machine_is_gone_was_kept_by_the_server_for_two_hours(
    database_url: str,
) -> None:
    with closing(Link(parse_database_url(database_url), StoreSettings()).connect()) as connection:
        asked = [
            connection.execute(f"SHOW tcp_keepalives_{name}".encode())
            for name in ("idle", "interval", "count")
        ]
        idle_s, interval_s, probes = (int(str(row[0])) for each in asked if (row := each.fetchone()))
    assert 0 < idle_s + interval_s * probes <= 30


@pytest.mark.real("postgres")
def test_a_relay_killed_within_a_long_statement_left_its_lock_to_nobody_for_ten_seconds(
    database_url: str,
) -> None:
    killed, following = (Link(parse_database_url(database_url), StoreSettings()) for _ in range(2))
    lost = killed.connect()
    take(lost, killed)
    with closing(following.connect()) as connection:
        lost.pgconn.send_query(b"SELECT pg_sleep(9)")
        sleeping = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND application_name = %s"
        )
        wait_until(lambda: connection.execute(sleeping, (killed.name,)).fetchone() == (1,), "it sleeps")
        lost.pgconn.finish()
        take(connection, following)
    assert killed.name != following.name, "else the session would be ended as one of its own"


def test_without_the_extra_a_postgresql_url_names_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("sprint.tools.store.postgres"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'bitcoin-sprint\[postgres\]'"):
        open_store(None, "postgresql://db/x", StoreSettings(), wall_clock=Clock(), random_bytes=os.urandom)


def test_a_sqlite_url_names_the_file_and_no_url_means_the_data_directory(tmp_path: Path) -> None:
    for url, path in ((f"sqlite://{tmp_path}/named.db", "named.db"), (None, "own.db")):
        assert look_at(url, StoreSettings()) == ""
        store = open_store(
            tmp_path / "own.db", url, StoreSettings(), wall_clock=Clock(), random_bytes=os.urandom
        )
        assert isinstance(store, SqliteStore)
        store.bind_chain("bitcoin", GENESIS)
        store.close()
        assert (tmp_path / path).exists()
    assert opening.EXTRA_HINT


@real
def test_a_chain_of_another_genesis_is_refused_by_the_database_that_holds_it(
    postgres_home: PostgresHome,
) -> None:
    with closing(postgres_home.opened()) as store:
        store.bind_chain("bitcoin", GENESIS)
        with pytest.raises(StoreError, match="give another database"):
            store.bind_chain("bitcoin", b"\x02" * 32)


@real
def test_without_a_source_the_database_could_not_be_checked(database_url: str) -> None:
    asked = ["check", "--database-url", database_url]
    refused = CliRunner().invoke(relay, asked)
    assert (refused.exit_code, "run `sprint migrate up`" in refused.stdout) == (1, True)
    assert CliRunner().invoke(migrate, ["up", "--url", database_url]).exit_code == 0
    found = CliRunner().invoke(relay, asked)
    assert (found.exit_code, "; schema 0" in found.stdout) == (0, True)
    assert "no source is named, so only the database was looked at" in found.stderr
    assert "source  chain" not in found.stdout
