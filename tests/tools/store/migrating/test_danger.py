"""What `plan` says of a statement is what PostgreSQL does: its lock, and whether it rewrites the table."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sprint.core.migrate.danger import impact_of
from sprint.core.migrate.tokens import DIALECTS, Dialect
from tests.integration.postgres_server import PostgresServer

TABLE = "sprint_t.t"
# From the mildest to the strongest (manual, 13.3.1).
LOCKS = (
    *("none", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE"),
    *("SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"),
)
# Each on the table below; True where it is to be flagged.
STATEMENTS = [
    ("ALTER TABLE sprint_t.t ADD COLUMN d text", False),
    ("ALTER TABLE sprint_t.t ADD COLUMN d bigint NOT NULL DEFAULT 7", False),
    ("ALTER TABLE sprint_t.t ADD COLUMN d uuid DEFAULT gen_random_uuid()", True),
    ("ALTER TABLE sprint_t.t ADD d bigint GENERATED ALWAYS AS IDENTITY", True),
    ("ALTER TABLE sprint_t.t ADD COLUMN d bigserial", True),
    ("ALTER TABLE sprint_t.t ALTER COLUMN a TYPE numeric", True),
    ("ALTER TABLE sprint_t.t ALTER a SET DATA TYPE numeric", True),
    ("ALTER TABLE sprint_t.t ALTER COLUMN c SET NOT NULL", True),
    ("ALTER TABLE sprint_t.t ALTER COLUMN b SET DEFAULT 'y'", False),
    ("ALTER TABLE sprint_t.t ALTER COLUMN b DROP DEFAULT", False),
    ("ALTER TABLE sprint_t.t ALTER COLUMN a DROP NOT NULL", False),
    ("ALTER TABLE sprint_t.t SET UNLOGGED", True),
    ("ALTER TABLE sprint_t.t DROP COLUMN c", True),
    ("ALTER TABLE sprint_t.t DROP CONSTRAINT t_b_key CASCADE", False),
    ("ALTER TABLE sprint_t.t ADD CONSTRAINT k CHECK (a > 0)", True),
    ("ALTER TABLE sprint_t.t ADD CONSTRAINT k CHECK (a > 0) NOT VALID", False),
    ("ALTER TABLE sprint_t.t ADD CONSTRAINT k UNIQUE (c)", True),
    ("ALTER TABLE sprint_t.t ADD PRIMARY KEY (a)", True),
    ("ALTER TABLE sprint_t.t ADD FOREIGN KEY (c) REFERENCES sprint_t.u (x)", True),
    ("ALTER TABLE sprint_t.t ADD FOREIGN KEY (c) REFERENCES sprint_t.u (x) NOT VALID", False),
    ("ALTER TABLE sprint_t.t VALIDATE CONSTRAINT late", False),
    ("ALTER TABLE sprint_t.t RENAME COLUMN c TO d", True),
    ("ALTER TABLE sprint_t.t ADD COLUMN d text, ALTER COLUMN a TYPE numeric", True),
    ("ALTER TABLE sprint_t.t ALTER COLUMN b SET STATISTICS 7", False),
    ("CREATE INDEX t_c ON sprint_t.t (c)", True),
    ("CREATE UNIQUE INDEX t_c ON sprint_t.t (a) WHERE c <> 'SET NOT NULL'", True),
    ("CREATE TRIGGER g BEFORE INSERT ON sprint_t.t FOR EACH ROW EXECUTE FUNCTION sprint_t.g()", False),
    ("DROP INDEX sprint_t.t_a", False),
    ("DROP TABLE sprint_t.t", True),
    ("TRUNCATE TABLE sprint_t.t", True),
    ("UPDATE sprint_t.t SET c = 'where'", True),
    ("UPDATE sprint_t.t SET c = 'x' WHERE a = 1", False),
    ("DELETE FROM sprint_t.t", True),
    ("DELETE FROM sprint_t.t WHERE a = 1", False),
    ("INSERT INTO sprint_t.t VALUES (9, 'z', NULL)", False),
    ("CREATE TABLE sprint_t.w (a bigint REFERENCES sprint_t.t (late_key))", False),
    ("CREATE TABLE sprint_t.w (a bigint)", False),
    ("CREATE VIEW sprint_t.v AS SELECT a FROM sprint_t.t", False),
    ("COMMENT ON TABLE sprint_t.t IS 'x'", False),
    ("CLUSTER sprint_t.t USING t_a", True),
    ("REINDEX TABLE sprint_t.t", True),
]
SETUP = (
    "CREATE SCHEMA sprint_t",
    "CREATE TABLE sprint_t.u (x text PRIMARY KEY)",
    "CREATE TABLE sprint_t.t (a bigint NOT NULL, b text DEFAULT 'x' UNIQUE, c text, late_key bigint UNIQUE)",
    "INSERT INTO sprint_t.t VALUES (1, 'a'), (2, 'b')",
    "ALTER TABLE sprint_t.t ADD CONSTRAINT late CHECK (a > 0) NOT VALID",
    "UPDATE sprint_t.t SET c = b",
    "INSERT INTO sprint_t.u VALUES ('a'), ('b')",
    "CREATE INDEX t_a ON sprint_t.t (a)",
    "CREATE FUNCTION sprint_t.g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
)
_LOCK = """
SELECT l.mode FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = %s"""
_FILE = "SELECT pg_relation_filenode('sprint_t.t')"


@pytest.fixture
def server(
    postgres_server: PostgresServer, database_url: str
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in SETUP:
            connection.execute(statement.encode())
        yield connection


def strongest(modes: list[str]) -> str:
    """Return the strongest of locks, each as pg_locks spells it: AccessExclusiveLock."""
    spelt = {name.title().replace(" ", "") + "Lock": name for name in LOCKS}
    return max((spelt[mode] for mode in modes), key=LOCKS.index, default="none")


@pytest.mark.real("postgres")
def test_the_lock_and_the_rewrite_are_what_the_plan_says(
    server: psycopg.Connection[tuple[object, ...]],
) -> None:
    wrong = []
    oid = server.execute("SELECT 'sprint_t.t'::regclass::oid").fetchall()[0][0]
    for statement, flagged in STATEMENTS:
        impact = impact_of(statement, "postgres")
        before = server.execute(_FILE).fetchone()
        with server.transaction(force_rollback=True):
            server.execute(statement.encode())
            held = strongest([str(mode) for (mode,) in server.execute(_LOCK, (oid,)).fetchall()])
            there = server.execute("SELECT to_regclass('sprint_t.t') IS NOT NULL").fetchone() == (True,)
            rewritten = there and server.execute(_FILE).fetchone() != before
        said = impact.lock if impact.lock != "none" else held
        milder_at_most = LOCKS.index(held) <= LOCKS.index(said)
        if not milder_at_most or flagged != bool(impact.dangers) or (rewritten and not impact.dangers):
            wrong.append((statement, impact, held, rewritten))
    assert wrong == []


@pytest.mark.real("postgres")
def test_no_lock_is_said_to_be_stronger_than_it_is(server: psycopg.Connection[tuple[object, ...]]) -> None:
    """But where the statement's object is another one than the table, as with an index that is dropped."""
    wrong = []
    oid = server.execute("SELECT 'sprint_t.t'::regclass::oid").fetchall()[0][0]
    for statement, _ in STATEMENTS:
        with server.transaction(force_rollback=True):
            server.execute(statement.encode())
            held = strongest([str(mode) for (mode,) in server.execute(_LOCK, (oid,)).fetchall()])
        said = impact_of(statement, "postgres").lock
        if said not in {"none", held}:
            wrong.append((statement, said, held))
    assert wrong == []


