"""Whatever is changed of a schema is named, with its kind, its table and its name; and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sprint.core.migrate.drift import differences
from sprint.core.migrate.schema import Column, Named, Schema, Table, Thing

NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
WORDS = st.sampled_from(["text", "bigint", "(a > 0)", "UNIQUE (a)", "now()", "1"])
COLUMNS = st.builds(Column, NAMES, WORDS, st.booleans(), st.just("") | WORDS, st.just("") | WORDS)
NAMED = st.lists(st.builds(Named, NAMES, WORDS), unique_by=lambda each: each.name, max_size=4).map(tuple)
TABLES = st.builds(
    Table,
    NAMES,
    st.lists(COLUMNS, unique_by=lambda each: each.name, min_size=1, max_size=5).map(tuple),
    NAMED,
    NAMED,
    st.sampled_from(["", "STRICT"]),
    WORDS,
)
THINGS = st.builds(Thing, st.sampled_from(["view", "trigger"]), NAMES, WORDS)
SCHEMAS = st.builds(
    Schema,
    st.lists(TABLES, unique_by=lambda each: each.name, min_size=1, max_size=4).map(tuple),
    st.lists(THINGS, unique_by=lambda each: (each.kind, each.name), max_size=3).map(tuple),
)
NEW = "new_name"  # longer than any that is drawn


class Change(NamedTuple):
    """A changed schema, and what has to be said of it: how, what, table, name."""

    schema: Schema
    said: tuple[str, str, str, str]


def with_table(schema: Schema, table: Table) -> Schema:
    return replace(schema, tables=tuple(table if each.name == table.name else each for each in schema.tables))


def of_columns(draw: st.DrawFn, schema: Schema, table: Table) -> Change:
    column = draw(st.sampled_from(table.columns))
    changes: list[tuple[str, dict[str, object]]] = [
        ("type", {"type": f"{column.type} other"}),
        ("nullability", {"nullable": not column.nullable}),
        ("default", {"default": f"{column.default}7"}),
        ("generated", {"made": f"{column.made} other"}),
    ]
    what, fields = draw(st.sampled_from(changes))
    changed = replace(column, **fields)
    columns = tuple(changed if each == column else each for each in table.columns)
    return Change(
        with_table(schema, replace(table, columns=columns)), ("changed", what, table.name, column.name)
    )


def of_column_set(draw: st.DrawFn, schema: Schema, table: Table) -> Change:
    if len(table.columns) > 1 and draw(st.booleans()):
        gone = draw(st.sampled_from(table.columns))
        columns = tuple(each for each in table.columns if each != gone)
        said = ("missing", "column", table.name, gone.name)
    else:
        columns = (*table.columns, Column(NEW, "text"))
        said = ("extra", "column", table.name, NEW)
    return Change(with_table(schema, replace(table, columns=columns)), said)


def of_named(draw: st.DrawFn, schema: Schema, table: Table) -> Change:
    field, what = draw(st.sampled_from([("indexes", "index"), ("constraints", "constraint")]))
    there: tuple[Named, ...] = getattr(table, field)
    changed: tuple[Named, ...]
    if not there:
        changed, said = (Named(NEW, "x"),), ("extra", what, table.name, NEW)
    elif draw(st.booleans()):
        changed, said = there[1:], ("missing", what, table.name, there[0].name)
    else:
        changed = (Named(there[0].name, f"{there[0].definition} other"), *there[1:])
        said = ("changed", what, table.name, there[0].name)
    return Change(with_table(schema, replace(table, **{field: changed})), said)


def of_table(draw: st.DrawFn, schema: Schema, table: Table) -> Change:
    match draw(st.sampled_from(["missing", "extra", "traits", "definition"])):
        case "missing":
            left = tuple(each for each in schema.tables if each != table)
            return Change(replace(schema, tables=left), ("missing", "table", table.name, ""))
        case "extra":
            more = (*schema.tables, Table(NEW, (Column("a", "text"),)))
            return Change(replace(schema, tables=more), ("extra", "table", NEW, ""))
        case field:
            changed = replace(table, **{field: f"{getattr(table, field)} other"})
            return Change(with_table(schema, changed), ("changed", field, table.name, ""))


def of_thing(draw: st.DrawFn, schema: Schema, table: Table) -> Change:
    kept = draw(st.booleans())
    if schema.things and not kept:
        gone = schema.things[0]
        return Change(replace(schema, things=schema.things[1:]), ("missing", gone.kind, "", gone.name))
    more = (*schema.things, Thing("function", NEW, table.name))
    return Change(replace(schema, things=more), ("extra", "function", "", NEW))


CHANGES: tuple[Callable[[st.DrawFn, Schema, Table], Change], ...] = (
    of_columns,
    of_column_set,
    of_named,
    of_table,
    of_thing,
)


@st.composite
def changed_schemas(draw: st.DrawFn) -> tuple[Schema, Change]:
    schema = draw(SCHEMAS)
    change = draw(st.sampled_from(CHANGES))
    return schema, change(draw, schema, draw(st.sampled_from(schema.tables)))


@given(changed_schemas())
def test_a_change_is_named_and_only_that(drawn: tuple[Schema, Change]) -> None:
    schema, change = drawn
    found = differences(schema, change.schema)
    assert [(each.how, each.what, each.table, each.name) for each in found] == [change.said]
    back = {"missing": "extra", "extra": "missing", "changed": "changed"}
    assert [(back[each.how], each.what) for each in differences(change.schema, schema)] == [change.said[:2]]
    assert all(part in found[0].text for part in change.said)


@given(SCHEMAS)
@settings(max_examples=50)
def test_a_schema_does_not_differ_from_itself(schema: Schema) -> None:
    assert differences(schema, schema) == ()


@settings(max_examples=50)
@given(SCHEMAS, st.randoms(use_true_random=False))
def test_columns_in_another_order_are_told_once(schema: Schema, rng: Random) -> None:
    table = schema.tables[0]
    mixed = tuple(rng.sample(table.columns, len(table.columns)))
    found = differences(schema, with_table(schema, replace(table, columns=mixed)))
    assert [each.what for each in found] == (["order"] if mixed != table.columns else [])
