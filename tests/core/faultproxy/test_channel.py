"""A channel gives out what was fed, in order, whatever toxics come, change and go, unless one loses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.faultproxy.channel import HELD_PIECES_MAX, HELD_SIZE_MAX, PIECES_PER_PLACE_MAX
from sprint.core.faultproxy.stages import End
from sprint.core.faultproxy.toxics import KINDS, ActiveToxic, Kind
from tests.core.faultproxy.toxics import Line, active

LONG_S = 1_000_000.0
LOSSLESS = {
    "latency": {"latency_ms": st.integers(0, 5_000), "jitter_ms": st.integers(0, 5_000)},
    "bandwidth": {"bytes_per_s": st.integers(100, 10**7)},
    "slicer": {
        "piece_bytes": st.integers(1, 1_000),
        "variation_bytes": st.integers(0, 1_000),
        "pause_ms": st.integers(0, 20),
    },
    "stall": {},
    "slow_close": {"delay_ms": st.integers(1, 5_000)},
}


@st.composite
def lossless(draw: st.DrawFn) -> ActiveToxic:
    kind = draw(st.sampled_from(list(LOSSLESS)))
    figures: dict[str, Any] = {name: draw(values) for name, values in LOSSLESS[kind].items()}
    return active(kind, **figures)


STEPS = st.one_of(
    st.tuples(st.just("feed"), st.binary(min_size=1, max_size=600)),
    st.tuples(st.just("wait"), st.floats(0, 3)),
    st.tuples(st.just("add"), lossless()),
    st.tuples(st.just("remove"), st.integers(0, 5)),
    st.tuples(st.just("change"), lossless()),
)


def test_these_are_all_kinds_that_lose_nothing() -> None:
    assert set(LOSSLESS) == {str(kind) for kind, rules in KINDS.items() if not rules.loses_data}


@settings(max_examples=200)
@given(st.lists(STEPS, min_size=8, max_size=30), st.text(max_size=5))
def test_bytes_out_are_bytes_in_while_toxics_come_change_and_go(
    steps: list[tuple[str, Any]], seed: str
) -> None:
    line, toxics, fed = Line(seed=seed), list[ActiveToxic](), b""
    for step, value in steps:
        match step:
            case "feed":
                fed += value
                line.feed(value)
            case "wait":
                line.until(line.now + value)
            case "add":
                toxics.append(value)
            case "remove" if toxics:
                toxics.pop(value % len(toxics))
            case "change" if toxics:
                toxics[len(toxics) // 2] = value
            case _:
                pass
        if step in {"add", "remove", "change"}:
            line.have(*toxics)
        assert fed.startswith(line.data)
        assert line.channel.held_size == len(fed) - len(line.data), "each byte is held or has come out"
    line.feed(End.EOF)
    line.until(line.now + 1.0)
    line.have(*(each for each in toxics if each.toxic.kind is not Kind.STALL))
    line.until(LONG_S)
    assert line.data == fed
    assert line.ends == [End.EOF]
    assert line.came[-1][1] is End.EOF
    assert line.times() == sorted(line.times())


@pytest.mark.parametrize(
    "toxic", [active("bandwidth", bytes_per_s=1_000), active("slicer", piece_bytes=20, pause_ms=20)]
)
def test_what_is_left_of_a_piece_that_was_half_cut_follows_once_when_the_toxic_goes(
    toxic: ActiveToxic,
) -> None:
    line = Line(toxic)
    data = bytes(range(100))
    line.feed(data)
    line.until(0.05)
    assert 0 < len(line.data) < len(data)
    line.have()
    assert (line.data, line.now) == (data, 0.05)


def test_toxics_work_in_their_order() -> None:
    first = Line(active("limit_data", bytes=4), active("black_hole"))
    then = Line(active("black_hole"), active("limit_data", bytes=4))
    for line in (first, then):
        line.feed(b"sixsix")
    assert (first.ends, then.ends) == ([], [])
    late = Line(active("limit_data", bytes=4), active("latency", latency_ms=100))
    late.feed(b"sixsix")
    late.until(1.0)
    assert late.came == [(0.1, b"sixs"), (0.1, End.CLOSE)], "the close is late as the bytes are"


def test_two_latencies_add_up_exactly_however_late_the_clock_is_read() -> None:
    line = Line(active("latency", latency_ms=100), active("latency", latency_ms=200))
    line.feed(b"x")
    line.now = 0.29  # nobody looked for as long
    line.channel.advance(line.now)
    assert line.channel.next_due() == 0.1 + 0.2
    line.until(1.0)
    assert line.came == [(0.1 + 0.2, b"x")]


def test_a_channel_is_full_at_its_limit_of_bytes_and_of_pieces_and_has_room_at_half() -> None:
    line = Line(active("stall"))
    line.feed(bytes(HELD_SIZE_MAX - 1))
    assert not line.channel.is_full
    line.feed(b"x")
    assert (line.channel.is_full, line.channel.has_room) == (True, False)
    many = Line(active("stall"))
    many.feed(*[b"x"] * (HELD_PIECES_MAX - 1))
    assert not many.channel.is_full
    many.feed(b"x")
    assert (many.channel.is_full, many.channel.has_room) == (True, False)
    many.have()
    assert many.channel.has_room


def test_one_byte_pieces_are_cut_only_as_fast_as_they_are_taken() -> None:
    line = Line(active("slicer", piece_bytes=1))
    for _ in range(3):
        line.channel.feed(bytes(100_000), 0.0)
        line.channel.advance(0.0)
    assert line.channel._piece_count <= PIECES_PER_PLACE_MAX + 3
    assert line.channel.next_due() is None, "who doesn't read brings no timer"
    line.until(0.0)
    while line.channel.held_size:
        line._take()
        line.until(0.0)
    assert len(line.data) == 300_000


def test_a_reset_is_known_behind_what_a_reader_has_not_taken() -> None:
    line = Line()
    line.channel.feed(b"not taken", 0.0)
    assert not line.channel.is_reset
    line.channel.feed(End.RESET, 0.0)
    assert line.channel.is_reset
