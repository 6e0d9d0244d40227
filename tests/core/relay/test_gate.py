"""When a source may be tried again: the wait doubles to its cap, and a connection that held resets it."""

from __future__ import annotations

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.relay.gate import (
    BLOCK_FIRST_S,
    BLOCK_MAX_S,
    HELD_AFTER_S,
    WAIT_FIRST_S,
    WAIT_MAX_S,
    WAIT_NEEDED_MAX_S,
    SourceGate,
)

Ending = Literal["lost", "failed", "misbehaved"]
FAILED: Ending = "failed"
MISBEHAVED: Ending = "misbehaved"


def waits(ending: Ending, count: int, *, held_s: float = 0.0) -> list[float]:
    gate, found = SourceGate(), []
    for _ in range(count):
        gate.record(ending, held_s=held_s, now=1_000.0, jitter=0.0)
        found.append(gate.admit(1_000.0))
    return found


def test_a_source_may_be_tried_at_once_at_first() -> None:
    assert SourceGate().admit(0.0) == 0.0


def test_waits_after_failures_double_to_their_cap() -> None:
    found = waits(FAILED, 12)
    assert found == [min(WAIT_FIRST_S * 2**n, WAIT_MAX_S) for n in range(12)]
    assert found[-1] == WAIT_MAX_S


def test_one_that_misbehaved_waits_longer_and_to_a_higher_cap() -> None:
    found = waits(MISBEHAVED, 12)
    assert found == [min(BLOCK_FIRST_S * 2**n, BLOCK_MAX_S) for n in range(12)]
    assert found[-1] == BLOCK_MAX_S


@pytest.mark.parametrize("held_s", [0.0, 0.1, HELD_AFTER_S - 0.001])
def test_one_that_drops_right_after_its_handshake_backs_off_as_a_failure_does(held_s: float) -> None:
    assert waits("lost", 12, held_s=held_s) == waits(FAILED, 12)


def test_one_that_held_and_got_lost_is_tried_soon_every_time() -> None:
    assert waits("lost", 5, held_s=HELD_AFTER_S) == [WAIT_FIRST_S] * 5


def test_a_connection_that_held_starts_both_waits_afresh() -> None:
    gate = SourceGate()
    for ending in (FAILED, MISBEHAVED) * 5:
        gate.record(ending, held_s=0.0, now=0.0, jitter=0.0)
    gate.record(MISBEHAVED, held_s=HELD_AFTER_S, now=0.0, jitter=0.0)
    assert gate.admit(0.0) == BLOCK_FIRST_S
    gate.record(FAILED, held_s=0.0, now=0.0, jitter=0.0)
    assert gate.admit(0.0) == WAIT_FIRST_S


def test_one_that_held_just_too_short_goes_on_with_its_longer_wait() -> None:
    gate = SourceGate()
    gate.record(MISBEHAVED, held_s=0.0, now=0.0, jitter=0.0)
    gate.record(MISBEHAVED, held_s=HELD_AFTER_S - 0.001, now=0.0, jitter=0.0)
    assert gate.admit(0.0) == 2 * BLOCK_FIRST_S


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["lost", "failed", "misbehaved"]), st.floats(0.0, 120.0), st.floats(0.0, 1.0)
        ),
        min_size=1,
    )
)
def test_a_wait_is_never_over_its_cap_nor_under_half_its_first(
    endings: list[tuple[Ending, float, float]],
) -> None:
    gate, now = SourceGate(), 0.0
    for ending, held_s, jitter in endings:
        gate.record(ending, held_s=held_s, now=now, jitter=jitter)
        first, cap = (BLOCK_FIRST_S, BLOCK_MAX_S) if ending == MISBEHAVED else (WAIT_FIRST_S, WAIT_MAX_S)
        wait_s = gate.admit(now)
        assert first / 2 * 0.999 <= wait_s <= cap * 1.001
        now += wait_s
        assert gate.admit(now + 1e-6) == 0.0


def test_one_that_is_shut_out_is_tried_sooner_while_no_other_source_is_ready() -> None:
    gate = SourceGate()
    for _ in range(8):
        gate.record(MISBEHAVED, held_s=0.0, now=1_000.0, jitter=0.0)
    assert gate.admit(1_000.0) == BLOCK_FIRST_S * 2**7
    assert gate.admit(1_000.0, needed=True) == WAIT_MAX_S


def test_how_long_a_source_will_be_shut_out_is_known_before_it_is() -> None:
    gate = SourceGate()
    for held_s in (0.0, 0.0, 0.0, HELD_AFTER_S, 0.0):
        longest_s = gate.shut_out_s(held_s)
        gate.record(MISBEHAVED, held_s=held_s, now=0.0, jitter=0.0)
        assert gate.admit(0.0) == longest_s


def test_a_breaker_that_lets_nothing_through_is_waited_for_also_where_the_source_is_needed() -> None:
    gate = SourceGate()
    gate.record(FAILED, held_s=0.0, now=1_000.0, jitter=0.0)
    for needed in (False, True):
        assert gate.admit(1_000.0, needed=needed, breaker_s=7.5) == 7.5
        assert gate.admit(1_000.0, needed=needed, breaker_s=0.1) == WAIT_FIRST_S
        assert gate.admit(2_000.0, needed=needed, breaker_s=math.inf) == math.inf


def test_one_that_is_needed_is_tried_within_seconds_and_not_faster_than_its_backoff() -> None:
    """It had waited for up to 30 s after the last of the others was lost."""
    gate = SourceGate()
    for number in range(12):
        gate.record(FAILED, held_s=0.0, now=1_000.0, jitter=0.0)
        assert gate.admit(1_000.0, needed=True) == min(WAIT_FIRST_S * 2**number, WAIT_NEEDED_MAX_S)
    assert gate.admit(1_000.0) == WAIT_MAX_S
    assert gate.admit(1_000.0 + WAIT_NEEDED_MAX_S, needed=True) == 0.0


def test_an_operators_word_ends_the_wait_and_begins_the_backoff_afresh() -> None:
    gate = SourceGate()
    for _ in range(12):
        gate.record(FAILED, held_s=0.0, now=1_000.0, jitter=0.0)
    gate.bring_forward()
    assert gate.admit(1_000.0) == gate.admit(1_000.0, needed=True) == 0.0
    gate.record(FAILED, held_s=0.0, now=1_000.0, jitter=0.0)
    assert gate.admit(1_000.0) == WAIT_FIRST_S


def test_one_that_is_shut_out_is_not_brought_forward() -> None:
    gate = SourceGate()
    gate.record(MISBEHAVED, held_s=0.0, now=1_000.0, jitter=0.0)
    gate.bring_forward()
    assert gate.admit(1_000.0) == BLOCK_FIRST_S
