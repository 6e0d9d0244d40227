"""The splitter of SQL beside the databases' own: no text breaks it, and it cuts where they do.

SQLite tells by `sqlite3.complete_statement` whether a text ends with a statement. PostgreSQL is sent the text
whole, and then what it was split into: it accepts both or neither, and answers as many statements. Each runs
for a share of SPRINT_FUZZ_PARSER_S seconds. SPRINT_SEED repeats a run.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from psycopg.pq import ExecStatus

from sprint.core.migrate.statements import ends_of, place_of, split, words_of
from sprint.core.migrate.tokens import DIALECTS, tokens_of
from tests.fuzz.driver import FUZZ_S
from tests.integration.postgres_server import PostgresServer

SHARE = 0.06
PIECES_MAX = 24
RUNS_MIN = 300
LONG_CHARS = 200_000
LONG_S_MAX = 10.0
# What either dialect's lexer treats in a way of its own, and what may stand around it.
COMMON = (
    *("'", "''", '"', ";", ";", "--", "/*", "*/", "\n", " ", "(", ")", "a", "1", "\\", "$", "é", ",", "."),
    *("'a;b'", '"a;b"', "-- c;\n", "/* c; */", "select 1", "select 'x'", "; select 2;", "\t", "-", "*", "/"),
)
SQLITE = (
    *COMMON,
    *("`", "[", "]", "[a;b]", "create", "temp", "temporary", "trigger", "end", "END;", "explain", "begin"),
    *("create trigger t begin", "; end;", " end ", "query plan", "trigger_", "xend", "\f", "\r"),
)
POSTGRES = (
    *COMMON,
    *(
        "$$",
        "$a$",
        "$b$",
        "$a$;$a$",
        "$$ $b$ $$",
        "E'\\'",
        "e'",
        "E'a\\';b'",
        "n'a'",
        "U&'a\\'",
        "a$b$",
        "1$a$",
    ),
    *(
        "/* /* */",
        "E'a'\n'\\';'",
        "E'a' -- c\n'b'",
        "select (1)",
        "case when true then 1 end",
        "x'1f'",
        "b'1'",
    ),
)


# Whole ones, so that what PostgreSQL accepts is not only what is short.
POSTGRES_WHOLE = (
    *("select 'a;b'", "select $a$;$$;$a$", "select E'\\';' as \"a;b\"", "select /* ; /* ; */ */ 1"),
    *("select 1 -- ;\n", "select (select ';')", "select E'a'\n'\\';'", "select U&'a\\005c;'"),
    *("select a$b$ from (select 1 as a$b$) x", "values (1), (';')", "select case when true then ';' end"),
    (
        "create or replace function pg_temp.f() returns int begin atomic select 1; "
        "select case when true then 2 end; end"
    ),
    "create or replace function pg_temp.g() returns int language sql as $f$ select 1; select 2; $f$",
)
SPOILT_ONE_IN = 4


def joined(whole: Sequence[str], pieces: Sequence[str], rng: random.Random) -> str:
    """Put whole statements one after the other, one time in a few with a piece where it may not belong."""
    text = ";".join(rng.choice(whole) for _ in range(rng.randint(1, 4))) + rng.choice(
        ("", ";", ";;\n", "--;")
    )
    if rng.randrange(SPOILT_ONE_IN):
        return text
    place = rng.randint(0, len(text))
    return text[:place] + rng.choice(pieces) + text[place:]


def texts(pieces: Sequence[str], seed: int, name: str, whole: Sequence[str] = ()) -> Iterator[str]:
    """Make texts until the time is over; the last one is in the traceback's `text`."""
    rng = random.Random(f"{seed}/{name}")
    until, count = time.monotonic() + FUZZ_S * SHARE, 0
    while count < RUNS_MIN or time.monotonic() < until:
        count += 1
        if whole and count % 2:
            yield joined(whole, pieces, rng)
        else:
            yield "".join(rng.choice(pieces) for _ in range(rng.randint(1, PIECES_MAX)))
    print(f"{name}: {count} texts of seed {seed}")


def sqlite_ends(text: str) -> tuple[int, ...]:
    """Return where SQLite's own says that a statement ends, but for semicolons of a comment."""
    return tuple(
        place
        for place, sign in enumerate(text)
        if sign == ";"
        and sqlite3.complete_statement(text[: place + 1])
        and not sqlite3.complete_statement(text[: place + 1] + "x")
    )


def test_sqlite_statements_end_where_sqlite_says(seed: int) -> None:
    found = Counter[int]()
    for text in texts(SQLITE, seed, "sqlite"):
        assert ends_of(text, "sqlite") == sqlite_ends(text), repr(text)
        found[len(ends_of(text, "sqlite"))] += 1
    assert {0, 1, 2} <= set(found)


class Answers:
    """What a PostgreSQL says to a text: how many statements it answered, or None where it refuses it."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def count(self, text: str) -> int | None:
        self._connection.pgconn.send_query(text.encode())
        answered, refused = 0, False
        while (each := self._connection.pgconn.get_result()) is not None:
            refused |= each.status == ExecStatus.FATAL_ERROR
            answered += each.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}
        return None if refused else answered


@pytest.mark.real("postgres")
def test_postgres_accepts_the_whole_where_it_accepts_the_parts(
    postgres_server: PostgresServer, seed: int
) -> None:
    outcomes = Counter[str]()
    with postgres_server.connect() as connection:
        connection.execute("SET client_min_messages = error")
        answers = Answers(connection)
        for text in texts(POSTGRES, seed, "postgres", POSTGRES_WHOLE):
            whole = answers.count(text)
            parts = [answers.count(statement.text) for statement in split(text, "postgres")]
            if whole is None:
                assert None in parts, repr(text)
            else:
                assert parts == [1] * whole, repr(text)
            outcomes["refused" if whole is None else f"{whole} answered"] += 1
    print(dict(outcomes))
    assert {"refused", "0 answered", "1 answered", "2 answered", "4 answered"} <= set(outcomes)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_any_text_is_taken_apart_without_loss(dialect: str, seed: int) -> None:
    of = next(each for each in DIALECTS if each == dialect)
    for text in texts((*SQLITE, *POSTGRES, "\x00", "\ud800", "\U0001f600"), seed, f"any {dialect}"):
        tokens = list(tokens_of(text, of))
        assert "".join(text[token.start : token.end] for token in tokens) == text
        for statement in split(text, of):
            assert text[statement.start : statement.start + len(statement.text)] == statement.text
            assert place_of(text, statement.start)[0] == statement.line
            assert words_of(statement.text, of)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "piece", ["'", "$a$", "/*", "E'a'\n", "(", ";", "--\n", "[", "e'\\", "create trigger;"]
)
def test_a_long_text_takes_time_by_its_length(dialect: str, piece: str) -> None:
    of = next(each for each in DIALECTS if each == dialect)
    began = time.thread_time()
    split(piece * (LONG_CHARS // len(piece)), of)
    assert time.thread_time() - began < LONG_S_MAX
