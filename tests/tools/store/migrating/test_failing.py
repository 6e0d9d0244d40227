"""A migration that fails leaves version and schema as they were, whichever statement fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from sprint.core.errors import MigrationFailed, StoreError, StoreFailing
from sprint.core.migrate.files import DIRECTIONS, Direction, Migration, script_of
from sprint.core.migrate.tokens import Dialect
from sprint.tools.store.migrating import sqlite_dialect
from sprint.tools.store.migrating.packaged import packaged_migrations
from sprint.tools.store.migrating.postgres_dialect import open_postgres
from sprint.tools.store.migrating.runner import Done, Running, migrate_down, migrate_up, run_script
from tests.tools.store.migrating.places import Place

FAILING = "SELECT * FROM sprint_absent"


def spoilt(migration: Migration, direction: Direction, dialect: Dialect) -> list[Migration]:
    """Return the migration once for each of its statements, with a failing one before it, and at the end."""
    script = script_of(migration, direction, dialect)
    places = [statement.start for statement in script.statements] + [len(script.text)]
    texts = [f"{script.text[:place]}\n;\n{FAILING};\n{script.text[place:]}" for place in places]
    return [replace(migration, **{direction: text}) for text in texts]


def go(running: Running, direction: Direction, version: int) -> list[Done]:
    if direction == "up":
        return migrate_up(running, to=version)
    return migrate_down(running, to=version - 1)


def test_each_statement_of_the_packages_own_files_may_fail(place: Place) -> None:
    known = packaged_migrations(place.dialect)
    tried = 0
    with place.opened() as database:
        for direction in DIRECTIONS:
            for migration in known if direction == "up" else reversed(known):
                before = (database.applied(), database.schema())
                for broken in spoilt(migration, direction, place.dialect):
                    # What is noted as applied has the checksum of the right one: its down alone is wrong.
                    files = tuple(broken if each.version == migration.version else each for each in known)
                    with pytest.raises(MigrationFailed) as failed:
                        go(Running(database, files, 1), direction, migration.version)
                    script = script_of(broken, direction, place.dialect)
                    lines = script.text.splitlines()
                    statement, line, column = failed.value.place
                    assert script.statements[statement - 1].text == FAILING
                    assert lines[line - 1][column - 1 :].startswith("sprint_absent")
                    assert failed.value.file == f"{migration.name}.{direction}.sql"
                    assert (database.applied(), database.schema()) == before
                    tried += 1
                assert len(go(Running(database, known, 1), direction, migration.version)) == 1
        assert database.applied() == ()
        assert database.schema().tables == ()
    print(f"{tried} statements failed in turn")
    assert tried > 2 * len(known)


def test_a_verify_section_that_does_not_hold_rolls_its_file_back(place: Place) -> None:
    known = place.migrations()
    wrong = replace(
        known[1], up=known[1].up + f"-- verify: none is left\nSELECT 0 = 1 FROM {place.table('a')};"
    )
    for query, said in (
        (
            "SELECT 1 = 0",
            r"statement 4 at line 7, column 1: what must hold after it does not: none is left; got",
        ),
        ("SELECT 1 WHERE 1 = 0", "none is left; got 0 rows, want one true value"),
        ("SELECT 1 UNION ALL SELECT 1", "none is left; got 2 rows"),
        ("SELECT NULL", "none is left; got None"),
        ("SELECT 2", "none is left; got 2"),
        ("SELECT absent", r"statement 4 at line 7, column 8"),
    ):
        wrong = replace(known[1], up=f"{known[1].up}\n\n-- verify: none is left\n{query};\n")
        with place.running(known[0], wrong) as running:
            with pytest.raises(MigrationFailed, match=said):
                migrate_up(running)
            assert [each.name for each in running.database.applied()] == ["0001_first"]
            assert [table.name for table in running.database.schema().tables] == [place.table("a")]


def test_what_was_done_before_the_failing_file_stays(place: Place) -> None:
    first, second, third = place.migrations()
    told: list[Done] = []
    broken = replace(third, up="SELECT nothing FROM nowhere;")
    with place.running(first, second, broken) as running:
        with pytest.raises(MigrationFailed):
            migrate_up(replace(running, did=told.append))
        assert [done.name for done in told] == [first.name, second.name]
        assert [each.name for each in running.database.applied()] == [first.name, second.name]
    with place.running(first, second, third) as running:
        assert [done.name for done in migrate_up(running)] == [third.name]


def test_the_place_of_an_error_is_that_of_the_word_that_is_wrong(place: Place) -> None:
    with place.opened() as database:
        for text, wrong in (
            ("SELECT 1;\n\n  SELECT 2 FROM\n    absent_table;", "absent_table"),
            ("SELECT 1;\nSELECT 2,\n  FROM (SELECT 1) FROM;", "FROM"),
            ("SELECT\n  absent_column;", "absent_column"),
            ("CREATE TABEL x (y int);", "TABEL"),
        ):
            script = script_of(Migration(1, "0001_a", text, ""), "up", place.dialect)
            with pytest.raises(MigrationFailed) as failed:
                run_script(database, script)
            _, line, column = failed.value.place
            assert text.splitlines()[line - 1][column - 1 :].startswith(wrong), str(failed.value)


def test_a_database_that_is_not_there_is_named_without_its_password(place: Place) -> None:
    if place.dialect == "sqlite":
        gone = Place("sqlite", "/proc/sprint/any.db")
    else:
        gone = Place("postgres", "postgresql://someone:secret@127.0.0.1:1/any")
    with pytest.raises(StoreError) as caught, gone.opened():
        pass
    assert "secret" not in str(caught.value)
    assert "any" in str(caught.value)


def test_a_table_that_somebody_else_holds_is_not_waited_for_without_an_end(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = place.migrations()
    with place.running(*known) as running:
        migrate_up(running, to=2)
        before = place.state()
    if place.dialect == "sqlite":
        monkeypatch.setattr(sqlite_dialect, "STATEMENT_LOCK_WAIT_S", 0.1)
        with (
            closing(sqlite3.connect(place.address, isolation_level=None)) as holder,
            place.opened() as database,
        ):
            holder.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreFailing, match="database is locked"):
                migrate_up(Running(database, known, 1))
    else:
        with (
            psycopg.connect(place.address) as server,
            closing(open_postgres(place.address, statement_lock_wait_s=0.1)) as database,
        ):
            server.execute("LOCK TABLE sprint_t.a")
            said = r"0003_third\.up\.sql: statement 1 at line 1.*lock timeout.*waited 0.1 s: pg_stat_activity"
            with pytest.raises(MigrationFailed, match=said):
                migrate_up(Running(database, known, 1))
    assert place.state() == before


@pytest.mark.real("postgres")
def test_a_connection_that_is_lost_leaves_the_database_as_before(database_url: str) -> None:
    place = Place("postgres", database_url)
    known = place.migrations()
    broken = replace(known[1], up=known[1].up + "SELECT pg_terminate_backend(pg_backend_pid());")
    with place.running(known[0], broken) as running:
        migrate_up(running, to=1)
        before = place.state()
        with pytest.raises(StoreFailing, match=r"the connection is lost: `sprint migrate status` tells"):
            migrate_up(running)
    assert place.state() == before


@pytest.mark.real("postgres")
def test_a_failed_index_without_a_transaction_leaves_none_that_is_invalid(database_url: str) -> None:
    """PostgreSQL keeps the index that could not be built; it is in nobody's way, and of no use."""
    place = Place("postgres", database_url)
    first, alone, _ = place.migrations_alone()
    twice = replace(first, up=first.up.replace("(1), (2)", "(1), (1)"))
    unique = replace(alone, up=alone.up.replace("CREATE INDEX", "CREATE UNIQUE INDEX"))
    with place.running(twice, unique) as running:
        migrate_up(running, to=1)
        before = place.state()
        with pytest.raises(MigrationFailed, match=r"what it had left was undone by its down file"):
            migrate_up(running)
    assert place.state() == before


def test_a_table_of_versions_without_the_note_of_running_ones_is_read_and_brought_up_to_date(
    tmp_path: Path,
) -> None:
    place = Place("sqlite", str(tmp_path / "old.db"))
    known = place.migrations()
    with place.running(*known) as running:
        migrate_up(running, to=1)
        applied = running.database.applied()
    place.run("ALTER TABLE sprint_migrations_applied DROP COLUMN running")
    with place.running(*known) as running:
        assert running.database.applied() == applied
        assert len(migrate_up(running)) == 2
        assert len(running.database.applied()) == 3
