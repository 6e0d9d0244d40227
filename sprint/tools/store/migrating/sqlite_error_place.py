"""Where in a statement SQLite's complaint is: it names a word, and Python hands no offset on."""

from __future__ import annotations

import re
import sqlite3

from sprint.core.migrate.tokens import tokens_of

TRIES_MAX = 64
_NEAR = re.compile(r'near "(.+)": syntax error', re.DOTALL)
_NAMED = re.compile(
    r'(?:no such \w+|duplicate column name|there is already .*|unrecognized token): "?([^"]+?)"?$'
)


def offset_of(connection: sqlite3.Connection, statement: str, message: str) -> int | None:
    """Return where the word is that a message names, in characters from 0; None where it can't be told."""
    near = _NEAR.match(message)
    if near is not None:
        return _first_not_parsed(connection, statement, near[1])
    named = _NAMED.search(message)
    if named is None:
        return None
    word = named[1].rpartition(".")[2].casefold()
    for token in tokens_of(statement, "sqlite"):
        if (
            token.kind in {"word", "text"}
            and statement[token.start : token.end].strip("\"'`[]").casefold() == word
        ):
            return token.start
    return None


def _first_not_parsed(connection: sqlite3.Connection, statement: str, word: str) -> int | None:
    """Return the place of the word that the parser stops at, of several that are alike.

    What comes before it parses as the beginning of something, so that only its end is missed. EXPLAIN runs
    nothing.
    """
    places = [token for token in tokens_of(statement, "sqlite") if statement[token.start : token.end] == word]
    for token in places[:TRIES_MAX]:
        try:
            connection.execute("EXPLAIN " + statement[: token.end])
        except sqlite3.Error as error:
            if _NEAR.match(str(error)):
                return token.start
    return None
