"""The recovery probability: its formula, the time it gives for a trial, and no wedging by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.policy import RecoveryPolicy
from sprint.core.breaker.recovery_probability import TAU_S_MAX, TAU_S_MIN, RecoveryProbability

POLICY = RecoveryPolicy(enabled=True)
HEALTH = st.none() | st.floats(0.0, 1.0)


def recovery(tau_s: float = 30.0, policy: RecoveryPolicy = POLICY) -> RecoveryProbability:
    return RecoveryProbability(policy, tau_s)


def test_it_begins_at_the_base_and_ends_at_what_health_allows() -> None:
    assert recovery().probability(0.0, 0, 1.0) == 0.1
    assert recovery().probability(math.inf, 0, 1.0) == pytest.approx(1.0)
    assert recovery().probability(math.inf, 0, None) == pytest.approx(0.55)
    assert recovery().probability(math.inf, 1, 1.0) == pytest.approx(0.82)


def test_it_is_the_formula() -> None:
    expected = 0.1 + 0.9 * (1 - math.exp(-20 / 30)) * 0.8**2 * 0.7
    assert recovery().probability(20.0, 2, 0.7) == pytest.approx(expected)


def test_time_that_ran_backwards_is_none() -> None:
    assert recovery().probability(-5.0, 0, 1.0) == 0.1


@pytest.mark.parametrize(("failed_trials", "health"), [(4, 1.0), (1, None), (0, 4 / 9 - 1e-9), (0, 0.0)])
def test_where_a_half_is_never_reached_it_says_so(failed_trials: int, health: float | None) -> None:
    assert recovery().trial_in_s(failed_trials, health) is None
    assert recovery().probability(math.inf, failed_trials, health) < 0.5


@pytest.mark.parametrize(("failed_trials", "health"), [(3, 1.0), (0, None), (0, 4 / 9 + 1e-9)])
def test_just_within_reach_there_is_a_time(failed_trials: int, health: float | None) -> None:
    assert recovery().trial_in_s(failed_trials, health) is not None


def test_a_base_that_is_enough_needs_no_time() -> None:
    for base in (0.5, 1.0):
        assert recovery(policy=RecoveryPolicy(base=base)).trial_in_s(9, 0.0) == 0.0


def test_even_certainty_is_waited_for_at_most_as_long_as_it_takes() -> None:
    assert recovery(policy=RecoveryPolicy(trial_from=1.0)).trial_in_s(0, 1.0) is None


@given(st.integers(0, 100), HEALTH, st.floats(TAU_S_MIN, TAU_S_MAX))
def test_the_time_of_a_trial_is_when_the_probability_reaches_its_limit(
    failed_trials: int, health: float | None, tau_s: float
) -> None:
    found = recovery(tau_s)
    trial_in_s = found.trial_in_s(failed_trials, health)
    if trial_in_s is None:
        assert found.probability(math.inf, failed_trials, health) <= 0.5 + 1e-9
        return
    assert found.probability(trial_in_s, failed_trials, health) == pytest.approx(0.5, abs=1e-9)
    assert found.probability(0.9 * trial_in_s, failed_trials, health) < 0.5


@given(st.floats(0.0, 1e9), st.floats(0.0, 1e9), st.integers(0, 50), HEALTH)
def test_it_only_grows_with_time(
    one_s: float, other_s: float, failed_trials: int, health: float | None
) -> None:
    earlier_s, later_s = sorted((one_s, other_s))
    found = recovery()
    early = found.probability(earlier_s, failed_trials, health)
    assert 0.1 <= early <= found.probability(later_s, failed_trials, health) <= 1.0


def test_outages_teach_their_length() -> None:
    found = recovery(30.0)
    found.recovered(130.0)
    assert found.tau_s == pytest.approx(30.0 + 0.2 * 100.0)
    for _ in range(100):
        found.recovered(5.0)
    assert found.tau_s == pytest.approx(5.0)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300), st.floats(-1e9, 1e9))
def test_no_outages_make_trials_a_storm_or_end_them(outages_s: list[float], tau_s: float) -> None:
    found = recovery(tau_s)
    for open_s in outages_s:
        found.recovered(open_s)
    assert TAU_S_MIN <= found.tau_s <= TAU_S_MAX
    assert found.trial_in_s(0, 1.0) == pytest.approx(found.tau_s * -math.log(1 - 0.4 / 0.9))


def test_what_was_learned_survives_another_policy_and_nothing_learned_does_not() -> None:
    found = recovery(30.0)
    found.adopt(POLICY, 60.0)
    assert found.tau_s == 60.0
    found.recovered(60.0)
    found.adopt(RecoveryPolicy(tau_s=5.0), 15.0)
    assert found.tau_s == 60.0


def test_the_policys_own_tau_comes_first() -> None:
    assert recovery(30.0, RecoveryPolicy(tau_s=7.0)).tau_s == 7.0
