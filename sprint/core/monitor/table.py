"""The list of breakers as it is shown: which of them, in which order, and what stands in each cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from sprint.core.monitor.board import Board, Key
from sprint.core.monitor.query import EVERYTHING, Query
from sprint.core.monitor.rows import SOURCE_KIND, BreakerRow
from sprint.core.monitor.sparkline import sparkline
from sprint.core.monitor.words import (
    STATE_WIDTH,
    Tone,
    health_shown,
    is_held_closed,
    needs_an_eye,
    next_text,
    rank_of,
    shown_state,
    since_text,
    tone_of,
)

SortKey = Literal["worst", "name", "failures", "latency", "health", "since"]
SORT_KEYS: tuple[SortKey, ...] = ("worst", "name", "failures", "latency", "health", "since")

NAME_WIDTH_MIN = 16
# Names are of more use than calls a second, which go first.
NAME_WIDTH_WANTED = 24
NAME_WIDTH_MAX = 48
_CUT = "…"
_ASCII_CUT = "~"

# What has no figure comes after all that has one.
_NO_FIGURE = float("inf")
_LETTERS_FROM = 99_999.5


class Column(NamedTuple):
    """A column: its heading, how wide it is, and whether its figures stand on the right."""

    name: str
    heading: str
    width: int
    to_the_right: bool = False


class Line(NamedTuple):
    """A breaker as a line of the list. `lost` where its relay isn't heard, so that it is what was."""

    key: Key
    cells: tuple[str, ...]
    tone: Tone
    lost: bool


def _sort_of(key: Key, row: BreakerRow, by: SortKey) -> tuple[Any, ...]:
    match by:
        case "name":
            return (row.name, key.relay)
        case "failures":
            return (-row.failure_rate, -row.failures, row.name, key.relay)
        case "latency":
            return (_NO_FIGURE if row.latency_ms_mean is None else -row.latency_ms_mean, row.name, key.relay)
        case "health":
            health = health_shown(row)
            return (_NO_FIGURE if health is None else health, row.name, key.relay)
        case _:
            return (rank_of(row), -row.failure_rate, row.name, key.relay)


def arranged(
    rows: Mapping[Key, BreakerRow],
    query: Query = EVERYTHING,
    by: SortKey = "worst",
    *,
    backwards: bool = False,
) -> list[Key]:
    """Return the breakers that a query means, in order; equal ones by name, so that none jumps about.

    `since` has the newest change first.
    """
    found = [(key, row) for key, row in rows.items() if not query.tests or query.matches(key.relay, row)]
    if by == "since":
        found.sort(key=lambda each: (each[1].name, each[0].relay))
        found.sort(key=lambda each: each[1].since, reverse=True)
    else:
        found.sort(key=lambda each: _sort_of(each[0], each[1], by))
    if backwards:
        found.reverse()
    return [key for key, _ in found]


def worst_of(rows: Mapping[Key, BreakerRow]) -> tuple[Key | None, int]:
    """Return the breaker that needs an eye most, None where none does, and how many others do."""
    bad = [(_sort_of(key, row, "worst"), key) for key, row in rows.items() if needs_an_eye(row)]
    return (min(bad)[1], len(bad) - 1) if bad else (None, 0)


class Look(NamedTuple):
    """How a list is drawn: its columns, and whether the name has the relay before it."""

    columns: tuple[Column, ...]
    relay_in_name: bool
    ascii_only: bool


class Seen(NamedTuple):
    """A breaker with what is known beside its row: its shares of failures, oldest first, and calls a second.

    `lost` where its relay isn't heard.
    """

    row: BreakerRow
    failure_rates: tuple[float, ...] = ()
    calls_per_s: float | None = None
    lost: bool = False


def look_for(width: int, *, relays: int, ascii_only: bool = False) -> Look:
    """Return the columns that a list of so many letters has room for; the name takes what is left.

    Dropped first, as the room gets less: calls a second, the relay, health, trend, latency.
    """
    every = (
        Column("state", "STATE", STATE_WIDTH),
        Column("name", "BREAKER", 0),
        Column("relay", "RELAY", 10),
        Column("rate", "CALLS/S", 7, to_the_right=True),
        Column("failures", "FAIL", 4, to_the_right=True),
        Column("latency", "LAT ms", 6, to_the_right=True),
        Column("health", "HLTH", 4, to_the_right=True),
        Column("trend", "TREND", 6),
        Column("since", "SINCE", 6, to_the_right=True),
        Column("next", "NEXT", 7, to_the_right=True),
    )
    kept = [column for column in every if column.name != "relay" or relays > 1]
    left = _left(kept, width)
    for name in ("rate", "relay", "health", "trend", "latency"):
        if left >= (NAME_WIDTH_WANTED if name == "rate" else NAME_WIDTH_MIN):
            break
        kept = [column for column in kept if column.name != name]
        left = _left(kept, width)
    taken = max(NAME_WIDTH_MIN, min(NAME_WIDTH_MAX, left))
    columns = tuple(each._replace(width=taken) if each.name == "name" else each for each in kept)
    in_name = relays > 1 and all(column.name != "relay" for column in columns)
    return Look(columns, in_name, ascii_only)


