"""A file of SQL as statements, each with the place it begins at, so that a refusal can be told by line.

Where a statement ends is decided as the databases' own shells decide it: in SQLite by what `sqlite3_complete`
does, for which a trigger ends with `; END;`; in PostgreSQL as in psql, where a semicolon in brackets or in
the `BEGIN ATOMIC … END` of a function's body ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from sprint.core.migrate.tokens import Dialect, Token, tokens_of

_QUIET = ("space", "comment")


class Statement(msgspec.Struct, frozen=True):
    """`text` has no semicolon at its end; `start` is where it begins in the file, in characters from 0."""

    text: str
    line: int
    start: int


def normalised(text: str) -> str:
    """Return a file's text with the line ends of Unix and without a byte-order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def split(text: str, dialect: Dialect) -> tuple[Statement, ...]:
    """Take a normalised text apart into its statements; what stands between them is only comments."""
    found: list[Statement] = []
    start: int | None = None
    line, counted, end = 1, 0, 0
    for token, ends in _with_ends(text, dialect):
        if ends:
            if start is not None:
                found.append(Statement(text[start:end], line, start))
            start = None
        elif token.kind not in _QUIET:
            if start is None:
                start = token.start
                line += text.count("\n", counted, start)
                counted = start
            end = token.end
    if start is not None:
        found.append(Statement(text[start:end], line, start))
    return tuple(found)


def ends_of(text: str, dialect: Dialect) -> tuple[int, ...]:
    """Return the places of the semicolons that end a statement."""
    return tuple(token.start for token, ends in _with_ends(text, dialect) if ends)


def words_of(sql: str, dialect: Dialect) -> tuple[str, ...]:
    """Return a statement's words and signs without comments: words in capitals, what is quoted as it is."""
    return tuple(
        sql[token.start : token.end].upper() if token.kind == "word" else sql[token.start : token.end]
        for token in tokens_of(sql, dialect)
        if token.kind not in _QUIET
    )


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column, both from 1, of a place in a normalised text."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _with_ends(text: str, dialect: Dialect) -> Iterator[tuple[Token, bool]]:
    machine = _SqliteEnds() if dialect == "sqlite" else _PostgresEnds()
    for token in tokens_of(text, dialect):
        if token.kind in _QUIET:
            yield token, False
        else:
            word = text[token.start : token.end].upper() if token.kind != "text" else ""
            yield token, machine.ends(word)


class _SqliteEnds:
    """Whether a semicolon ends a statement of SQLite; only in a trigger does it not always."""

    def __init__(self) -> None:
        self._at: Literal["start", "explain", "create", "plain", "trigger", "semicolon", "end"] = "start"

    def ends(self, word: str) -> bool:
        """Take in the next token in capitals; quoted ones are empty."""
        match self._at:
            case "trigger" | "semicolon" | "end":
                return self._within_trigger(word)
            case _ if word == ";":
                self._at = "start"
                return True
            case "start" if word == "EXPLAIN":
                self._at = "explain"
            case "start" | "explain" if word == "CREATE":
                self._at = "create"
            case "create" if word in {"TEMP", "TEMPORARY"}:
                pass
            case "create" if word == "TRIGGER":
                self._at = "trigger"
            case "explain" if word not in {"TEMP", "TEMPORARY", "TRIGGER", "END", "EXPLAIN"}:
                pass  # EXPLAIN QUERY PLAN CREATE …
            case _:
                self._at = "plain"
        return False

    def _within_trigger(self, word: str) -> bool:
        if word == ";":
            ended = self._at == "end"
            self._at = "start" if ended else "semicolon"
            return ended
        self._at = "end" if self._at == "semicolon" and word == "END" else "trigger"
        return False


class _PostgresEnds:
    """Whether a semicolon ends a statement of PostgreSQL: not in brackets, not in a body of statements."""

    def __init__(self) -> None:
        self._brackets = 0
        self._blocks = 0
        self._first: list[str] = []

    def ends(self, word: str) -> bool:
        """Take in the next token in capitals; quoted ones are empty."""
        if word == ";":
            ended = not self._brackets and not self._blocks
            if ended:
                self._first = []
            return ended
        if word == "(":
            self._brackets += 1
        elif word == ")":
            self._brackets = max(0, self._brackets - 1)
        elif not self._brackets:
            self._count_blocks(word)
        return False

    def _count_blocks(self, word: str) -> None:
        if len(self._first) < 4:
            self._first.append(word)
        if self._first[:1] != ["CREATE"] or not {"FUNCTION", "PROCEDURE"} & set(self._first):
            return
        if word == "BEGIN" or (word == "CASE" and self._blocks):
            self._blocks += 1
        elif word == "END" and self._blocks:
            self._blocks -= 1
