"""The failure predictor: what it looks at, when it learns, what its scores mean, and when it may open."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.failure_prediction import (
    CALLS_MIN,
    FEATURE_LIMIT,
    FEATURES,
    PRIOR_WEIGHTS,
    TRIP_SCORES_MIN,
    FailurePrediction,
    features,
    is_failing,
)
from sprint.core.breaker.outcomes import Statistics
from sprint.core.breaker.policy import Policy, PredictionPolicy
from tests.bench.breaker_prediction import SEEDS, brier_skill, held_out

POLICY = PredictionPolicy(enabled=True, interval_s=10.0, learning_rate=0.5, opens_from=0.7)
FINE = Statistics(successes=100)
FAILING = Statistics(successes=10, failures=90)


def rate(failures: int, slow: int = 0) -> Statistics:
    return Statistics(successes=100 - failures, failures=failures, slow=slow)


def taught(rounds: int, policy: PredictionPolicy = POLICY) -> tuple[FailurePrediction, float]:
    """A model that has seen a third of failures go before each failing interval, by chance every fifth."""
    model, now, source = FailurePrediction(policy), 0.0, random.Random(7)
    for _ in range(rounds):
        creeping = source.random() < 0.2
        for statistics in (FINE, rate(33 if creeping else 0), FAILING if creeping else FINE):
            model.observe(statistics, 0.02, now)
            now += policy.interval_s
    return model, now


def test_off_it_foretells_nothing() -> None:
    model = FailurePrediction(PredictionPolicy())
    model.observe(FINE, 0.02, 0.0)
    assert (model.probability(), model.brier(), model.skill(), model.trips()) == (None, None, None, None)


def test_it_looks_once_an_interval() -> None:
    model = FailurePrediction(POLICY)
    model.observe(FINE, 0.02, 0.0)
    model.observe(FINE, 0.02, 9.999)
    assert model.brier() is None
    model.observe(FINE, 0.02, 10.0)
    assert model.brier() is not None


def test_the_first_word_is_the_share_of_failing_intervals_that_it_is_packaged_with() -> None:
    model = FailurePrediction(POLICY)
    model.observe(FINE, 0.02, 0.0)
    assert model.probability() == pytest.approx(1 / (1 + math.exp(-PRIOR_WEIGHTS[0])))
    assert model.probability() == pytest.approx(1 / 15, abs=0.005)


def test_it_is_scored_before_it_learns() -> None:
    model = FailurePrediction(POLICY)
    model.observe(FINE, 0.02, 0.0)
    said = model.probability()
    assert said is not None
    model.observe(FAILING, 0.02, 10.0)
    assert model.brier() == pytest.approx((1.0 - said) ** 2)
    assert model.weights()["bias"] > PRIOR_WEIGHTS[0]


def test_of_a_window_that_is_failing_already_nothing_is_foretold() -> None:
    model = FailurePrediction(POLICY)
    model.observe(FAILING, 0.02, 0.0)
    assert model.probability() is None
    model.observe(FAILING, 0.02, 10.0)
    assert model.brier() is None


def test_of_too_few_calls_nothing_is_foretold_and_nothing_learned() -> None:
    model = FailurePrediction(POLICY)
    model.observe(FINE, 0.02, 0.0)
    model.observe(Statistics(successes=CALLS_MIN - 1), 0.02, 10.0)
    assert (model.probability(), model.brier()) == (None, None)
    model.observe(Statistics(successes=CALLS_MIN), 0.02, 20.0)
    assert model.probability() is not None


@pytest.mark.parametrize(
    ("statistics", "failing"),
    [
        (rate(49), False),
        (rate(50), True),
        (rate(0, slow=49), False),
        (rate(0, slow=50), True),
        (Statistics(successes=100, rejected=1), True),
        (Statistics(), False),
    ],
)
def test_failing_is_half_failed_or_slow_or_any_that_were_rejected(
    statistics: Statistics, *, failing: bool
) -> None:
    assert is_failing(statistics) is failing


def test_the_mean_squared_error_is_that_of_all_that_was_said() -> None:
    model, now, errors = FailurePrediction(POLICY), 0.0, []
    source = random.Random(3)
    for _ in range(200):
        said = model.probability()
        statistics = rate(source.choice([0, 10, 30, 60]))
        model.observe(statistics, 0.02, now)
        if said is not None:
            errors.append((said - (1.0 if is_failing(statistics) else 0.0)) ** 2)
        now += POLICY.interval_s
    assert model.brier() == pytest.approx(sum(errors) / len(errors))


def test_what_goes_before_failure_is_learned() -> None:
    model, now = taught(400)
    skill = model.skill()
    assert skill is not None
    assert skill > 0.3
    model.observe(FINE, 0.02, now)
    quiet = model.probability()
    model.observe(rate(33), 0.02, now + POLICY.interval_s)
    warned = model.probability()
    assert quiet is not None
    assert warned is not None
    assert quiet < 0.25
    assert warned > 0.75


def test_from_chance_no_skill_is_learned() -> None:
    model, source, now = FailurePrediction(POLICY), random.Random(5), 0.0
    for _ in range(2_000):
        model.observe(rate(source.choice([0, 5, 10])), 0.02, now)
        model.observe(FAILING if source.random() < 0.2 else FINE, 0.02, now + 10.0)
        now += 20.0
    skill = model.skill()
    assert skill is not None
    assert skill < 0.05


def warned_of(model: FailurePrediction, now: float) -> FailurePrediction:
    model.observe(FINE, 0.02, now)
    model.observe(rate(33), 0.02, now + POLICY.interval_s)
    return model


def test_it_opens_where_the_policy_lets_it() -> None:
    evidence = warned_of(*taught(400)).trips()
    assert evidence is not None
    assert (evidence.detector, evidence.limit) == ("prediction", 0.7)
    assert evidence.measured >= 0.7
    assert "with a skill of" in evidence.text


def test_without_a_limit_it_advises_only() -> None:
    model = warned_of(*taught(400))
    model.adopt(PredictionPolicy(enabled=True))
    assert model.probability() is not None
    assert model.trips() is None


def test_it_opens_nothing_before_enough_intervals_were_scored() -> None:
    model = warned_of(*taught(400))
    model._scored = TRIP_SCORES_MIN - 1
    assert model.trips() is None
    model._scored = TRIP_SCORES_MIN
    assert model.trips() is not None


def test_without_skill_it_opens_nothing() -> None:
    model = warned_of(*taught(400))
    model._error = model._error_of_share
    assert model.skill() == 0.0
    assert model.trips() is None


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.none() | st.floats(1e-6, 1e4),
    st.none() | st.floats(1e-6, 1e4),
)
def test_features_are_bounded_whatever_the_window_holds(
    successes: int, failures: int, p95_s: float | None, before_s: float | None
) -> None:
    now = Statistics(successes=successes, failures=failures, slow=failures)
    found = features(now, p95_s, (FINE, before_s))
    assert len(found) == len(FEATURES)
    assert all(-FEATURE_LIMIT <= value <= FEATURE_LIMIT for value in found)


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(1e-6, 1e3)), max_size=200))
def test_whatever_it_sees_a_probability_is_one(windows: list[tuple[int, float]]) -> None:
    model = FailurePrediction(POLICY)
    for number, (failures, p95_s) in enumerate(windows):
        model.observe(rate(failures), p95_s, 10.0 * number)
        probability = model.probability()
        assert probability is None or 0.0 <= probability <= 1.0


def test_it_ships_off_in_every_policy_without_a_word_of_its_own() -> None:
    assert not Policy().prediction.enabled
    assert Policy().prediction.opens_from is None


@pytest.mark.soak
def test_on_outages_it_was_not_made_with_it_has_no_skill_which_is_why_it_ships_off() -> None:
    """Should it ever have some, the policy's default and the page on breakers have to change."""
    said = held_out(PRIOR_WEIGHTS, range(1_000, 1_000 + SEEDS))
    _, _, skill = brier_skill([each for kind in said.values() for each in kind])
    assert skill <= 0.0
