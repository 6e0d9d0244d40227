"""What each toxic does with bytes and time, on a simulated clock: pieces in, pieces out, to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.faultproxy.drawing import SeededDraws
from sprint.core.faultproxy.stages import BANDWIDTH_PIECE_S, PIECE_SIZE_MAX, End
from tests.core.faultproxy.toxics import Line, active

HOUR_S = 3_600.0


def test_latency_delays_bytes_and_the_end_by_the_same() -> None:
    toxic = active("latency", latency_ms=250)
    line = Line(toxic)
    line.feed(b"one")
    line.until(0.1)
    line.feed(b"two", End.EOF)
    line.until(0.2499)
    assert line.came == []
    line.until(HOUR_S)
    assert line.came == [(0.25, b"one"), (0.35, b"two"), (0.35, End.EOF)]
    assert toxic.counts.bytes_delayed == 6


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.text(max_size=5))
def test_jitter_stays_in_its_bounds_and_nothing_overtakes(pauses: list[float], seed: str) -> None:
    line = Line(active("latency", latency_ms=100, jitter_ms=400), seed=seed)
    sent: list[float] = []
    for number, pause in enumerate(pauses):
        line.until(line.now + pause)
        sent.append(line.now)
        line.feed(b"%03d" % number)
    line.until(HOUR_S)
    assert [piece for _, piece in line.came] == [b"%03d" % number for number in range(len(sent))]
    assert line.times() == sorted(line.times())
    for begin, (at, _) in zip(sent, line.came, strict=True):
        assert begin + 0.1 <= at + 1e-9
        assert at <= max(sent[: sent.index(begin) + 1]) + 0.5 + 1e-9


def test_jitter_differs_from_piece_to_piece() -> None:
    line = Line(active("latency", latency_ms=0, jitter_ms=100))
    for number in range(50):
        line.until(number)
        line.feed(b"x")
    line.until(HOUR_S)
    delays = [at - number for number, at in enumerate(line.times())]
    assert len({round(each, 6) for each in delays}) > 40
    assert 0.03 < sum(delays) / len(delays) < 0.07


@given(
    st.integers(1, 10**9),
    st.lists(st.tuples(st.floats(0, 2), st.integers(0, 200_000)), min_size=1, max_size=8),
)
def test_bandwidth_lets_no_more_through_than_its_rate_nor_less(
    rate: int, sends: list[tuple[float, int]]
) -> None:
    line = Line(active("bandwidth", bytes_per_s=max(rate, sum(size for _, size in sends) // 50)))
    rate = max(rate, sum(size for _, size in sends) // 50)
    free_at = 0.0
    for pause, size in sends:
        line.until(line.now + pause)
        if size:
            line.feed(bytes(size))
            free_at = max(free_at, line.now) + size / rate
    line.until(HOUR_S)
    assert len(line.data) == sum(size for _, size in sends)
    passed = 0
    for at, piece in line.came:
        passed += len(piece) if isinstance(piece, bytes) else 0
        assert passed <= rate * at + 1e-3
        assert len(piece) <= max(1, min(PIECE_SIZE_MAX, rate * BANDWIDTH_PIECE_S))  # type: ignore[arg-type]
    if line.came:
        assert line.came[-1][0] == pytest.approx(free_at, rel=1e-6, abs=1e-6)


def test_bandwidth_saves_up_no_time_in_which_nothing_was_sent() -> None:
    line = Line(active("bandwidth", bytes_per_s=1_000))
    line.until(60.0)
    line.feed(bytes(2_000))
    line.until(61.0)
    assert len(line.data) <= 1_000
    line.until(62.001)
    assert len(line.data) == 2_000


@given(
    st.integers(1, 500), st.integers(0, 500), st.integers(0, 50), st.binary(min_size=1, max_size=3_000),
    st.text(max_size=5),
)  # fmt: skip
def test_slices_have_their_size_and_their_pause(
    size: int, variation: int, pause_ms: int, data: bytes, seed: str
) -> None:
    line = Line(active("slicer", piece_bytes=size, variation_bytes=variation, pause_ms=pause_ms), seed=seed)
    line.feed(data, End.EOF)
    line.until(HOUR_S)
    assert line.data == data
    pieces = [piece for _, piece in line.came if isinstance(piece, bytes)]
    assert all(max(1, size - variation) <= len(piece) <= size + variation for piece in pieces[:-1])
    assert line.times() == pytest.approx([number * pause_ms / 1000 for number in range(len(line.came))])
    assert line.ends == [End.EOF]


def test_a_stall_lets_nothing_through_and_then_all_of_it() -> None:
    stall = active("stall")
    line = Line(stall)
    line.feed(b"held", End.EOF)
    line.until(HOUR_S)
    assert (line.came, line.channel.next_due(), line.channel.held_size) == ([], None, 4)
    line.have()
    assert line.came == [(HOUR_S, b"held"), (HOUR_S, End.EOF)]
    assert stall.counts.bytes_delayed == 4


def test_a_black_hole_loses_bytes_and_ends_and_then_resets_what_has_a_hole() -> None:
    hole = active("black_hole")
    line = Line(hole)
    line.feed(b"lost", End.EOF)
    line.until(HOUR_S)
    assert (line.came, line.channel.held_size, hole.counts.bytes_dropped) == ([], 0, 4)
    line.have()
    assert line.ends == [End.RESET]


def test_a_black_hole_that_nothing_fell_into_leaves_its_connection_whole() -> None:
    line = Line(active("black_hole"))
    line.have()
    line.feed(b"whole")
    assert line.came == [(0.0, b"whole")]


@given(st.integers(1, 40), st.lists(st.binary(max_size=20), max_size=6))
def test_limit_data_passes_exactly_so_many_bytes_and_then_closes(limit: int, sends: list[bytes]) -> None:
    toxic = active("limit_data", bytes=limit)
    line = Line(toxic)
    line.feed(*(data for data in sends if data), End.EOF)
    line.until(1.0)
    sent = b"".join(sends)
    assert line.data == sent[:limit]
    reached = len(sent) >= limit
    assert line.ends == [End.CLOSE, End.EOF] if reached else [End.EOF]
    assert (toxic.counts.bytes_dropped, toxic.counts.connections_closed) == (
        max(0, len(sent) - limit),
        int(reached),
    )


def test_slow_close_delays_only_the_end() -> None:
    line = Line(active("slow_close", delay_ms=1_500))
    line.feed(b"bytes", End.EOF)
    line.until(HOUR_S)
    assert line.came == [(0.0, b"bytes"), (1.5, End.EOF)]


def test_a_reset_waits_for_what_was_sent_before_it_and_no_longer() -> None:
    line = Line(active("latency", latency_ms=100), active("slow_close", delay_ms=9_000))
    line.feed(b"last words", End.RESET)
    line.until(HOUR_S)
    assert line.came == [(0.1, b"last words"), (0.1, End.RESET)]


def test_draws_are_even_differ_by_seed_and_are_the_same_everywhere() -> None:
    draws = SeededDraws("seed")
    found = [draws.random() for _ in range(2_000)]
    assert all(0 <= each < 1 for each in found)
    assert [sum(part <= each * 10 < part + 1 for each in found) > 140 for part in range(10)] == [True] * 10
    again = SeededDraws("seed")
    assert [again.random() for _ in range(5)] == found[:5]
    assert SeededDraws("other").random() != found[0]
