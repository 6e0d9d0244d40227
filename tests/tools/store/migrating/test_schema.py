"""A live schema is read so that each kind of change to it is found, on real databases, by their own SQL."""

from __future__ import annotations

from contextlib import closing, suppress

import pytest

from sprint.core.errors import StoreError, StoreMismatch
from sprint.core.migrate.drift import Difference, differences
from sprint.core.migrate.files import Migration
from sprint.tools.migrate.verbs import baseline, drift, validate
from sprint.tools.store.migrating.packaged import packaged_migrations
from sprint.tools.store.migrating.postgres_dialect import SHADOW_PREFIX, open_postgres
from sprint.tools.store.migrating.runner import Running, migrate_up
from tests.integration.postgres_server import PostgresServer
from tests.tools.store.migrating.places import Place

TABLE = """CREATE TABLE @t (a bigint NOT NULL, b text DEFAULT 'x', c text, CHECK (a > 0), UNIQUE (b));
CREATE INDEX t_c ON @t (c);
CREATE TABLE @u (a bigint PRIMARY KEY, t text REFERENCES @t (b));
CREATE VIEW @v AS SELECT a FROM @t;
"""
# What is done, on which database (both where it is empty), and what has to be said of it.
CHANGES = [
    ("", "CREATE TABLE @x (a bigint)", {"extra table @x"}),
    ("", "ALTER TABLE @t ADD COLUMN d text", {"extra column d of @t"}),
    (
        "",
        "ALTER TABLE @t RENAME COLUMN c TO d",
        {"missing column c of @t", "extra column d of @t", "changed index"},
    ),
    ("", "DROP VIEW @v", {"missing view @v"}),
    ("", "CREATE VIEW @w AS SELECT 1 AS a", {"extra view @w"}),
    ("", "CREATE INDEX t_a ON @t (a)", {"extra index t_a of @t"}),
    ("sqlite", "DROP INDEX t_c", {"missing index t_c of @t"}),
    ("postgres", "DROP INDEX sprint_t.t_c", {"missing index t_c of @t"}),
    (
        "postgres",
        "ALTER TABLE @t ALTER COLUMN c TYPE varchar(9)",
        {"changed type c of @t"},
    ),
    ("postgres", "ALTER TABLE @t ALTER COLUMN c SET NOT NULL", {"changed nullability c of @t"}),
    ("postgres", "ALTER TABLE @t ALTER COLUMN b SET DEFAULT 'y'", {"changed default b of @t"}),
    ("postgres", "ALTER TABLE @t DROP CONSTRAINT t_a_check", {"missing constraint t_a_check of @t"}),
    ("postgres", "ALTER TABLE @t ADD CHECK (c <> '')", {"extra constraint t_c_check of @t"}),
    ("postgres", "ALTER TABLE @u DROP CONSTRAINT u_t_fkey", {"missing constraint u_t_fkey of @u"}),
    ("postgres", "ALTER TABLE @u SET UNLOGGED", {"changed traits @u"}),
    ("postgres", "CREATE TYPE @e AS ENUM ('a')", {"extra type @e"}),
    ("postgres", "CREATE SEQUENCE @s", {"extra sequence @s"}),
    ("postgres", "CREATE FUNCTION @f() RETURNS int LANGUAGE sql AS 'SELECT 1'", {"extra function @f()"}),
    ("postgres", "CREATE SCHEMA sprint_other", {"extra schema sprint_other"}),
    (
        "postgres",
        "ALTER TABLE @u ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY",
        {"changed generated a of @u"},
    ),
]
# SQLite changes little of a table in place: the table as it would be made anew.
SQLITE_TABLES = [
    ("a bigint NOT NULL", "a text NOT NULL", {"changed type a of @t"}),
    ("a bigint NOT NULL", "a bigint", {"changed nullability a of @t"}),
    ("DEFAULT 'x'", "DEFAULT 'y'", {"changed default b of @t"}),
    (
        "CHECK (a > 0)",
        "CHECK (a > 1)",
        {"missing constraint check ( a > 0 )", "extra constraint check ( a > 1 )"},
    ),
    (", UNIQUE (b)", "", {"missing constraint UNIQUE (b) of @t"}),
    ("c text,", "c text COLLATE NOCASE,", {"changed definition @t"}),
    (
        "(b));\nCREATE VIEW",
        "(b)) WITHOUT ROWID;\nCREATE VIEW",
        {"changed traits @u", "changed nullability a"},
    ),
    ("a bigint NOT NULL", "a bigint NOT NULL PRIMARY KEY", {"extra constraint PRIMARY KEY of @t"}),
]


def migration(place: Place) -> Migration:
    names, schema = "sprint_t_", ""
    if place.dialect == "postgres":
        names, schema = "sprint_t.", "CREATE SCHEMA sprint_t;\n"
    return Migration(1, "0001_tables", schema + TABLE.replace("@", names), "SELECT 1;")


def named(found: tuple[Difference, ...], place: Place, expected: set[str]) -> bool:
    wanted = {each.replace("@", place.table("")) for each in expected}
    texts = {each.text for each in found}
    return all(any(text.startswith(each) for text in texts) for each in wanted) and all(
        any(text.startswith(each) for each in wanted) for text in texts
    )


