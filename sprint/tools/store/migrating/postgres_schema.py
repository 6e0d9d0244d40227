"""Reads the schemas `sprint_…` of a PostgreSQL as a value, out of its catalogue.

Left out are the table of applied versions, and partitions with all that is theirs: those come and go with the
days, by the store's own doing. Rights and comments are nobody's drift. The caller's `search_path` is empty,
so that the catalogue tells every name in full.
"""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from sprint.core.migrate.schema import Column, Named, Schema, Table, Thing

Connection = psycopg.Connection[tuple[Any, ...]]

_SCHEMAS = """
SELECT oid, nspname FROM pg_namespace
WHERE starts_with(nspname, 'sprint_') AND nspname <> 'sprint_migrations' ORDER BY nspname"""
_TABLES = """
SELECT c.oid, n.nspname || '.' || c.relname,
    concat_ws(', ',
        CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END,
        CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) END,
        CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END,
        array_to_string(c.reloptions, ', '))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.oid = ANY (%s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 2"""
_COLUMNS = """
SELECT a.attname,
    format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || l.collname ELSE '' END,
    NOT a.attnotnull,
    CASE WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), '') ELSE '' END,
    CASE WHEN a.attgenerated <> '' THEN 'generated as ' || pg_get_expr(d.adbin, d.adrelid)
        WHEN a.attidentity = 'a' THEN 'identity always'
        WHEN a.attidentity = 'd' THEN 'identity by default' ELSE '' END
FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"""
_INDEXES = """
SELECT c.relname,
    pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s
    AND NOT EXISTS (
        SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY 1"""
# That a column may not be null is a constraint too from PostgreSQL 18 on; it is told with the column.
_CONSTRAINTS = """
SELECT k.conname,
    pg_get_constraintdef(k.oid) FROM pg_constraint k
WHERE k.conrelid = %s AND k.contype NOT IN ('n', 't') ORDER BY 1"""
_THINGS = (
    """
    SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized_view' END,
        n.nspname || '.' || c.relname, pg_get_viewdef(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.oid = ANY (%s) AND c.relkind IN ('v', 'm')""",
    # A sequence that belongs to a column is told with that.
    """
    SELECT 'sequence', n.nspname || '.' || c.relname,
        format_type(s.seqtypid, NULL) || ' from ' || s.seqstart || ' by ' || s.seqincrement
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.oid = ANY (%s) AND NOT EXISTS (
        SELECT FROM pg_depend p WHERE p.objid = c.oid AND p.deptype IN ('a', 'i') AND p.refobjsubid > 0)""",
    """
    SELECT 'trigger', n.nspname || '.' || c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.oid = ANY (%s) AND NOT t.tgisinternal AND NOT c.relispartition""",
    """
    SELECT 'function',
        n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
        pg_get_functiondef(p.oid)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.oid = ANY (%s) AND p.prokind IN ('f', 'p')""",
    """
    SELECT 'type', n.nspname || '.' || t.typname, CASE t.typtype
        WHEN 'e' THEN (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
            FROM pg_enum e WHERE e.enumtypid = t.oid)
        ELSE format_type(t.typbasetype, t.typtypmod) || coalesce((SELECT ' ' || string_agg(
            pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname) FROM pg_constraint k
            WHERE k.contypid = t.oid), '') END
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.oid = ANY (%s) AND t.typtype IN ('e', 'd')""",
)


def read_schema(connection: Connection) -> Schema:
    """Read all that migrations make there; within a transaction, so that it is of one moment."""
    schemas = connection.execute(_SCHEMAS).fetchall()
    ours = [oid for oid, _ in schemas]
    tables = tuple(
        Table(
            name,
            tuple(Column(*row) for row in _rows(connection, _COLUMNS, oid)),
            tuple(Named(*row) for row in _rows(connection, _INDEXES, oid)),
            tuple(Named(*row) for row in _rows(connection, _CONSTRAINTS, oid)),
            traits,
        )
        for oid, name, traits in _rows(connection, _TABLES, ours)
    )
    things = [Thing("schema", name, "") for _, name in schemas]
    things += [Thing(*row) for query in _THINGS for row in _rows(connection, query, ours)]
    return Schema(tables, tuple(sorted(things, key=lambda thing: (thing.kind, thing.name))))


def _rows(connection: Connection, query: LiteralString, of: int | list[int]) -> list[tuple[Any, ...]]:
    return connection.execute(query, (of,)).fetchall()
