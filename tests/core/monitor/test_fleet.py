"""What is told of several relays: a snapshot in parts and its deltas make the same board elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.monitor import fleet
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.codec import Metrics, Snapshot, TransitionTold
from sprint.core.monitor.fleet import (
    FleetAlert,
    FleetChanges,
    FleetDelta,
    FleetMetrics,
    FleetTransition,
    Gone,
    decode_fleet,
    encode_fleet,
    lay_on,
)
from sprint.core.monitor.rows import rfc3339
from tests.core.monitor.rows_for_tests import point_at, row_named, transition_of

AT = rfc3339(1_000.0)
RELAYS = ("a", "b")
STATES = ("closed", "open", "half_open")

fleets = st.fixed_dictionaries(
    {
        name: st.dictionaries(st.sampled_from("vwxyz"), st.tuples(st.sampled_from(STATES), st.integers(0, 3)))
        for name in RELAYS
    }
)


def put(board: Board, fleet_rows: dict[str, dict[str, tuple[str, int]]]) -> None:
    for relay, rows in fleet_rows.items():
        breakers = tuple(row_named(name, state=state, calls=calls) for name, (state, calls) in rows.items())
        board.connected(
            RelaySeen(name=relay, url="http://h:1", connection="live" if rows else "lost", since=AT)
        )
        board.told(relay, Snapshot(seq=1, at=AT, breakers=breakers), 0.0)


def watched(changes: FleetChanges) -> list[bytes]:
    return [encode_fleet(part) for part in changes.snapshot(1, AT, demo=False, read_only=True)]


@given(st.lists(fleets, min_size=1, max_size=5), st.integers(1, 4))
def test_a_snapshot_with_its_deltas_laid_on_is_the_board_that_was_told(
    states: list[dict[str, Any]], rows_per_part: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fleet, "ROWS_PER_PART_MAX", rows_per_part)
        board, elsewhere, changes = Board(), Board(), FleetChanges()
        put(board, states[0])
        changes.delta(board, 1, AT)
        told = watched(changes)
        for state in states[1:]:
            put(board, state)
            delta = changes.delta(board, 2, AT)
            told += [] if delta is None else [encode_fleet(delta)]
        for message in told:
            lay_on(elsewhere, decode_fleet(message), 0.0)
        assert (elsewhere.rows, elsewhere.relays) == (board.rows, board.relays)


def test_a_snapshot_ends_what_was_known_before_it() -> None:
    board, elsewhere, changes = Board(), Board(), FleetChanges()
    put(elsewhere, {"a": {"w": ("open", 1)}, "old": {"x": ("open", 1)}})
    put(board, {"a": {"x": ("closed", 1)}})
    changes.delta(board, 1, AT)
    for message in watched(changes):
        lay_on(elsewhere, decode_fleet(message), 0.0)
    assert (elsewhere.rows, elsewhere.relays) == (board.rows, board.relays)


def test_of_what_has_not_changed_nothing_is_told() -> None:
    board, changes = Board(), FleetChanges()
    put(board, {"a": {"x": ("closed", 1), "y": ("closed", 1)}})
    changes.delta(board, 1, AT)
    assert changes.delta(board, 2, AT) is None
    put(board, {"a": {"x": ("closed", 1), "y": ("closed", 1)}})
    assert changes.delta(board, 2, AT) is None, "as it was is no news"
    put(board, {"a": {"x": ("open", 1)}})
    delta = changes.delta(board, 3, AT)
    assert delta == FleetDelta(
        seq=3,
        at=AT,
        relays=(),
        changed=({"relay": "a", "name": "x", "state": "open"},),
        removed=(Gone("a", "y"),),
    )


def test_what_is_told_at_once_is_laid_on_too() -> None:
    board = Board()
    put(board, {"a": {"x": ("closed", 1)}})
    row, point = transition_of(1, 5.0), point_at(5.0)
    for message in (
        FleetTransition(seq=2, at=AT, relay="a", transition=row),
        FleetMetrics(seq=3, at=AT, relay="a", points={"x": point}),
        FleetAlert(seq=4, at=AT, alert={"rule": "open"}),
    ):
        lay_on(board, decode_fleet(encode_fleet(message)), 0.0)
    assert board.transitions(Key("a", "x")) == [row]
    assert board.points(Key("a", "x")) == [point]


def test_the_messages_are_those_of_one_relay_with_the_relay_added() -> None:
    row = transition_of(1, 5.0)
    alone = msgspec.to_builtins(TransitionTold(seq=2, at=AT, transition=row))
    of_fleet = msgspec.to_builtins(FleetTransition(seq=2, at=AT, relay="a", transition=row))
    assert of_fleet == {**alone, "relay": "a"}
    points = {"x": point_at(5.0)}
    alone = msgspec.to_builtins(Metrics(seq=2, at=AT, points=points))
    assert msgspec.to_builtins(FleetMetrics(seq=2, at=AT, relay="a", points=points)) == {
        **alone,
        "relay": "a",
    }


@pytest.mark.parametrize("message", [b"", b"{}", b'{"type":"row"}', b'{"type":"delta","seq":"1"}', b"\xff"])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_fleet(message)


def test_a_row_of_no_relay_is_refused() -> None:
    delta = FleetDelta(seq=1, at=AT, relays=(), changed=({"name": "x"},), removed=())
    with pytest.raises(msgspec.ValidationError):
        lay_on(Board(), delta, 0.0)
