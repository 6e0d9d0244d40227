"""The statements that write and delete records, made from the tables' description for either dialect.

Names come from `core.relay.record_tables` alone, never from outside; values are always bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Literal

from sprint.core.relay.record_tables import RECORD_TABLES
from sprint.core.relay.records import Record, RecordTable, Value
from sprint.tools.store.settings import StoreSettings

Dialect = Literal["sqlite", "postgres"]
_PLACEHOLDER: dict[Dialect, str] = {"sqlite": "?", "postgres": "%s"}
_ROW_ADDRESS: dict[Dialect, str] = {"sqlite": "rowid", "postgres": "ctid"}
_INSERT = "INSERT INTO {name} AS kept ({columns}) VALUES ({marks})"
_DELETE = """DELETE FROM {name} WHERE {row} IN (
SELECT {row} FROM {name} WHERE {at} < {mark} ORDER BY {at} LIMIT {mark})"""
_HIGHER: dict[Dialect, str] = {"sqlite": "max", "postgres": "greatest"}


def table_name(table: RecordTable, dialect: Dialect) -> str:
    """Return a table's name in a dialect: `sprint_core_x`, or `sprint_core.x` where there are schemas."""
    if dialect == "sqlite":
        return table.name
    project, schema, name = table.name.split("_", 2)
    return f"{project}_{schema}.{name}"


def groups(records: Iterable[Record]) -> list[tuple[RecordTable, list[tuple[Value, ...]]]]:
    """Gather rows by table, those of one table in their order: one statement is run for each."""
    found: dict[str, tuple[RecordTable, list[tuple[Value, ...]]]] = {}
    for record in records:
        found.setdefault(record.table.name, (record.table, []))[1].append(record.values)
    return list(found.values())


def retention(settings: StoreSettings, now_s: float) -> list[tuple[RecordTable, int]]:
    """Return each table with the oldest time that is kept in it, in Unix milliseconds."""
    longest_s = {"history": settings.history_s, "audit": max(settings.history_s, settings.audit_s)}
    return [(table, int((now_s - longest_s[table.keep]) * 1000)) for table in RECORD_TABLES]


@cache
def upsert(table: RecordTable, dialect: Dialect) -> str:
    """Return the statement that writes one row, its placeholders in the order of the columns."""
    marks = ", ".join([_PLACEHOLDER[dialect]] * len(table.columns))
    columns = ", ".join(table.columns)
    text = _INSERT.format(name=table_name(table, dialect), columns=columns, marks=marks)
    if not table.key:
        return text
    changes = [
        f"{column} = {_merged(table, column, dialect)}" for column in table.columns if column not in table.key
    ]
    return f"{text} ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {', '.join(changes)}"


@cache
def delete_expired(table: RecordTable, dialect: Dialect) -> str:
    """Return the bounded delete of the oldest rows: bind the oldest time kept, in ms, and how many rows."""
    return _DELETE.format(
        name=table_name(table, dialect),
        row=_ROW_ADDRESS[dialect],
        at=table.at,
        mark=_PLACEHOLDER[dialect],
    )


def _merged(table: RecordTable, column: str, dialect: Dialect) -> str:
    """Return what becomes of a column where a row of the key is there already."""
    old, new = f"kept.{column}", f"excluded.{column}"
    if column in table.kept:
        return f"coalesce({new}, {old})"
    if column in table.added:
        return f"{old} + {new}"
    if column in table.highest:
        return f"{_HIGHER[dialect]}(coalesce({new}, {old}), coalesce({old}, {new}))"
    return new