def _left(columns: Iterable[Column], width: int) -> int:
    """Return the room that columns leave, with one letter between each two."""
    return width + 1 - sum(column.width + 1 for column in columns)


def line_of(key: Key, seen: Seen, look: Look, now_unix_s: float) -> Line:
    """Return a breaker's line: a cell for each column, cut and filled to its width."""
    cells = [
        fitted(_text(column, key, seen, look, now_unix_s), column, ascii_only=look.ascii_only)
        for column in look.columns
    ]
    return Line(key, tuple(cells), tone_of(seen.row), seen.lost)


def _text(column: Column, key: Key, seen: Seen, look: Look, now_unix_s: float) -> str:
    row = seen.row
    match column.name:
        case "state":
            return shown_state(row, ascii_only=look.ascii_only)
        case "name":
            return f"{key.relay}/{short_name(row)}" if look.relay_in_name else short_name(row)
        case "relay":
            return key.relay
        case "trend":
            return sparkline(seen.failure_rates, column.width, greatest=1.0, ascii_only=look.ascii_only)
        case "rate":
            return figure(seen.calls_per_s)
        case "next":
            return "lost" if seen.lost else next_text(row, now_unix_s)
        case other:
            return _cell(other, row, now_unix_s)


def _cell(column: str, row: BreakerRow, now_unix_s: float) -> str:
    match column:
        case "failures":
            return f"{row.failure_rate:.0%}" if row.calls else "-"
        case "latency":
            return figure(row.latency_ms_mean)
        case "health":
            health = health_shown(row)
            return "-" if health is None else f"{health:.2f}"
        case _:
            return since_text(row, now_unix_s)


def figure(value: float | None) -> str:
    """Return a figure in at most six letters: `0.4`, `12.3`, `1,234`, `560 k`, `7 M`; `-` for none."""
    if value is None or not math.isfinite(value):
        return "-"
    if abs(value) < 99.95:
        return f"{value:.1f}"
    if abs(value) < _LETTERS_FROM:
        return f"{value:,.0f}"
    for unit in ("k", "M", "G"):
        value /= 1_000
        if abs(value) < 999.5:
            return f"{value:.0f} {unit}"
    return "huge"


def short_name(row: BreakerRow) -> str:
    """Return a breaker's name as a list shows it: of a source without the kind, which all of them have."""
    return row.name.removeprefix(f"{SOURCE_KIND}:")


def fitted(text: str, column: Column, *, ascii_only: bool = False) -> str:
    """Return a text as wide as its column. A name loses its middle: relay and end tell it from others."""
    mark = _ASCII_CUT if ascii_only else _CUT
    if len(text) > column.width:
        if column.name == "name":
            relay = text.find("/") + 1
            kept = relay if 0 < relay <= column.width // 2 else column.width // 3
            text = text[:kept] + mark + text[len(text) - column.width + kept + 1 :]
        else:
            text = text[: column.width - 1] + mark
    return text.rjust(column.width) if column.to_the_right else text.ljust(column.width)


class Counts(NamedTuple):
    """How many breakers there are, and of what kind.

    `held` are closed only because nothing stands in for them, and not among the `closed`; `lost` are those
    whose relay isn't heard.
    """

    breakers: int
    open: int
    half_open: int
    forced: int
    held: int
    closed: int
    lost: int


def counts(board: Board) -> Counts:
    """Count the breakers of a board by state."""
    states = {"open": 0, "half_open": 0, "force_open": 0, "force_close": 0, "closed": 0}
    lost_relays = {name for name, relay in board.relays.items() if relay.connection == "lost"}
    held = lost = 0
    for key, row in board.rows.items():
        states[row.state] += 1
        held += is_held_closed(row)
        lost += key.relay in lost_relays
    forced = states["force_open"] + states["force_close"]
    closed = states["closed"] - held
    return Counts(len(board.rows), states["open"], states["half_open"], forced, held, closed, lost)
