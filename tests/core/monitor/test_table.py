"""The list: the worst first, columns that fit, and cells as wide as their columns."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.outcomes import State
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.query import parse_query
from sprint.core.monitor.table import (
    NAME_WIDTH_MIN,
    SORT_KEYS,
    Seen,
    SortKey,
    arranged,
    counts,
    figure,
    line_of,
    look_for,
    worst_of,
)
from tests.tools.monitor.fakes import NOW_UNIX_S, ago, many, opened, row, story_board

BOARD = story_board()


def names(keys: list[Key]) -> list[str]:
    return [key.breaker.rpartition(":")[2] for key in keys]


def test_the_worst_stands_first_and_those_alike_by_name() -> None:
    assert names(arranged(BOARD.rows))[:5] == ["alice", "old", "core-1", "bob", "new"]
    assert names(arranged(BOARD.rows, by="name"))[:2] == ["core-1", "core-2"]


@pytest.mark.parametrize("by", SORT_KEYS)
def test_an_order_hangs_on_the_rows_alone_and_turns_round(by: SortKey) -> None:
    shuffled = list(BOARD.rows.items())
    random.Random(5).shuffle(shuffled)
    order = arranged(BOARD.rows, by=by)
    assert arranged(dict(shuffled), by=by) == order
    assert arranged(BOARD.rows, by=by, backwards=True) == order[::-1]


def test_since_has_the_newest_change_first() -> None:
    order = arranged(BOARD.rows, by="since")
    since = [BOARD.rows[key].since for key in order]
    assert since == sorted(since, reverse=True)


def test_what_has_no_figure_comes_after_all_that_has_one() -> None:
    rows = {Key("a", name): row(name, health=health) for name, health in (("x", None), ("y", 0.2))}
    assert names(arranged(rows, by="health")) == ["y", "x"]


def test_a_filter_leaves_the_others_out() -> None:
    assert names(arranged(BOARD.rows, parse_query("state:forced"))) == ["old", "new"]


def test_the_worst_is_the_first_of_the_list_and_others_are_counted() -> None:
    assert worst_of(BOARD.rows) == (arranged(BOARD.rows)[0], 3)
    assert worst_of({Key("a", "b"): row("b")}) == (None, 0)


@given(st.integers(20, 300), st.integers(1, 3))
def test_columns_fit_and_state_since_and_next_are_always_there(width: int, relays: int) -> None:
    look = look_for(width, relays=relays)
    kept = {column.name for column in look.columns}
    assert {"state", "name", "failures", "since", "next"} <= kept
    taken = sum(column.width + 1 for column in look.columns) - 1
    name = next(column for column in look.columns if column.name == "name")
    assert taken <= width or name.width == NAME_WIDTH_MIN
    assert ("relay" in kept or look.relay_in_name) == (relays > 1)


@given(width=st.integers(40, 200), ascii_only=st.booleans())
def test_each_cell_is_as_wide_as_its_column_and_ascii_where_asked(*, width: int, ascii_only: bool) -> None:
    look = look_for(width, relays=2, ascii_only=ascii_only)
    for key, each in BOARD.rows.items():
        line = line_of(key, Seen(each, (0.1, 0.9), 3.0), look, NOW_UNIX_S)
        assert [len(cell) for cell in line.cells] == [column.width for column in look.columns]
        assert not ascii_only or all(cell.isascii() for cell in line.cells)


@pytest.mark.parametrize(("relays", "beginning"), [(1, "litecoi…"), (2, "north/…")])
def test_a_name_that_is_too_long_keeps_its_relay_and_its_end(relays: int, beginning: str) -> None:
    key = Key("north", "source:litecoin-regtest:a-node-with-a-long-name")
    line = line_of(key, Seen(row(key.breaker)), look_for(78, relays=relays), NOW_UNIX_S)
    assert line.cells[1].startswith(beginning)
    assert line.cells[1].endswith("a-long-name")


def test_one_that_is_held_closed_is_not_counted_among_those_that_are_closed() -> None:
    counted = counts(BOARD)
    assert (counted.held, counted.closed) == (1, 3)
    assert sum((counted.open, counted.half_open, counted.forced, counted.held, counted.closed)) == 8


@pytest.mark.parametrize(("state", "shown"), [("open", "-"), ("force_open", "-"), ("half_open", "0.97")])
def test_while_nothing_is_let_through_no_health_is_shown(state: State, shown: str) -> None:
    look = look_for(78, relays=1)
    at = [column.name for column in look.columns].index("health")
    for shadow, cell in ((False, shown), (True, "0.97")):
        seen = Seen(row("a", state, health=0.97, shadow=shadow))
        assert line_of(Key("north", "a"), seen, look, NOW_UNIX_S).cells[at].strip() == cell


def test_a_breaker_of_a_relay_that_is_not_heard_says_so() -> None:
    key = Key("north", "store")
    line = line_of(key, Seen(row("store"), lost=True), look_for(78, relays=1), NOW_UNIX_S)
    assert line.lost
    assert line.cells[-1].strip() == "lost"


@given(st.one_of(st.none(), st.floats(min_value=0)))
def test_a_figure_has_at_most_six_letters(value: float | None) -> None:
    assert len(figure(value)) <= 6


def test_counts_say_how_many_are_in_which_state_and_not_heard() -> None:
    board = many(100)
    assert counts(board)[:6] == (100, 2, 0, 0, 0, 98)
    lost = RelaySeen(name="main", url="", connection="lost", since=ago(1))
    board.connected(lost)
    assert counts(board).lost == 100
    assert set(counts(Board())) == {0}


def test_an_open_breaker_says_in_its_line_since_when_and_when_it_is_tried() -> None:
    line = line_of(Key("a", "b"), Seen(opened("b", 14, 6)), look_for(78, relays=1), NOW_UNIX_S)
    assert [cell.strip() for cell in (line.cells[0], *line.cells[-2:])] == ["○ OPEN", "14 s", "in 6 s"]
