"""How a live schema differs from the expected one: each difference by its kind, its table and its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from sprint.core.migrate.schema import Column, Named, Schema, Table

How = Literal["missing", "extra", "changed"]


class Difference(msgspec.Struct, frozen=True):
    """`missing` was expected and isn't there, `extra` is there unexpected, `changed` is there otherwise.

    `what` is table, column, type, nullability, default, generated, order, index, constraint, traits,
    definition, or a thing's own kind. `name` is empty where the table says it all.
    """

    how: How
    what: str
    table: str
    name: str
    expected: str = ""
    found: str = ""

    @property
    def text(self) -> str:
        """Return it in a line."""
        of = f"{self.what} {self.name} of {self.table}" if self.name and self.table else ""
        place = of or f"{self.what} {self.name or self.table}"
        match self.how:
            case "missing":
                return f"missing {place}" + (f": expected {self.expected}" if self.expected else "")
            case "extra":
                return f"extra {place}" + (f": {self.found}" if self.found else "")
            case _:
                return f"changed {place}: expected {self.expected or 'none'}, found {self.found or 'none'}"


def differences(expected: Schema, found: Schema) -> tuple[Difference, ...]:
    """Return every difference, table by table and in the order of their names."""
    named: list[Difference] = []
    ours = {table.name: table for table in expected.tables}
    theirs = {table.name: table for table in found.tables}
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in theirs:
            named.append(Difference("missing", "table", name, ""))
        elif name not in ours:
            named.append(Difference("extra", "table", name, ""))
        else:
            named.extend(_of_table(ours[name], theirs[name]) or _of_definition(ours[name], theirs[name]))
    things = [
        tuple(Named(f"{thing.kind} {thing.name}", thing.definition) for thing in schema.things)
        for schema in (expected, found)
    ]
    for each in _of_named("", "", *things):
        what, _, name = each.name.partition(" ")
        named.append(msgspec.structs.replace(each, what=what, name=name))
    return tuple(named)


def _of_table(expected: Table, found: Table) -> list[Difference]:
    named = [
        *_of_columns(expected, found),
        *_of_named("index", expected.name, expected.indexes, found.indexes),
        *_of_named("constraint", expected.name, expected.constraints, found.constraints),
    ]
    if expected.traits != found.traits:
        named.append(Difference("changed", "traits", expected.name, "", expected.traits, found.traits))
    return named


def _of_definition(expected: Table, found: Table) -> list[Difference]:
    if expected.definition == found.definition:
        return []
    return [Difference("changed", "definition", expected.name, "", expected.definition, found.definition)]


def _of_columns(expected: Table, found: Table) -> Iterator[Difference]:
    ours = {column.name: column for column in expected.columns}
    theirs = {column.name: column for column in found.columns}
    for name, column in ours.items():
        if name not in theirs:
            yield Difference("missing", "column", expected.name, name, _said(column))
        else:
            yield from _of_column(expected.name, column, theirs[name])
    for name, column in theirs.items():
        if name not in ours:
            yield Difference("extra", "column", expected.name, name, "", _said(column))
    order = [name for name in ours if name in theirs]
    their_order = [name for name in theirs if name in ours]
    if order != their_order:
        yield Difference("changed", "order", expected.name, "", ", ".join(order), ", ".join(their_order))


def _of_column(table: str, expected: Column, found: Column) -> Iterator[Difference]:
    said = {True: "null allowed", False: "not null"}
    for what, ours, theirs in (
        ("type", expected.type, found.type),
        ("nullability", said[expected.nullable], said[found.nullable]),
        ("default", expected.default, found.default),
        ("generated", expected.made, found.made),
    ):
        if ours != theirs:
            yield Difference("changed", what, table, expected.name, ours, theirs)


def _of_named(
    what: str, table: str, expected: Iterable[Named], found: Iterable[Named]
) -> Iterator[Difference]:
    ours = {each.name: each.definition for each in expected}
    theirs = {each.name: each.definition for each in found}
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in theirs:
            yield Difference("missing", what, table, name, ours[name])
        elif name not in ours:
            yield Difference("extra", what, table, name, "", theirs[name])
        elif ours[name] != theirs[name]:
            yield Difference("changed", what, table, name, ours[name], theirs[name])


def _said(column: Column) -> str:
    parts = [column.type or "any type", "" if column.nullable else "not null"]
    parts.append(f"default {column.default}" if column.default else "")
    return " ".join(part for part in [*parts, column.made] if part)
