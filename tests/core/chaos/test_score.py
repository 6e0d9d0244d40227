"""The score: worse facts never score higher, and what does not apply is left out and said."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chaos.facts import Facts
from sprint.core.chaos.score import WEIGHTS, score_of
from tests.core.chaos.run_stories import Story, facts

times = st.none() | st.floats(0.0, 1e5)


def later(before: float | None, draw: st.DrawFn) -> float | None:
    """Return a time that is not earlier; None is the latest."""
    return None if before is None else draw(st.none() | st.floats(before, 1e6))


@st.composite
def two_runs(draw: st.DrawFn) -> tuple[Facts, Facts]:
    """The same experiment twice, the second in no fact better than the first."""
    good = facts(Story(kind=draw(st.sampled_from(["freeze", "latency", "force_open", "reset"]))))
    good = msgspec.structs.replace(
        good,
        faults=tuple(msgspec.structs.replace(each, seen_after_s=draw(times)) for each in good.faults),
        breakers=tuple(msgspec.structs.replace(each, opened_after_s=draw(times)) for each in good.breakers),
        recovery=msgspec.structs.replace(
            good.recovery, steady_after_s=draw(times), breakers_closed_after_s=draw(times)
        ),
    )
    worst = facts(Story(bystanders_lost=2, false_opens=3, subscriber_losses=3, chain_stops=True))
    share = draw(st.floats(0.0, 1.0))
    beside = good.contained
    bad_beside = msgspec.structs.replace(
        beside,
        sources_hit=worst.contained.sources_hit[: draw(st.integers(0, 2))],
        chains_stopped=worst.contained.chains_stopped[: draw(st.integers(0, 1))],
        subscriber_losses=worst.contained.subscriber_losses[: draw(st.integers(0, 3))],
        answered_share=share * beside.answered_share,
    )
    bad = msgspec.structs.replace(
        good,
        faults=tuple(
            msgspec.structs.replace(e, seen_after_s=later(e.seen_after_s, draw)) for e in good.faults
        ),
        breakers=tuple(
            msgspec.structs.replace(e, opened_after_s=later(e.opened_after_s, draw)) for e in good.breakers
        ),
        contained=bad_beside,
        recovery=msgspec.structs.replace(
            good.recovery,
            steady_after_s=later(good.recovery.steady_after_s, draw),
            breakers_closed_after_s=later(good.recovery.breakers_closed_after_s, draw),
        ),
        false_opens=worst.false_opens[: draw(st.integers(0, 3))],
        stream=msgspec.structs.replace(good.stream, lost=draw(st.integers(0, 2))),
    )
    return good, bad


@given(two_runs())
def test_worse_facts_never_score_higher(runs: tuple[Facts, Facts]) -> None:
    good, bad = (score_of(each) for each in runs)
    assert good.points is not None
    assert bad.points is not None
    assert bad.points <= good.points + 1e-9
    assert [part.weight for part in good.parts] == [part.weight for part in bad.parts]


@given(two_runs())
def test_points_are_within_0_and_100_and_weights_make_100(runs: tuple[Facts, Facts]) -> None:
    for each in runs:
        score = score_of(each)
        assert score.points is not None
        assert -1e-9 <= score.points <= 100 + 1e-9
        assert sum(part.weight for part in score.parts) == pytest.approx(100.0)


def test_a_run_that_went_well_has_all_points_and_all_parts() -> None:
    score = score_of(facts(Story()))
    assert score.points == pytest.approx(100.0)
    assert {part.name: part.weight for part in score.parts} == WEIGHTS
    assert score.left_out == ()


@pytest.mark.parametrize(
    ("story", "part"),
    [
        (Story(shows_s=None, opens_s=None), "detected"),
        (Story(opens_s=None), "opened_in_time"),
        (Story(shadow=True), "opened_in_time"),
        (Story(bystanders_lost=1), "contained"),
        (Story(subscriber_losses=1), "contained"),
        (Story(unanswered=5), "contained"),
        (Story(chain_stops=True), "contained"),
        (Story(steady_s=None), "recovered"),
        (Story(closes_s=None), "recovered"),
        (Story(closes_s=50.0), "recovered"),
        (Story(false_opens=1), "false_opens"),
    ],
)
def test_what_went_wrong_costs_points_in_its_own_part(story: Story, part: str) -> None:
    score = score_of(facts(story))
    value = next(each.value for each in score.parts if each.name == part)
    assert value is not None
    assert value < 1.0


@pytest.mark.parametrize("story", [Story(blocks_lost=1), Story(blocks_twice=1)])
def test_one_block_lost_or_twice_leaves_nothing_of_contained(story: Story) -> None:
    values = {each.name: each.value for each in score_of(facts(story)).parts}
    assert values["contained"] == 0.0


def test_for_a_source_that_is_only_slow_no_breaker_is_scored_and_that_is_said() -> None:
    score = score_of(facts(Story(kind="latency", opens_s=None, shows_s=None, closes_s=None)))
    assert score.points == pytest.approx(100.0)
    assert [each.partition(":")[0] for each in score.left_out] == ["detected", "opened_in_time"]
    assert "asked last, not cut off" in score.left_out[1]


def test_every_part_says_what_it_rests_on() -> None:
    assert all(part.rests_on for part in score_of(facts(Story())).parts)