@pytest.mark.parametrize(
    ("statement", "flagged"),
    [
        ("CREATE TABLE t (a)", False),
        ("CREATE INDEX i ON t (a)", True),
        ("CREATE TABLE w AS SELECT * FROM t", True),
        ("ALTER TABLE t ADD COLUMN b", False),
        ("ALTER TABLE t DROP COLUMN b", True),
        ("ALTER TABLE t RENAME TO u", True),
        ("DROP TABLE t", True),
        ("DROP INDEX i", False),
        ("UPDATE t SET a = 1", True),
        ("UPDATE t SET a = 1 WHERE b = 2", False),
        ("DELETE FROM t", True),
        ("INSERT INTO t VALUES (1)", False),
        ("INSERT INTO t SELECT * FROM u", True),
        ("VACUUM", True),
        ("PRAGMA user_version = 3", False),
        ("FROBNICATE t", True),
    ],
)
def test_dangers_of_sqlite(statement: str, flagged: object) -> None:
    assert bool(impact_of(statement, "sqlite").dangers) == flagged


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ('ALTER TABLE IF EXISTS ONLY a."T x" ADD b text', "a.T x"),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY a.t (x)", "a.t"),
        ("CREATE INDEX ON a.t (x)", "a.t"),
        ("CREATE TABLE a.new (x bigint REFERENCES a.t (x))", "a.t"),
        ("CREATE TABLE a.new PARTITION OF a.t DEFAULT", "a.t"),
        ("CREATE TABLE IF NOT EXISTS a.new (x text DEFAULT 'references b')", "a.new"),
        ("UPDATE ONLY a.t SET x = 1", "a.t"),
        ("DELETE FROM a.t", "a.t"),
        ("VACUUM FULL a.t", "a.t"),
        ("SELECT 1", ""),
    ],
)
def test_the_table_is_the_one_that_is_locked(statement: str, table: str) -> None:
    assert impact_of(statement, "postgres").table == table


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_dangerous_to_a_table_that_the_plan_itself_makes(dialect: Dialect) -> None:
    for statement in ("CREATE INDEX i ON a.t (x)", 'CREATE INDEX i ON "a"."t" (x)', "DELETE FROM a.t"):
        assert impact_of(statement, dialect).dangers
        assert not impact_of(statement, dialect, {"a.t"}).dangers
        assert impact_of(statement, dialect, {"a.other"}).dangers
