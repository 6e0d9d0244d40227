"""Two relays held beside each other: what shows in both, what in one alone, and who gave blocks later."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.chaos.beside import COMMON_BLOCKS_MIN, Beside, Watched, Where, beside_of
from sprint.core.chaos.observation import BlockSeen
from tests.core.chaos.run_stories import CHAIN, INJECTED_S, REMOVED_S, Story, breaker, observed

WHERE = Where("http://127.0.0.1:8081", "http://127.0.0.1:8080")
SPAN = (INJECTED_S, REMOVED_S)
CALM = Story(opens_s=None, shows_s=None, closes_s=None)


def held(subject: Story, control: Story, *, ahead_s: float = 0.0, later_s: float = 0.0) -> Beside:
    """Hold two stories beside each other; the second relay gave each block so much later."""
    other = observed(control)
    blocks = tuple(msgspec.structs.replace(each, at_s=each.at_s + later_s) for each in other.blocks)
    other = msgspec.structs.replace(other, blocks=blocks)
    return beside_of(
        WHERE, Watched(observed=observed(subject)), Watched(observed=other, ahead_s=ahead_s), SPAN
    )


def test_what_shows_in_one_alone_is_told_as_a_difference() -> None:
    beside = held(Story(), CALM)
    assert beside.in_both == ()
    assert f"breakers that opened: {breaker('alice')}; beside it none" in beside.differed
    assert "health: degraded; beside it none" in beside.differed
    assert beside.subject.not_ready == (f"{CHAIN}:alice",)


def test_what_shows_in_both_is_not_the_faults_alone() -> None:
    beside = held(Story(), Story())
    assert (
        f"sources not ready: {CHAIN}:alice; beside it {CHAIN}:alice: not the fault's alone" in beside.in_both
    )
    assert [each for each in beside.differed if not each.startswith("blocks of both")] == []


def test_what_a_breaker_in_shadow_says_has_opened_nothing() -> None:
    assert held(Story(shadow=True), CALM).subject.opened == ()


def test_two_relays_that_are_well_differ_in_nothing_but_when_they_gave_blocks() -> None:
    beside = held(CALM, CALM, later_s=-0.25)
    assert beside.in_both == ()
    assert beside.later_ms == pytest.approx(250.0)
    assert beside.differed == (
        "blocks of both came 250.0 ms later than beside it, the median, before the faults 250.0 ms",
    )


def test_a_clock_that_began_later_is_reckoned_with() -> None:
    beside = held(CALM, CALM, ahead_s=2.0, later_s=-2.0)
    assert beside.later_ms == pytest.approx(0.0)
    assert beside.control.blocks == beside.subject.blocks


def test_a_relay_that_gave_no_answer_and_one_that_gave_no_block_are_told() -> None:
    beside = held(Story(unanswered=6), Story(chain_stops=True))
    assert any(each.startswith("samples without an answer: ") for each in beside.differed)
    assert any(each.startswith(f"blocks of {CHAIN}: ") and each.endswith("it 0") for each in beside.differed)


def test_of_fewer_blocks_than_tell_something_no_time_is_told() -> None:
    few = observed(CALM)
    kept: tuple[BlockSeen, ...] = few.blocks[: COMMON_BLOCKS_MIN - 1]
    control = Watched(observed=msgspec.structs.replace(few, blocks=kept))
    beside = beside_of(WHERE, Watched(observed=few), control, (0.0, REMOVED_S))
    assert (beside.common_blocks, beside.later_ms) == (COMMON_BLOCKS_MIN - 1, None)


def test_findings_and_losses_outside_the_time_of_the_faults_do_not_count() -> None:
    seen = observed(Story(subscriber_losses=1))
    at_s = seen.subscriber_losses[0].at_s
    watched = Watched(observed=seen, stream_findings=(at_s, at_s + 1000.0))
    beside = beside_of(WHERE, watched, Watched(observed=observed(CALM)), (at_s - 1.0, at_s + 1.0))
    assert (beside.subject.lost, beside.subject.stream_findings) == (1, 1)
    later = beside_of(WHERE, watched, Watched(observed=observed(CALM)), (at_s + 2.0, at_s + 3.0))
    assert (later.subject.lost, later.subject.stream_findings) == (0, 0)
