"""A file of SQL as tokens: just enough of each dialect's lexical rules to know what is text and what is not.

SQLite: https://www.sqlite.org/lang_expr.html#literal_values_constants_ and the tokenizer's classes.
PostgreSQL: manual, chapter 4.1 "Lexical Structure", with `standard_conforming_strings` on. Whatever is left
open reaches to the end of the file: a quote, which the database then refuses, and a comment, which is told as
`other`, for SQLite would take it for one and leave out all that follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Dialect = Literal["sqlite", "postgres"]
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")
# `text` is anything quoted, be it a value or a name.
Kind = Literal["space", "comment", "word", "text", "semicolon", "other"]

_SQLITE = re.compile(
    r"""
    (?P<space>[ \t\n\f\r]+)
    | (?P<comment>--[^\n]*|/\*(?:.*?\*/)?)
    | (?P<text>'[^']*(?:'|\Z)|"[^"]*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
    | (?P<word>[A-Za-z0-9_$\x80-\U0010ffff]+)
    | (?P<semicolon>;)
    | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
# An escape string goes on after white space with a line end in it, and is one still (manual, 4.1.2.1).
_ESCAPED = r"(?:[^'\\]|\\.|'')*(?:'|\\?\Z)"
_POSTGRES = re.compile(
    rf"""
    (?P<space>[ \t\n\f\r\v]+)
    | (?P<comment>--[^\n\r]*|/\*)
    | (?P<text>
        [eE]'{_ESCAPED}(?:[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:[ \t\f\v\n\r]|--[^\n\r]*[\n\r])*'{_ESCAPED})*
        | '[^']*(?:'|\Z)
        | "[^"]*(?:"|\Z)
        | \$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$(?:.*?\$(?P=tag)\$|.*)
      )
    | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
    | (?P<semicolon>;)
    | (?P<other>[0-9]+|\$[0-9]+|.)
    """,
    re.DOTALL | re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_KINDS: tuple[Kind, ...] = ("space", "comment", "word", "text", "semicolon", "other")


class Token(NamedTuple):
    """A piece of a file: what it is, and where it begins and ends in characters."""

    kind: Kind
    start: int
    end: int


def tokens_of(text: str, dialect: Dialect) -> Iterator[Token]:
    """Take a text apart without leaving a character out."""
    pattern = _SQLITE if dialect == "sqlite" else _POSTGRES
    place = 0
    while (match := pattern.match(text, place)) is not None:
        kind = next(name for name in _KINDS if match[name] is not None)
        end = match.end()
        if match[0].startswith("/*"):
            closed = _end_of_nested(text, place) if dialect == "postgres" else text.find("*/", place + 2) + 2
            kind, end = ("comment", closed) if closed >= end else ("other", len(text))
        yield Token(kind, place, end)
        place = end


def _end_of_nested(text: str, start: int) -> int:
    """Return where a comment ends that may hold others, as PostgreSQL's may; 0 where it doesn't."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return 0
