"""The board: what relays said last stays and is bounded; transitions are kept once, and in order."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.monitor import board as module
from sprint.core.monitor import happened
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.codec import Delta, Metrics, Snapshot, TransitionTold, row_fields
from sprint.core.monitor.happened import RECENT_MAX
from sprint.core.monitor.history import KEPT_MIN
from sprint.core.monitor.rows import TransitionRow, rfc3339
from tests.core.monitor.rows_for_tests import point_at, row_named, transition_of

AT = rfc3339(1_000.0)


def snapshot(*names: str) -> Snapshot:
    return Snapshot(seq=1, at=AT, breakers=tuple(map(row_named, names)))


def seen(name: str = "a") -> RelaySeen:
    return RelaySeen(name=name, url="http://127.0.0.1:1", connection="live", since=AT)


def test_a_delta_is_laid_over_the_row_and_a_snapshot_ends_what_it_does_not_name() -> None:
    board = Board()
    board.told("a", snapshot("x", "y"), 0.0)
    board.told("b", snapshot("x"), 0.0)
    changed = {"name": "x", "state": "open", "calls": 7}
    board.told("a", Delta(seq=2, at=AT, changed=(changed,), removed=("y",)), 0.0)
    assert set(board.rows) == {Key("a", "x"), Key("b", "x")}
    assert board.rows[Key("a", "x")] == msgspec.structs.replace(row_named("x"), state="open", calls=7)
    board.told("a", snapshot("z"), 0.0)
    assert set(board.rows) == {Key("a", "z"), Key("b", "x")}
    assert board.find("x") == [Key("b", "x")]
    assert board.find("x", "a") == []


@pytest.mark.parametrize(
    "fields", [{"state": "open"}, {"name": 7}, {"name": "x", "state": "ajar"}, {"name": "n"}]
)
def test_a_delta_that_makes_no_whole_row_is_refused(fields: dict[str, object]) -> None:
    board = Board()
    board.told("a", snapshot("x"), 0.0)
    with pytest.raises(msgspec.ValidationError):
        board.told("a", Delta(seq=2, at=AT, changed=(fields,), removed=()), 0.0)
    assert board.rows[Key("a", "x")] == row_named("x")


def test_rows_beyond_the_bound_are_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BREAKERS_MAX", 2)
    board = Board()
    board.told("a", snapshot("x", "y", "z"), 0.0)
    assert len(board.rows) == 2
    assert board.left_out == 1
    new = row_fields(row_named("w"))
    board.told("a", Delta(seq=2, at=AT, changed=(new,), removed=("x",)), 0.0)
    assert board.left_out == 2


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 1)), max_size=60), st.integers(0, 60))
def test_transitions_are_kept_once_and_in_order_in_whatever_order_they_come(
    made: list[tuple[int, int]], first: int
) -> None:
    """Some come live, others later from a history, and some by both; a restart counts from 1 again."""
    rows = [transition_of(number, 1_000.0 * life + number) for number, life in made]
    board = Board()
    told = [board.happened("a", row) for row in (*rows[first:], *rows[:first])]
    unique = sorted({(row.at, row.number): row for row in rows}.items())
    assert board.transitions(Key("a", "x")) == [row for _, row in unique]
    assert [each.transition for each in board.recent] == [row for _, row in unique]
    assert sum(told) == len(unique)


def test_numbers_that_begin_again_with_a_restarted_relay_do_not_hide_what_happens() -> None:
    """The board had dropped all transitions below the highest number that it had seen."""
    board = Board()
    before = [transition_of(number, 100.0 + number) for number in (1, 2, 3)]
    after = [transition_of(number, 200.0 + number) for number in (1, 2)]
    for each in (*before, *after):
        board.told("a", TransitionTold(seq=1, at=AT, transition=each), 0.0)
    assert board.transitions(Key("a", "x")) == [*before, *after]


def test_the_oldest_transitions_go_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happened, "TRANSITIONS_MAX", 2 * KEPT_MIN)
    board = Board()
    for number in range(1, 40):
        for breaker in ("x", "y"):
            board.happened("a", transition_of(number, float(number), breaker))
    for breaker in ("x", "y"):
        kept = board.transitions(Key("a", breaker))
        assert [row.number for row in kept] == [36, 37, 38, 39]
    assert not board.happened("a", transition_of(1, 1.0, "x"))


def test_the_newest_of_all_are_bounded_and_a_late_one_finds_its_place() -> None:
    board = Board()
    for number in range(2, RECENT_MAX + 2):
        board.happened("a", transition_of(number, 10.0 * number, f"x{number % 9}"))
    late = transition_of(9_999, 10.0 * RECENT_MAX + 5.0, "late")
    board.happened("b", late)
    board.happened("b", transition_of(1, 0.0, "too late"))
    assert len(board.recent) == RECENT_MAX
    assert board.recent[-2].transition == late
    ats = [each.transition.at for each in board.recent]
    assert ats == sorted(ats)


def test_figures_of_a_history_stand_in_order_among_those_that_came_since() -> None:
    board = Board()
    board.told("a", snapshot("x"), 0.0)
    key = Key("a", "x")
    live = point_at(30.0)
    board.told("a", Metrics(seq=2, at=AT, points={"x": live, "gone": live}), 30.0)
    board.measured(key, [point_at(10.0), point_at(20.0), live])
    assert board.points(key) == [point_at(10.0), point_at(20.0), live]
    board.measured(Key("a", "gone"), [live])
    assert board.points(Key("a", "gone")) == []


def test_what_a_relay_is_forgotten_with() -> None:
    board = Board()
    for name in ("a", "b"):
        board.connected(seen(name))
        board.told(name, snapshot("x"), 0.0)
        board.happened(name, transition_of(1, 1.0))
        board.told(name, Metrics(seq=2, at=AT, points={"x": point_at(1.0)}), 0.0)
    board.removed("a")
    assert set(board.relays) == {"b"}
    assert set(board.rows) == {Key("b", "x")}
    assert (board.transitions(Key("a", "x")), board.points(Key("a", "x"))) == ([], [])
    assert [each.relay for each in board.recent] == ["b"]
    assert len(board.points(Key("b", "x"))) == 1


def test_the_version_rises_with_what_is_new_and_with_nothing_else() -> None:
    board = Board()
    board.connected(seen())
    board.told("a", snapshot("x"), 0.0)
    row: TransitionRow = transition_of(1, 1.0)
    board.happened("a", row)
    version = board.version
    board.connected(seen())
    board.happened("a", row)
    assert board.version == version
