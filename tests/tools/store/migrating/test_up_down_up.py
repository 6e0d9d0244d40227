"""Each migration of the package goes up, down and up with a row in every table: what it doesn't undo stays.

Down loses what the version had made and nothing else; the schema afterwards is that of before.
"""

from __future__ import annotations

from sprint.core.migrate.drift import differences
from sprint.core.migrate.schema import Column, Schema, Table
from sprint.tools.store.migrating import Database
from sprint.tools.store.migrating.packaged import packaged_migrations
from sprint.tools.store.migrating.runner import Running, migrate_down, migrate_up
from tests.tools.store.migrating.places import Place

INTO = "INSERT INTO "
ALL_OF = "SELECT * FROM "
# Where a check allows only some values.
VALUES = {"only_row": "1", "state": "'held'"}
BY_TYPE = {
    "text": "'it''s ; x'",
    "bytea": "'\\x00ff'",
    "blob": "X'00ff'",
    "boolean": "true",
    "date": "'2026-11-22'",
    "jsonb": "'{}'",
    "double precision": "1.5",
    "real": "1.5",
}


def value_of(column: Column) -> str:
    return VALUES.get(column.name, BY_TYPE.get(column.type.lower(), "1"))


def row_of(table: Table) -> str:
    """Return what inserts one row of made-up values."""
    columns = [column for column in table.columns if not column.made]
    names = ", ".join(column.name for column in columns)
    return INTO + f"{table.name} ({names}) VALUES ({', '.join(map(value_of, columns))})"


def fill(database: Database, filled: set[str]) -> None:
    """Put a row into each table that has none, whatever it may refer to."""
    if database.dialect == "postgres":
        database.execute("SET session_replication_role = replica")
    for table in database.schema().tables:
        if table.name not in filled:
            if "PARTITION" in table.traits:
                database.execute(f"CREATE TABLE {table.name}_any PARTITION OF {table.name} DEFAULT")
            database.execute(row_of(table))
            filled.add(table.name)


def rows(database: Database, tables: set[str]) -> dict[str, list[str]]:
    return {name: [repr(row) for row in database.answer(ALL_OF + name)] for name in sorted(tables)}


def test_up_down_up_keeps_all_that_the_version_did_not_make(place: Place) -> None:
    known = packaged_migrations(place.dialect)
    filled: set[str] = set()
    schemas = [Schema()]
    with place.opened() as database:
        running = Running(database, known, 1)
        for migration in known:
            kept = rows(database, filled)
            migrate_up(running, to=migration.version)
            schemas.append(database.schema())
            fill(database, filled)
            assert all(len(found) == 1 for found in rows(database, filled).values())
            migrate_down(running, to=migration.version - 1)
            assert rows(database, set(kept)) == kept
            assert differences(schemas[-2], database.schema()) == ()
            migrate_up(running, to=migration.version)
            assert rows(database, set(kept)) == kept
            assert differences(schemas[-1], database.schema()) == ()
            filled = set(kept)
            fill(database, filled)
        migrate_down(running, to=0)
        assert database.schema() == Schema()
        assert len(migrate_up(running)) == len(known)
        assert differences(schemas[-1], database.schema()) == ()
    assert len(filled) >= len(known)
