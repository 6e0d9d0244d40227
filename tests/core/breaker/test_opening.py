"""How long OPEN lasts: the probability speaks of an outage's first trial only, the longest holds always."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.opening import Opening
from sprint.core.breaker.policy import BackoffPolicy, Policy, RecoveryPolicy
from tests.core.breaker.test_machine import call, state_of

BACKOFF = BackoffPolicy(base_s=15.0, multiplier=1.5, longest_s=120.0, jitter="none")
POLICY = Policy(backoff=BACKOFF, recovery=RecoveryPolicy(enabled=True))
LEARNING = Policy(failures_to_open=1, half_open_calls=1, recovery=RecoveryPolicy(enabled=True))
HEALTH = st.none() | st.floats(0.0, 1.0)


def half() -> float:
    return 0.5


def begun(health: float | None, policy: Policy = POLICY) -> Opening:
    opening = Opening(policy)
    opening.begin(closed_s=1e6, health=health, now=0.0)
    return opening


def test_a_healthy_callee_is_tried_sooner_than_the_backoff_would() -> None:
    opening = begun(1.0)
    assert opening.delay_s(half) < BACKOFF.base_s
    assert opening.by == "recovery"


def test_where_health_puts_a_half_out_of_reach_the_longest_delay_holds() -> None:
    opening = begun(0.2)
    assert (opening.delay_s(half), opening.by) == (BACKOFF.longest_s, "recovery")


def test_four_failed_trials_left_only_the_longest_delay_and_now_the_backoff_goes_on() -> None:
    """With the probability in the place of the backoff the delays were 9, 14, 22, 50 and then 120 s."""
    opening = begun(1.0)
    delays_s = []
    for _ in range(6):
        opening.trial_failed()
        delays_s.append(opening.delay_s(half))
    assert delays_s == [min(15.0 * 1.5**step, 120.0) for step in range(1, 7)]
    assert opening.by == "backoff"


def test_the_next_outage_begins_with_the_probability_again() -> None:
    opening = begun(1.0)
    opening.trial_failed()
    opening.recovered(60.0)
    opening.begin(closed_s=1e6, health=1.0, now=1e6)
    opening.delay_s(half)
    assert opening.by == "recovery"


def test_without_recovery_the_first_delay_is_the_backoffs() -> None:
    assert begun(1.0, Policy(backoff=BACKOFF)).delay_s(half) == BACKOFF.base_s


@given(HEALTH, st.integers(0, 100), st.floats(0.0, 1.0, exclude_max=True))
def test_no_delay_is_longer_than_the_longest(health: float | None, failed: int, chance: float) -> None:
    opening = begun(health)
    for _ in range(failed):
        opening.trial_failed()
    assert 0.0 <= opening.delay_s(lambda: chance) <= BACKOFF.longest_s


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_worse_health_never_brings_the_first_trial_forward(one: float, other: float) -> None:
    worse, better = sorted((one, other))
    assert begun(worse).delay_s(half) >= begun(better).delay_s(half)


@pytest.mark.parametrize("order", ["force_open", "force_close", "reset"])
def test_the_time_an_operator_held_a_breaker_is_not_learned_as_time_of_recovery(order: str) -> None:
    """A day of maintenance made the first trial of every later outage wait for the longest delay."""
    breaker = Machine("node", LEARNING, now=0.0, rng=half)
    assert breaker.opening.probability(1.0) == Opening(LEARNING).probability(1.0)
    call(breaker, "failure", 0.0)
    assert state_of(breaker) == "open"
    assert getattr(breaker, order)(1.0)
    breaker.release(86_400.0)
    breaker.force_open(86_400.0)
    breaker.release(86_400.0)
    call(breaker, "success", 86_400.0)
    assert state_of(breaker) == "closed"
    assert breaker.opening.probability(1.0) == Opening(LEARNING).probability(1.0)


def test_an_outage_that_nobody_meddled_with_is_learned() -> None:
    breaker = Machine("node", LEARNING, now=0.0, rng=half)
    call(breaker, "failure", 0.0)
    call(breaker, "success", 86_400.0)
    assert state_of(breaker) == "closed"
    assert breaker.opening.probability(1.0) < Opening(LEARNING).probability(1.0)
