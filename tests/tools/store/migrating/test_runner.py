"""Migrations are applied once, in order, whole, and only to a database that the files explain."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sprint.core.errors import MigrationFailed, StoreFailing, StoreMismatch
from sprint.core.migrate.files import Migration
from sprint.core.migrate.tokens import DIALECTS
from sprint.tools.store.migrating import runner
from sprint.tools.store.migrating.packaged import packaged_migrations, read_migrations
from sprint.tools.store.migrating.runner import Running
from sprint.tools.store.migrating.sqlite_dialect import SqliteDatabase
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import Answers, block_commit, log_of, opened

FIRST = Migration(
    1, "0001_first", "CREATE TABLE first (x);\nINSERT INTO first VALUES (1);\n", "DROP TABLE first;"
)
SECOND = Migration(
    2, "0002_second", "-- a comment; with a mark\nCREATE TABLE second (y);\n", "DROP TABLE second;"
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "any.db", isolation_level=None)
    yield connection
    connection.close()


def running(connection: sqlite3.Connection, known: Sequence[Migration], path: Path | None = None) -> Running:
    return Running(SqliteDatabase(connection, path), tuple(known), now_ms=1)


def up(connection: sqlite3.Connection, known: Sequence[Migration], to: int | None = None) -> list[str]:
    return [done.name for done in runner.migrate_up(running(connection, known), to=to)]


def down(connection: sqlite3.Connection, known: Sequence[Migration], to: int) -> list[str]:
    return [done.name for done in runner.migrate_down(running(connection, known), to=to)]


def applied_names(connection: sqlite3.Connection) -> list[str]:
    return [applied.name for applied in SqliteDatabase(connection).applied()]


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_up_down_up_with_data_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    known = packaged_migrations("sqlite")
    for _ in range(2):
        store = opened(path)
        answers = Answers()
        store.start(answers)
        log = log_of(store)
        for height in range(1, 4):
            store.submit(block_commit(log, "bitcoin", height))
        answers.wait_in(3)
        assert store.bounds().latest == 3
        store.close()
        connection = sqlite3.connect(path, isolation_level=None)
        before = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        assert len(down(connection, known, to=0)) == len(known)
        assert tables(connection) == {"sprint_migrations_applied"}
        up(connection, known)
        assert connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall() == before
        down(connection, known, to=0)
        connection.close()


def test_up_stops_at_the_version_asked_for_and_applies_nothing_twice(connection: sqlite3.Connection) -> None:
    assert up(connection, (FIRST, SECOND), to=1) == ["0001_first"]
    assert "second" not in tables(connection)
    assert up(connection, (FIRST, SECOND)) == ["0002_second"]
    assert up(connection, (FIRST, SECOND)) == []
    assert connection.execute("SELECT count(*) FROM first").fetchone() == (1,)
    assert down(connection, (FIRST, SECOND), to=1) == ["0002_second"]
    assert applied_names(connection) == ["0001_first"]


def test_an_edited_file_is_refused_by_name(connection: sqlite3.Connection) -> None:
    up(connection, (FIRST,))
    edited = Migration(1, FIRST.name, FIRST.up + "-- more\n", FIRST.down)
    with pytest.raises(StoreMismatch, match=r"0001_first\.up\.sql was edited"):
        up(connection, (edited, SECOND))
    assert "second" not in tables(connection)


def test_line_ends_do_not_count_as_an_edit(connection: sqlite3.Connection) -> None:
    up(connection, (FIRST,))
    for ends in ("\r\n", "\r"):
        other = Migration(1, FIRST.name, FIRST.up.replace("\n", ends), FIRST.down)
        assert up(connection, (other,)) == []


def test_a_schema_newer_than_known_is_refused(connection: sqlite3.Connection) -> None:
    up(connection, (FIRST, SECOND))
    with pytest.raises(StoreMismatch, match="0002_second, this version of Sprint knows up to 0001"):
        up(connection, (FIRST,))


def test_a_store_with_a_newer_schema_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    opened(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("INSERT INTO sprint_migrations_applied VALUES (9999, '9999_later', '', 0, '')")
    connection.close()
    with pytest.raises(StoreMismatch, match=r"sprint\.db: .*9999_later"):
        opened(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DELETE FROM sprint_migrations_applied WHERE version = 9999")
    connection.close()
    opened(path).close()


def test_a_version_that_was_left_out_is_named(connection: sqlite3.Connection) -> None:
    up(connection, (FIRST, SECOND))
    connection.execute("DELETE FROM sprint_migrations_applied WHERE version = 1")
    with pytest.raises(StoreMismatch, match="0001_first was not applied but 0002_second was"):
        up(connection, (FIRST, SECOND))


def test_a_failing_statement_rolls_its_file_back_and_is_named(connection: sqlite3.Connection) -> None:
    broken = Migration(2, "0002_broken", "CREATE TABLE good (x);\n\nINSERT INTO\n  absent VALUES (1);\n", "")
    said = (
        r"0002_broken\.up\.sql: statement 2 at line 4, column 3: no such table: absent; nothing of this file"
    )
    with pytest.raises(MigrationFailed, match=said):
        up(connection, (FIRST, broken))
    assert "good" not in tables(connection)
    assert applied_names(connection) == ["0001_first"]
    assert not connection.in_transaction


def test_an_existing_database_is_copied_before_it_changes(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "any.db"
    told: list[str] = []
    runner.migrate_up(Running(SqliteDatabase(connection, path), (FIRST,), 1, told.append))
    runner.migrate_up(Running(SqliteDatabase(connection, path), (FIRST,), 1, told.append))
    assert not any("copied" in each for each in told)
    path.chmod(0o640)
    runner.migrate_up(Running(SqliteDatabase(connection, path), (FIRST, SECOND), 1, told.append))
    copied = tmp_path / "any.db.before-0002_second"
    assert f"copied to {copied} before the first change" in told
    assert copied.stat().st_mode & 0o777 == 0o640
    copy = sqlite3.connect(copied)
    assert "first" in tables(copy)
    assert "second" not in tables(copy)
    copy.close()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.up.sql"], r"0001_a\.down\.sql is missing"),
        (["0001_a.down.sql"], r"0001_a\.up\.sql is missing"),
        (["0001_a.up.sql", "0001_a.down.sql", "0003_c.up.sql", "0003_c.down.sql"], "0003_c: version 0002"),
        (["0001_a.up.sql", "0001_a.down.sql", "0001_b.up.sql", "0001_b.down.sql"], "0001_b: version 0002"),
        (["1_a.up.sql"], r"1_a\.up\.sql: name it"),
    ],
)
def test_a_folder_with_a_hole_a_twin_or_half_a_pair_is_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;\n")
    with pytest.raises(StoreMismatch, match=message):
        read_migrations(tmp_path)


def test_two_runners_at_once_apply_each_version_once(connection: sqlite3.Connection, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "any.db", isolation_level=None)
    up(other, (FIRST,))
    # This runner believes that nothing is applied until it has the lock.
    assert up(connection, (FIRST, SECOND)) == ["0002_second"]
    other.execute("BEGIN EXCLUSIVE")
    connection.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(StoreFailing, match="locked"):
        up(connection, (FIRST, SECOND))
    other.close()


def test_both_dialects_have_the_same_versions() -> None:
    names = [[migration.name for migration in packaged_migrations(dialect)] for dialect in DIALECTS]
    assert names[0] == names[1]


def test_a_relay_says_where_it_copied_its_store_before_it_was_brought_up_to_date(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sprint.db"
    known = packaged_migrations("sqlite")
    with caplog.at_level(logging.INFO, logger="sprint.tools.store.migrating"):
        opened(path).close()
        assert caplog.messages == []
        connection = sqlite3.connect(path, isolation_level=None)
        down(connection, known, to=len(known) - 1)
        connection.close()
        opened(path).close()
    assert caplog.messages == [
        f"copied to {path}.before-{known[-1].name} before the first change",
        f"the schema of {path} was brought up to date: {known[-1].name}",
    ]


def test_a_store_that_is_not_migrated_is_refused_where_that_is_not_to_be_done(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    newest = packaged_migrations("sqlite")[-1].name
    with pytest.raises(StoreMismatch, match=f"sprint.db: .* not applied, 0001_event_log to {newest}"):
        opened(path, StoreSettings(auto_migrate=False))
    connection = sqlite3.connect(path)
    assert tables(connection) == set()
    connection.close()
    opened(path).close()
    opened(path, StoreSettings(auto_migrate=False)).close()