def test_each_kind_of_drift_is_found_by_name(place: Place) -> None:
    known = migration(place)
    with place.opened() as database:
        migrate_up(Running(database, (known,), 1))
        assert drift(database, (known,)) == ()
        before = database.schema()
        changes = [each for each in CHANGES if each[0] in {"", place.dialect}]
        for _, sql, expected in changes:
            with suppress(InterruptedError), database.transaction():
                database.execute(sql.replace("@", place.table("")))
                found = differences(before, database.schema())
                assert named(found, place, expected), (sql, [each.text for each in found])
                roll_back()
        database.execute(changes[0][1].replace("@", place.table("")))
        assert named(drift(database, (known,)), place, changes[0][2])


def roll_back() -> None:
    raise InterruptedError


@pytest.mark.parametrize(
    ("old", "new", "expected"), SQLITE_TABLES, ids=[f"{old} - {new}"[:60] for old, new, _ in SQLITE_TABLES]
)
def test_each_part_of_a_table_of_sqlite_is_compared(
    tmp_path_factory: pytest.TempPathFactory, old: str, new: str, expected: set[str]
) -> None:
    place = Place("sqlite", str(tmp_path_factory.mktemp("drift") / "any.db"))
    known = migration(place)
    assert old in known.up
    with place.opened() as database:
        migrate_up(Running(database, (Migration(1, known.name, known.up.replace(old, new, 1), ""),), 1))
        found = drift(database, (known,))
    assert named(found, place, expected), [each.text for each in found]


def test_the_packages_own_schema_does_not_drift_and_is_valid(place: Place) -> None:
    known = packaged_migrations(place.dialect)
    with place.opened() as database:
        for to in range(len(known) + 1):
            migrate_up(Running(database, known, 1), to=to)
            assert drift(database, known) == ()
        found = validate(database, known)
        assert found.valid, found


def test_a_schema_that_is_there_is_noted_as_applied(place: Place) -> None:
    known = place.migrations()
    with place.opened() as database:
        migrate_up(Running(database, known[:2], 1))
        schema = database.schema()
        for version in (2, 1):
            with database.transaction():
                database.forget(version)
        with pytest.raises(
            StoreMismatch, match="its schema is not that of version 0003; nothing was noted:\nmissing"
        ):
            baseline(Running(database, known, 1), None)
        assert database.applied() == ()
        assert baseline(Running(database, known, 7), 2) == ("0001_first", "0002_second")
        assert database.schema() == schema
        assert [(each.version, each.applied_at_ms) for each in database.applied()] == [(1, 7), (2, 7)]
        with pytest.raises(StoreMismatch, match="0002_second is noted as applied already"):
            baseline(Running(database, known, 1), 2)
        assert [done.name for done in migrate_up(Running(database, known, 1))] == ["0003_third"]


@pytest.mark.real("postgres")
def test_a_shadow_is_gone_afterwards_also_when_it_failed(
    postgres_server: PostgresServer, database_url: str
) -> None:
    place = Place("postgres", database_url)
    known = migration(place)
    with place.opened() as database:
        migrate_up(Running(database, (known,), 1))
        assert drift(database, (known,)) == ()
        with pytest.raises(StoreError):
            drift(database, (Migration(1, known.name, "SELECT absent;", ""),))
    with postgres_server.connect() as server:
        query = "SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)"
        assert server.execute(query, (SHADOW_PREFIX,)).fetchone() == (0,)


@pytest.mark.real("postgres")
def test_who_may_make_no_database_names_one_to_replay_into(
    postgres_server: PostgresServer, database_url: str
) -> None:
    name = postgres_server.new_database()
    place = Place("postgres", database_url)
    known = migration(place)
    with postgres_server.connect() as server:
        server.execute("CREATE ROLE plain LOGIN")
        for each in (name, database_url.rpartition("/")[2]):
            server.execute(f'GRANT ALL ON DATABASE "{each}" TO plain'.encode())
    try:
        url = postgres_server.socket_url(database_url.rpartition("/")[2], user="plain")
        shadow = postgres_server.socket_url(name, user="plain")
        database = open_postgres(url)
        migrate_up(Running(database, (known,), 1))
        with pytest.raises(StoreError, match=r"grant CREATEDB, or name an empty database with --shadow-url"):
            drift(database, (known,))
        database.close()
        database = open_postgres(url, shadow_url=shadow)
        for _ in range(2):
            assert drift(database, (known,)) == ()
        database.close()
        database = open_postgres(url, shadow_url=url)
        with pytest.raises(StoreError, match=r"--shadow-url postgresql://.*: it is not empty"):
            drift(database, (known,))
        database.close()
    finally:
        postgres_server.drop_database(name)
        with postgres_server.connect(database_url.rpartition("/")[2]) as server:
            server.execute("DROP OWNED BY plain CASCADE")
            server.execute("DROP ROLE plain")


@pytest.mark.real("postgres")
def test_a_role_that_may_make_no_schemas_migrates_into_those_made_for_it(
    postgres_server: PostgresServer, database_url: str
) -> None:
    """`CREATE SCHEMA IF NOT EXISTS` asked for the right to make one where it was there already."""
    name = database_url.rpartition("/")[2]
    known = packaged_migrations("postgres")
    with postgres_server.connect(name) as server:
        server.execute("CREATE ROLE confined LOGIN")
        for schema in ("migrations", "core", "chains", "enterprise", "analytics"):
            server.execute(f"CREATE SCHEMA sprint_{schema} AUTHORIZATION confined".encode())
        try:
            with closing(open_postgres(postgres_server.socket_url(name, user="confined"))) as database:
                assert len(migrate_up(Running(database, known, 1))) == len(known)
        finally:
            server.execute("DROP OWNED BY confined CASCADE")
            server.execute("DROP ROLE confined")
