"""Statements are found with the line each begins on, whatever stands in quotes, comments and bodies."""

from __future__ import annotations

import pytest

from sprint.core.migrate.statements import normalised, place_of, split, words_of
from sprint.core.migrate.tokens import DIALECTS, Dialect

TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  UPDATE b SET c = 1;\n  DELETE FROM d;\nEND"
BODY = "CREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC\n  SELECT 1;\n  SELECT CASE WHEN true THEN 2 END;\nEND"


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("sqlite", "SELECT ';', \";\", `;`, [;]"),
        ("sqlite", "SELECT 1 /* ; */ + 1 -- ;\n + 1"),
        ("sqlite", TRIGGER),
        ("sqlite", TRIGGER.replace("CREATE", "CREATE TEMP")),
        ("sqlite", "SELECT 'it''s; here'"),
        ("postgres", "SELECT ';', \";\""),
        ("postgres", "SELECT 1 /* ; /* ; */ ; */ + 1"),
        ("postgres", "SELECT $$;$$, $a$ ; $$ ; $b$ $a$"),
        ("postgres", "SELECT E'\\';', 'a\\'"),
        ("postgres", "SELECT E'a'\n  '\\';'"),
        ("postgres", BODY),
        ("postgres", "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)"),
    ],
)
def test_a_semicolon_within_a_statement_does_not_end_it(dialect: Dialect, statement: str) -> None:
    found = split(f"-- first; a comment\n\n{statement};\nSELECT 'after';", dialect)
    assert [(each.text, each.line) for each in found] == [
        (statement, 3),
        ("SELECT 'after'", 4 + statement.count("\n")),
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_but_comments_and_semicolons_is_no_statement(dialect: Dialect) -> None:
    assert split("", dialect) == split(";;\n-- only this;\n /* and ; this */ ;", dialect) == ()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_last_statement_needs_no_semicolon(dialect: Dialect) -> None:
    assert [each.text for each in split("SELECT 1; SELECT 2 -- end", dialect)] == ["SELECT 1", "SELECT 2"]


def test_line_ends_and_a_byte_order_mark_change_no_place() -> None:
    texts = ["\ufeffSELECT 1;\r\n\r\nSELECT 2;", "SELECT 1;\r\rSELECT 2;", "SELECT 1;\n\nSELECT 2;"]
    found = [split(normalised(text), "sqlite") for text in texts]
    assert found[0] == found[1] == found[2]
    assert [each.line for each in found[0]] == [1, 3]


def test_a_place_is_line_and_column_from_one() -> None:
    assert [place_of("ab\ncd", offset) for offset in range(5)] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]


def test_words_are_without_comments_and_in_capitals_but_for_what_is_quoted() -> None:
    sql = "alter /* no */ table \"Big\" add x text -- no\n default 'set not null'"
    assert words_of(sql, "postgres") == (
        *("ALTER", "TABLE", '"Big"', "ADD", "X", "TEXT", "DEFAULT", "'set not null'"),
    )
