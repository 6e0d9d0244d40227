"""Reads a SQLite database's schema as a value: PRAGMAs for what they tell, the stored SQL for the rest.

No PRAGMA tells of a CHECK, of a collation of a column or of how one is generated. Checks are looked up in the
stored `CREATE TABLE`, whose words, without comments, are the table's definition.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from sprint.core.migrate.schema import Column, Named, Schema, Table, Thing
from sprint.core.migrate.statements import words_of

_HIDDEN = {2: "generated virtual", 3: "generated stored"}


def read_schema(connection: sqlite3.Connection, *, leave_out: str) -> Schema:
    """Read all tables, indexes, constraints, views and triggers but those of the table `leave_out`."""
    rows = connection.execute(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"
        " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name <> ? ORDER BY name",
        (leave_out,),
    ).fetchall()
    tables = tuple(_table(connection, name, sql) for kind, name, _, sql in rows if kind == "table")
    things = tuple(
        Thing(kind, name, _words(sql)) for kind, name, _, sql in rows if kind in {"view", "trigger"}
    )
    return Schema(tables, things)


def _table(connection: sqlite3.Connection, name: str, sql: str) -> Table:
    words = words_of(sql, "sqlite")
    return Table(
        name,
        tuple(_columns(connection, name)),
        tuple(_indexes(connection, name)),
        tuple(sorted(_constraints(connection, name, words), key=lambda each: each.name)),
        _traits(connection, name),
        " ".join(_lower(words)),
    )


def _traits(connection: sqlite3.Connection, table: str) -> str:
    found = connection.execute("SELECT wr, strict FROM pragma_table_list(?)", (table,)).fetchone()
    told = zip(("WITHOUT ROWID", "STRICT"), found or (), strict=False)
    return ", ".join(trait for trait, given in told if given)


def _columns(connection: sqlite3.Connection, table: str) -> Iterator[Column]:
    for _, name, kind, not_null, default, _, hidden in connection.execute(
        "SELECT * FROM pragma_table_xinfo(?) ORDER BY cid", (table,)
    ):
        yield Column(name, kind.upper(), not not_null, default or "", _HIDDEN.get(hidden, ""))


def _indexes(connection: sqlite3.Connection, table: str) -> Iterator[Named]:
    """Give those that were made by name; the ones behind a constraint are told as constraints."""
    for name, sql in connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
        " ORDER BY name",
        (table,),
    ):
        yield Named(name, _words(sql))


def _constraints(connection: sqlite3.Connection, table: str, words: tuple[str, ...]) -> Iterator[Named]:
    key = connection.execute(
        "SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", (table,)
    ).fetchall()
    if key:
        yield Named("PRIMARY KEY", f"({', '.join(name for (name,) in key)})")
    for (index,) in connection.execute(
        "SELECT name FROM pragma_index_list(?) WHERE origin = 'u'", (table,)
    ).fetchall():
        columns = [
            name or "an expression"
            for (name,) in connection.execute(
                "SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,)
            )
        ]
        yield Named(f"UNIQUE ({', '.join(columns)})", "")
    keys: dict[int, list[tuple[str, ...]]] = {}
    for row in connection.execute("SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq", (table,)):
        number, _, other, own, theirs, on_update, on_delete, _ = row
        keys.setdefault(number, []).append((own, other, theirs or "", on_update, on_delete))
    for parts in keys.values():
        own, theirs = (", ".join(part[place] for part in parts) for place in (0, 2))
        name = f"FOREIGN KEY ({own}) REFERENCES {parts[0][1]} ({theirs})"
        yield Named(name, f"{name} ON UPDATE {parts[0][3]} ON DELETE {parts[0][4]}")
    for check in _checks(words):
        yield Named(check, "")


def _checks(words: tuple[str, ...]) -> Iterator[str]:
    """Give each CHECK of a `CREATE TABLE`, with its brackets."""
    for place, word in enumerate(words):
        if word != "CHECK" or words[place + 1 : place + 2] != ("(",):
            continue
        depth = 0
        for end in range(place + 1, len(words)):
            depth += {"(": 1, ")": -1}.get(words[end], 0)
            if depth == 0:
                yield " ".join(_lower(words[place : end + 1]))
                break


def _words(sql: str) -> str:
    return " ".join(_lower(words_of(sql, "sqlite")))


def _lower(words: tuple[str, ...]) -> list[str]:
    """Return words in small letters but for what is quoted: to SQLite they are the same."""
    return [word if word[:1] in "'\"`[" else word.lower() for word in words]
