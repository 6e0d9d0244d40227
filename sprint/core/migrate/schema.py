"""A schema as a value: what a dialect reads out of a live database, so that two of them can be compared.

Definitions are in the database's own words, read from its catalogue, never from the files: two databases of
one version say the same of the same thing.
"""

from __future__ import annotations

import msgspec


class Column(msgspec.Struct, frozen=True):
    """A column. `default` is its expression, empty for none; so is `made`, how a generated one is made."""

    name: str
    type: str
    nullable: bool = True
    default: str = ""
    made: str = ""


class Named(msgspec.Struct, frozen=True):
    """An index or a constraint by its name, with its definition."""

    name: str
    definition: str


class Table(msgspec.Struct, frozen=True):
    """A table. `traits` is what it is beside its columns, as `WITHOUT ROWID` or how it is partitioned.

    `definition`, where a database keeps one, is compared only where nothing else of the table differs.
    """

    name: str
    columns: tuple[Column, ...] = ()
    indexes: tuple[Named, ...] = ()
    constraints: tuple[Named, ...] = ()
    traits: str = ""
    definition: str = ""


class Thing(msgspec.Struct, frozen=True):
    """Anything that is no table: a view, a trigger, a function, a sequence, a type."""

    kind: str
    name: str
    definition: str


class Schema(msgspec.Struct, frozen=True):
    tables: tuple[Table, ...] = ()
    things: tuple[Thing, ...] = ()
