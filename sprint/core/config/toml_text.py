"""TOML text out: a value, a whole table, and one key set in a text whose comments stay.

`set_in_text` edits the lines of one key and then reads the result: where it does not say exactly what it
should, the whole table is written anew, which loses comments and order. It says which of both it was.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tomli_w

from sprint.core.breaker.policy_table import NONE_WORD
from sprint.core.config.formats import key_text

VALUE_LINES_MAX = 1_000  # of one value that spans lines, before it is taken as not found


class Edited(NamedTuple):
    """A text with one key set. `kept`: everything else of it is as it was."""

    text: str
    kept: bool


def literal(value: Any) -> str:
    """Return a value as TOML, an array on one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip("\n")


def document(table: Mapping[str, Any]) -> str:
    """Return a whole table as TOML, the chains' sources under headings of their own.

    TOML has no null: a figure of a breaker is switched off by a word, and any other key is left out.
    """
    table = {
        name: _without_null(section, NONE_WORD if name == "breakers" else None)
        for name, section in table.items()
        if section is not None
    }
    if not isinstance(table.get("chains"), dict):
        return tomli_w.dumps(table)
    chains: dict[str, dict[str, Any]] = {}
    blocks: list[str] = []
    for name, fields in table["chains"].items():
        chains[name] = dict(fields)
        heading = f"\n[{header(('chains', name, 'sources'))}]\n"
        blocks += [heading + tomli_w.dumps(source) for source in chains[name].pop("sources", ())]
    return tomli_w.dumps({**table, "chains": chains}) + "".join(blocks)


def _without_null(value: Any, word: str | None) -> Any:
    """Return a value with the word in the place of None, in tables and lists too; without one, without it."""
    if isinstance(value, Mapping):
        named = {name: word if inner is None else inner for name, inner in value.items()}
        return {name: _without_null(inner, word) for name, inner in named.items() if inner is not None}
    return [_without_null(inner, word) for inner in value] if isinstance(value, list) else value


def header(path: Sequence[str]) -> str:
    """Return the line that begins a table."""
    return f"[{'.'.join(map(key_text, path))}]"


def set_in_text(text: str, path: Sequence[str], value: Any) -> Edited:
    """Set a key of a valid TOML text."""
    wanted = with_value(tomllib.loads(text), path, value)
    lines = text.splitlines()
    *table, field = path
    start, end = _body(lines, table)
    edited = _replaced(lines, start, end, field, value)
    if edited is None:
        edited = _inserted(lines, start, end, table, f"{key_text(field)} = {literal(value)}")
    result = "\n".join(edited) + "\n"
    if _reads_as(result, wanted):
        return Edited(result, kept=True)
    return Edited(document(wanted), kept=False)


def with_value(table: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a copy of a table with one key set."""
    field, *rest = path
    if not rest:
        return {**table, field: list(value) if isinstance(value, tuple) else value}
    return {**table, field: with_value(table.get(field, {}), rest, value)}


def _body(lines: Sequence[str], table: Sequence[str]) -> tuple[int | None, int]:
    """Return where a table's lines begin, None where it has no header, and where they end."""
    start: int | None = 0 if not table else None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("["):
            continue
        found = _table_of(line)
        if found is not None and start is not None:
            return start, number
        if found == tuple(table) and not line.lstrip().startswith("[["):
            start = number + 1
    return start, len(lines)


def _table_of(line: str) -> tuple[str, ...] | None:
    """Return the path that a header names; None where the line is none."""
    try:
        found: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while found:
        if isinstance(found, list):
            found = found[0]
            continue
        name, found = next(iter(found.items()))
        path.append(name)
    return tuple(path)


def _replaced(lines: Sequence[str], start: int | None, end: int, field: str, value: Any) -> list[str] | None:
    """Return the lines with the key's value replaced; None where the key doesn't stand there."""
    for number in range(start or 0, end if start is not None else 0):
        if not re.match(rf"\s*(?:{re.escape(field)}|\"{re.escape(field)}\")\s*=", lines[number]):
            continue
        for last in range(number, min(end, number + VALUE_LINES_MAX)):
            whole = "\n".join(lines[number : last + 1])
            if _value_of(whole, field) is not None:
                indent = whole[: len(whole) - len(whole.lstrip())]
                line = f"{indent}{key_text(field)} = {literal(value)}{_comment(whole, field)}"
                return [*lines[:number], line, *lines[last + 1 :]]
    return None


def _inserted(
    lines: Sequence[str], start: int | None, end: int, table: Sequence[str], line: str
) -> list[str]:
    """Return the lines with one more at the end of its table, or with the table at the end of all."""
    if start is None:
        return [*lines, *([""] if lines else []), header(table), line]
    while end > start and not lines[end - 1].strip():
        end -= 1
    return [*lines[:end], line, *lines[end:]]


def _value_of(text: str, field: str) -> Any:
    """Return a one-key text's value in a tuple; None where it isn't whole."""
    try:
        return (tomllib.loads(text)[field],)
    except (tomllib.TOMLDecodeError, KeyError):
        return None


def _comment(text: str, field: str) -> str:
    """Return the comment behind a value, with the space before it: from where the value ends."""
    value = _value_of(text, field)
    for found in re.finditer("#", text):
        before = text[: found.start()]
        if "\n" not in text[found.start() :] and _value_of(before, field) == value:
            return before[len(before.rstrip()) :] + text[found.start() :]
    return ""


def _reads_as(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False
