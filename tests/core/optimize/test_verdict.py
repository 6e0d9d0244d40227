"""Verdicts: what did not change is told so, what did is found, and intervals hold what they promise."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.optimize.verdict import (
    CHANGE_SHARE_MIN,
    ROUNDS_MAX,
    ROUNDS_MIN,
    Better,
    Verdict,
    compare,
    confidence_of_each,
    in_words,
    rounds_for,
    shifts_left_out,
    verdict_of_all,
)

TRIALS = 2_000
# Of trials that each err with a probability of 0.05, more than this many err less than once in 10,000 runs.
ERRORS_MAX = math.ceil(TRIALS * 0.05 + 3.8 * math.sqrt(TRIALS * 0.05 * 0.95))


def rounds(rng: random.Random, kind: str, count: int, shift: float = 1.0) -> list[float]:
    """Return figures as a bench has them: with a long tail, with two modes, or nearly alike."""
    draws: dict[str, Callable[[], float]] = {
        "long tail": lambda: rng.lognormvariate(0.0, 0.8),
        "two modes": lambda: rng.choice((1.0, 8.0)) * rng.uniform(0.9, 1.1),
        "narrow": lambda: rng.gauss(100.0, 1.0),
    }
    return [shift * draws[kind]() for _ in range(count)]


@pytest.mark.parametrize("kind", ["long tail", "two modes", "narrow"])
@pytest.mark.parametrize("count", [4, 6, 12])
def test_equal_distributions_are_no_effect_in_95_of_100_cases(kind: str, count: int, seed: int) -> None:
    rng = random.Random(f"{seed}/{kind}/{count}")
    wrong = sum(
        compare(rounds(rng, kind, count), rounds(rng, kind, count)).verdict != "no effect here"
        for _ in range(TRIALS)
    )
    assert wrong <= ERRORS_MAX


@pytest.mark.parametrize("kind", ["long tail", "two modes", "narrow"])
def test_the_interval_holds_the_true_ratio_in_95_of_100_cases(kind: str, seed: int) -> None:
    rng = random.Random(f"{seed}/{kind}")
    missed = 0
    for _ in range(TRIALS):
        change = compare(rounds(rng, kind, 8), rounds(rng, kind, 8, 0.5))
        missed += not change.low <= 0.5 <= change.high
    assert missed <= ERRORS_MAX


def test_a_shift_beyond_the_spread_is_found_and_its_direction_told(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(200):
        before = rounds(rng, "narrow", 6)
        less, more = rounds(rng, "narrow", 6, 0.5), rounds(rng, "narrow", 6, 2.0)
        assert compare(before, less).verdict == "helped"
        assert compare(before, more).verdict == "hurt"
        assert compare(before, less, better="more").verdict == "hurt"
        assert compare(before, more, better="more").verdict == "helped"


def test_a_sure_change_that_nobody_would_notice_is_no_effect() -> None:
    before = [100.0, 100.1, 100.2, 100.3]
    for factor in (0.97, 1.03):
        change = compare(before, [factor * value for value in before])
        assert not change.low <= 1 <= change.high
        assert change.verdict == "no effect here"


def test_the_interval_is_that_of_the_tables() -> None:
    # Critical values of U, two-sided, 0.05 and 0.01: as many shifts lie outside on each side.
    tables = {(4, 4, 0.95): 0, (5, 5, 0.95): 2, (6, 6, 0.95): 5, (10, 10, 0.95): 23, (8, 12, 0.95): 22}
    tables |= {(6, 6, 0.99): 2, (10, 10, 0.99): 16}
    assert {case: shifts_left_out(*case) for case in tables} == tables


figures = st.lists(st.floats(1e-6, 1e6), min_size=ROUNDS_MIN, max_size=12)


@given(before=figures, after=figures)
def test_the_other_way_round_it_is_the_other_way_round(before: list[float], after: list[float]) -> None:
    there, back = compare(before, after), compare(after, before)
    assert there.low <= there.ratio <= there.high
    assert math.isclose(there.ratio, 1 / back.ratio, rel_tol=1e-9)
    assert math.isclose(there.low, 1 / back.high, rel_tol=1e-9)
    opposite: dict[Verdict, Verdict] = {"helped": "hurt", "hurt": "helped"}
    # At the very bound of a noticeable change the two may round differently.
    if not math.isclose(abs(math.log(there.ratio)), -math.log(1 - CHANGE_SHARE_MIN), rel_tol=1e-9):
        assert back.verdict == opposite.get(there.verdict, "no effect here")


@given(before=figures, after=figures, scale=st.sampled_from([1e-3, 1e3]))
def test_units_change_nothing(before: list[float], after: list[float], scale: float) -> None:
    one = compare(before, after)
    other = compare([scale * value for value in before], [scale * value for value in after])
    assert math.isclose(one.ratio, other.ratio, rel_tol=1e-9)


def test_with_equal_figures_nothing_changed() -> None:
    change = compare([5.0] * 4, [5.0] * 4)
    assert (change.ratio, change.low, change.high, change.verdict) == (1.0, 1.0, 1.0, "no effect here")


@pytest.mark.parametrize("wrong", [[], [1.0] * (ROUNDS_MIN - 1), [1.0] * (ROUNDS_MAX + 1)])
def test_too_few_and_too_many_rounds_are_refused(wrong: list[float]) -> None:
    compare([1.0] * ROUNDS_MIN, [1.0] * ROUNDS_MAX)
    with pytest.raises(ValueError, match=f"{len(wrong)} rounds"):
        compare([1.0] * ROUNDS_MIN, wrong)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.inf, math.nan])
def test_figures_that_have_no_ratio_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="no figure above 0"):
        compare([1.0] * 4, [1.0, 1.0, 1.0, wrong])


def test_a_confidence_that_so_few_rounds_cannot_give_is_refused_with_how_many_could() -> None:
    assert rounds_for(0.95) == 4
    assert rounds_for(0.99) == 5
    with pytest.raises(ConfigError, match="want 5 of each"):
        compare([1.0] * 4, [1.0] * 4, confidence=0.99)
    for rounds_count in (rounds_for(0.99), rounds_for(0.999)):
        shifts_left_out(rounds_count, rounds_count, 0.99)


def test_of_many_figures_that_did_not_change_seldom_one_is_told_as_changed(seed: int) -> None:
    rng = random.Random(seed)
    confidence = confidence_of_each(5)
    assert math.isclose(confidence, 0.99)
    wrong = 0
    for _ in range(TRIALS // 5):
        verdicts: dict[str, Verdict] = {
            str(number): compare(
                rounds(rng, "long tail", 6), rounds(rng, "long tail", 6), confidence=confidence
            ).verdict
            for number in range(5)
        }
        wrong += verdict_of_all(verdicts)[0] != "no effect here"
    trials = TRIALS // 5
    assert wrong <= math.ceil(trials * 0.05 + 3.8 * math.sqrt(trials * 0.05 * 0.95))


@pytest.mark.parametrize(
    ("verdicts", "overall", "says"),
    [
        ({"p99": "helped", "gc": "no effect here"}, "helped", "helped p99"),
        ({"p99": "helped", "gc": "hurt"}, "hurt", "helped p99; hurt gc"),
        ({"p99": "no effect here"}, "no effect here", "no figure changed by more than the noise"),
    ],
)
def test_what_hurt_anything_is_not_told_as_a_help(
    verdicts: dict[str, Verdict], overall: Verdict, says: str
) -> None:
    assert verdict_of_all(verdicts) == (overall, says)


@pytest.mark.parametrize(("factor", "better"), [(0.25, "less"), (4.0, "more")])
def test_a_change_is_said_with_its_interval(factor: float, better: Better) -> None:
    before = [10.0, 10.5, 11.0, 11.5]
    change = compare(before, [factor * value for value in before], better=better)
    assert change.verdict == "helped"
    assert in_words(change) == f"helped: 4.00 times {'less' if factor < 1 else 'more'} (3.48 to 4.60)"
    same = compare(before, before)
    assert in_words(same) == "no effect here; the noise would hide one of up to 1.15 times"
