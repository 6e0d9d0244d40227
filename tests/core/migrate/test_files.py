"""What a migration's files may hold, and how the next ones are named."""

from __future__ import annotations

import pytest

from sprint.core.errors import ConfigError, StoreMismatch
from sprint.core.migrate.files import NAME_LENGTH_MAX, VERSION_MAX, Migration, new_files, script_of
from sprint.core.migrate.tokens import DIALECTS, Dialect

CHECKED = """-- What it is for.
CREATE TABLE a (x);
-- verify: it is empty
SELECT count(*) = 0 FROM a;
SELECT 1 = 1;
-- verify: and so is b
SELECT count(*) = 0 FROM b;
"""


def migration(up: str, down: str = "SELECT 1;") -> Migration:
    return Migration(1, "0001_a", up, down)


def test_queries_of_a_verify_section_are_no_statements() -> None:
    script = script_of(migration(CHECKED), "up", "sqlite")
    assert [each.text for each in script.statements] == ["CREATE TABLE a (x)"]
    assert [(each.says, each.query.line) for each in script.checks] == [
        ("it is empty", 4),
        ("it is empty", 5),
        ("and so is b", 7),
    ]


@pytest.mark.parametrize(
    "line", ["-- transaction:false", "--transaction: false ", "  --  transaction : false"]
)
def test_a_file_may_ask_for_no_transaction_before_its_first_statement(line: str) -> None:
    assert not script_of(migration(f"-- why\n{line}\nVACUUM;"), "up", "sqlite").transactional
    assert script_of(migration(f"VACUUM;\n{line}\n"), "up", "sqlite").transactional
    assert script_of(migration(f"-- see {line}\nVACUUM;"), "up", "sqlite").transactional


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "-- transaction:false\nSELECT 1;\nSELECT 2;",
            r"0001_a\.up\.sql: 2 statements without a transaction",
        ),
        ("-- transaction:false\n-- verify: it\nSELECT 1;", r"0001_a\.up\.sql: 0 statements without a"),
        ("SELECT 1;\n\nCOMMIT;", r"0001_a\.up\.sql: line 3: COMMIT is not for a migration"),
        ("begin;\nSELECT 1;", r"line 1: BEGIN is not for a migration"),
        ("SELECT 1;\n/**/ savepoint a;", r"line 2: SAVEPOINT is not"),
        ("SELECT 1;\n-- verify: all is well\n", r"0001_a\.up\.sql: a verify section without a query"),
        (
            "SELECT 1;\n-- verify: it\nDELETE FROM a;",
            r"line 3: DELETE in a verify section, which is queries only",
        ),
        ("SELECT 1;\nSELECT 2 /* and\nSELECT 3;", r"line 2, column 10: a comment that is not closed"),
    ],
)
def test_what_could_not_be_rolled_back_or_would_be_left_out_is_refused(
    dialect: Dialect, text: str, said: str
) -> None:
    with pytest.raises(StoreMismatch, match=said):
        script_of(migration(text), "up", dialect)


def test_the_next_files_are_numbered_after_the_newest() -> None:
    known = (migration("SELECT 1;"),)
    assert list(new_files(known, "Add peer-notes")) == [
        "0002_add_peer_notes.up.sql",
        "0002_add_peer_notes.down.sql",
    ]
    assert list(new_files((), "first")) == ["0001_first.up.sql", "0001_first.down.sql"]


@pytest.mark.parametrize("title", ["", "../up", "a__b", "_a", "é", "a/b", "x" * (NAME_LENGTH_MAX + 1)])
def test_a_name_that_would_be_no_file_is_refused(title: str) -> None:
    with pytest.raises(ConfigError, match="is no name for a migration"):
        new_files((), title)
    assert new_files((), "x" * NAME_LENGTH_MAX)


def test_a_name_that_is_taken_and_a_number_too_many_are_refused() -> None:
    with pytest.raises(ConfigError, match="there is 0001_a already"):
        new_files((migration(""),), "a")
    with pytest.raises(StoreMismatch, match=f"there are {VERSION_MAX} migrations"):
        new_files((Migration(VERSION_MAX, "9999_last", "", ""),), "b")
