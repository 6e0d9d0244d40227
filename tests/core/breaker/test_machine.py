"""The machine: what opens it, what closes it, and what a call that hangs or comes late can't do."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome, State
from sprint.core.breaker.policy import BackoffPolicy, Policy, WindowPolicy
from sprint.core.breaker.trials import Permit
from sprint.core.errors import CircuitOpenError, ConfigError

POLICY = Policy(
    failures_to_open=3,
    half_open_calls=2,
    trial_lease_s=5.0,
    half_open_longest_s=20.0,
    backoff=BackoffPolicy(base_s=10.0, multiplier=2.0, longest_s=60.0, jitter="none"),
    window=WindowPolicy(minimum_calls=10, slow_call_s=1.0),
)


def machine(policy: Policy = POLICY) -> Machine:
    return Machine("node", policy, now=0.0, rng=lambda: 0.5)


def state_of(breaker: Machine) -> State:
    """Read the state anew: a type checker would take it to be what it was asserted to be."""
    return breaker.state


def admitted(breaker: Machine, now: float) -> Permit:
    permit = breaker.admit(now)
    assert permit is not None
    return permit


def call(breaker: Machine, outcome: Outcome, now: float, latency_s: float = 0.01) -> bool:
    return breaker.settle(admitted(breaker, now), outcome, latency_s, now)


def opened(now: float = 0.0, policy: Policy = POLICY) -> Machine:
    breaker = machine(policy)
    for _ in range(policy.failures_to_open or 0):
        call(breaker, "failure", now)
    assert state_of(breaker) == "open"
    return breaker


def test_it_opens_at_the_limit_of_failures_in_a_row_and_not_before() -> None:
    breaker = machine()
    call(breaker, "failure", 0)
    call(breaker, "failure", 0)
    assert state_of(breaker) == "closed"
    call(breaker, "failure", 0)
    assert state_of(breaker) == "open"
    assert breaker.evidence.detector == "consecutive_failures"
    assert breaker.evidence.text == "3 failures in a row, limit 3"
    assert breaker.admit(0) is None


def test_a_success_between_failures_begins_the_count_anew() -> None:
    breaker = machine()
    for outcome in ("failure", "failure", "success", "failure", "failure"):
        call(breaker, outcome, 0)
    assert state_of(breaker) == "closed"


@pytest.mark.parametrize("outcome", ["ignored", "inconclusive", "cancelled"])
def test_what_tells_nothing_neither_opens_nor_begins_anew(outcome: Outcome) -> None:
    breaker = machine()
    for each in ("failure", "failure", outcome):
        call(breaker, each, 0)
    assert state_of(breaker) == "closed"
    call(breaker, "failure", 0)
    assert state_of(breaker) == "open"


def test_a_rate_opens_at_the_figure_itself_and_with_enough_calls_only() -> None:
    breaker = machine(replace(POLICY, failures_to_open=None))
    for number in range(9):
        call(breaker, "failure" if number % 2 == 0 else "success", 0)
    assert state_of(breaker) == "closed"
    call(breaker, "success", 0)
    assert state_of(breaker) == "open"
    assert (breaker.evidence.detector, breaker.evidence.measured) == ("failure_rate", 0.5)


def test_slow_is_strictly_above_the_limit() -> None:
    breaker = machine()
    for _ in range(20):
        call(breaker, "success", 0, latency_s=1.0)
    assert state_of(breaker) == "closed"
    for _ in range(50):
        if state_of(breaker) == "closed":
            call(breaker, "success", 0, latency_s=1.001)
    assert (state_of(breaker), breaker.evidence.detector) == ("open", "slow_rate")


def test_it_admits_at_exactly_the_end_of_the_delay() -> None:
    breaker = opened()
    assert breaker.admit(9.999) is None
    assert state_of(breaker) == "open"
    assert admitted(breaker, 10.0).trial
    assert state_of(breaker) == "half_open"


def test_twenty_callers_at_once_get_as_many_trials_as_the_budget() -> None:
    breaker = opened()
    assert sum(breaker.admit(10.0) is not None for _ in range(20)) == 2
    assert breaker.totals["rejected"] == 18


def test_enough_successful_trials_close_it_with_fresh_statistics() -> None:
    breaker = opened()
    permits = [admitted(breaker, 10.0) for _ in range(2)]
    for permit in permits:
        breaker.settle(permit, "success", 0.01, 10.5)
    assert state_of(breaker) == "closed"
    assert breaker.statistics(10.5).calls == 0


def test_a_failed_trial_opens_with_the_next_step() -> None:
    breaker = opened()
    call(breaker, "failure", 10.0)
    assert (state_of(breaker), breaker.trial_at) == ("open", 30.0)
    call(breaker, "failure", 30.0)
    assert breaker.trial_at == 70.0
    call(breaker, "failure", 70.0)
    assert breaker.trial_at == 130.0  # the longest


def test_time_that_was_closed_takes_steps_back() -> None:
    breaker = opened()
    call(breaker, "failure", 10.0)
    for _ in range(2):
        call(breaker, "success", 30.0)
    assert (state_of(breaker), breaker.opening.step) == ("closed", 1)
    for _ in range(3):
        call(breaker, "failure", 31.0)
    assert breaker.opening.step == 2
    for _ in range(2):
        call(breaker, "success", 71.0)
    for _ in range(3):
        call(breaker, "failure", 71.0 + 3 * 60.0)
    assert breaker.opening.step == 0


@pytest.mark.parametrize("outcome", ["ignored", "inconclusive", "cancelled"])
def test_a_trial_that_tells_nothing_gives_its_place_back(outcome: Outcome) -> None:
    breaker = opened()
    for _ in range(5):
        call(breaker, outcome, 10.0)
    assert state_of(breaker) == "half_open"
    assert breaker.admit(10.0) is not None


def test_a_trial_that_hangs_gives_its_place_back_at_the_end_of_its_lease() -> None:
    breaker = opened()
    hung = [admitted(breaker, 10.0) for _ in range(2)]
    assert breaker.admit(14.999) is None
    assert breaker.retry_after_s(14.999) == pytest.approx(0.001)
    assert breaker.admit(15.0) is not None
    assert not breaker.settle(hung[0], "success", 5.0, 15.0)
    assert breaker.totals["lease_ended"] == 2


def test_half_open_ends_although_every_trial_hangs() -> None:
    breaker = opened()
    for now in (10.0, 15.0, 20.0, 25.0):
        assert breaker.admit(now) is not None
    assert breaker.admit(30.0) is None
    assert (state_of(breaker), breaker.trial_at) == ("open", 50.0)
    assert "4 trials" in breaker.evidence.text


def test_late_results_of_an_older_generation_are_void() -> None:
    breaker = machine()
    late = [admitted(breaker, 0.0) for _ in range(4)]
    for permit in late[:3]:
        breaker.settle(permit, "failure", 0.01, 0.0)
    trial = admitted(breaker, 10.0)
    assert not breaker.settle(late[3], "failure", 10.0, 10.0)
    assert state_of(breaker) == "half_open"
    assert breaker.settle(trial, "success", 0.01, 10.0)
    assert not breaker.settle(trial, "success", 0.01, 10.0)
    assert state_of(breaker) == "half_open"


def test_slow_trials_do_not_close_what_opened_for_slowness() -> None:
    breaker = opened()
    for _ in range(2):
        call(breaker, "success", 10.0, latency_s=2.0)
    assert state_of(breaker) == "open"
    assert breaker.evidence.text == "2 of 2 trials were slow, limit 70.0%"


def test_forced_open_rejects_until_it_is_released_and_then_tries_at_once() -> None:
    breaker = machine()
    assert breaker.force_open(1.0, "maintenance")
    assert not breaker.force_open(1.0)
    assert breaker.admit(1e6) is None
    refusal = breaker.refusal(1e6)
    assert isinstance(refusal, CircuitOpenError)
    assert (refusal.retry_after_s, refusal.reason) == (None, "maintenance")
    assert breaker.release(1e6)
    assert admitted(breaker, 1e6).trial


def test_forced_closed_admits_all_and_still_knows_whether_it_would_open() -> None:
    breaker = machine()
    breaker.force_close(0.0)
    for _ in range(50):
        call(breaker, "failure", 0.0)
    assert state_of(breaker) == "force_close"
    found = breaker.figures.trip(0.0)
    assert found is not None
    assert found.detector == "consecutive_failures"
    breaker.release(0.0)
    call(breaker, "failure", 0.0)
    assert state_of(breaker) == "open"


def test_reset_closes_with_fresh_statistics_and_the_shortest_delay() -> None:
    breaker = opened()
    call(breaker, "failure", 10.0)
    assert breaker.reset(11.0)
    assert (state_of(breaker), breaker.statistics(11.0).calls) == ("closed", 0)
    for _ in range(3):
        call(breaker, "failure", 11.0)
    assert breaker.trial_at == 21.0


def test_a_policy_takes_effect_on_the_next_call_and_loses_no_statistics() -> None:
    breaker = machine()
    for outcome in ("success", "failure", "failure"):
        call(breaker, outcome, 0.0)
    breaker.adopt(replace(POLICY, failures_to_open=10), 0.0)
    assert breaker.statistics(0.0).calls == 3
    call(breaker, "failure", 0.0)
    assert state_of(breaker) == "closed"
    breaker.adopt(POLICY, 0.0)
    call(breaker, "failure", 0.0)
    assert state_of(breaker) == "open"


def test_a_policy_that_would_never_close_again_is_refused_and_the_old_one_stays() -> None:
    """A record made in a program is not looked at by its maker."""
    without_trials = replace(POLICY, half_open_calls=0)
    with pytest.raises(ConfigError, match=r"breaker 'node': Expected `int` >= 1 - at `\$\.half_open_calls`"):
        machine(without_trials)
    breaker = machine()
    for wrong in (without_trials, replace(POLICY, half_open_longest_s=1.0)):
        with pytest.raises(ConfigError):
            breaker.adopt(wrong, 0.0)
    assert breaker.policy == POLICY


@pytest.mark.parametrize("outcome", ["inconclusive", "cancelled"])
def test_what_tells_nothing_does_not_open_under_a_lower_limit_either(outcome: Outcome) -> None:
    """It had: the first call after a reload opened by the failures before it, though it was cancelled."""
    breaker = machine()
    for _ in range(2):
        call(breaker, "failure", 0.0)
    breaker.adopt(replace(POLICY, failures_to_open=2), 0.0)
    call(breaker, outcome, 0.0)
    assert state_of(breaker) == "closed"
    call(breaker, "failure", 0.0)
    assert state_of(breaker) == "open"


def test_a_shadow_makes_the_transitions_of_one_that_rejects() -> None:
    """What it lets through in shadow alone is told to nobody."""
    rejecting, shadow = machine(), machine(replace(POLICY, shadow=True))
    rng = random.Random(5)
    now = 0.0
    for _ in range(3_000):
        now += rng.choice((0.1, 1.0, 5.0))
        outcome = rng.choices(("success", "failure", "cancelled"), (5, 4, 1))[0]
        for breaker in (rejecting, shadow):
            permit = breaker.admit(now)
            if permit is not None:
                breaker.settle(permit, outcome, 0.01, now)  # type: ignore[arg-type]  # drawn as a string
    assert rejecting.transitions_made > 100
    assert [(each.at, each.reason) for each in rejecting.transitions] == [
        (each.at, each.reason) for each in shadow.transitions
    ]
    assert shadow.totals["rejected"] == 0
    assert shadow.totals["would_reject"] == rejecting.totals["rejected"] > 0


def test_a_shorter_longest_delay_holds_for_one_that_is_open() -> None:
    breaker = opened()
    breaker.adopt(replace(POLICY, backoff=replace(POLICY.backoff, base_s=1.0, longest_s=4.0)), 1.0)
    assert breaker.admit(4.0) is not None


def test_a_shadow_lets_all_through_and_says_when_it_would_have_opened() -> None:
    breaker = machine(replace(POLICY, shadow=True))
    for _ in range(10):
        call(breaker, "failure", 0.0)
    (opening,) = breaker.transitions
    assert (opening.to_state, opening.shadow) == ("open", True)
    assert (breaker.totals["would_reject"], breaker.totals["rejected"]) == (7, 0)
    breaker.force_open(0.0)
    assert breaker.admit(0.0) is None


def test_a_clock_that_goes_back_stands_still() -> None:
    breaker = opened(now=100.0)
    assert breaker.admit(50.0) is None
    assert breaker.admit(110.0) is not None


def test_what_another_of_the_provider_saw_counts_while_closed_and_decides_no_trial() -> None:
    breaker = machine()
    for _ in range(3):
        breaker.share("failure", 0.01, 0.0)
    assert state_of(breaker) == "open"
    admitted(breaker, 10.0)
    breaker.share("failure", 0.01, 10.0)
    assert state_of(breaker) == "half_open"


def test_poor_health_opens_before_anything_else_does() -> None:
    health = replace(POLICY.health, enabled=True)
    policy = replace(POLICY, failure_rate_max=None, slow_rate_max=None, health=health)
    breaker = machine(policy)
    for number in range(20):
        call(breaker, "failure" if number % 2 else "success", 0.0, latency_s=20.0)
    breaker.evaluate(0.0, resource_share=1.0)
    assert (state_of(breaker), breaker.evidence.detector) == ("open", "health")
    assert breaker.figures.health_score() is not None


def test_fresh_statistics_have_no_health_of_before() -> None:
    """After a reset it told the score of calls that no longer counted, until the next look a minute on."""
    breaker = machine(replace(POLICY, health=replace(POLICY.health, enabled=True)))
    call(breaker, "failure", 0.0)
    breaker.evaluate_health(0.0, resource_share=0.5)
    assert breaker.figures.health_score() is not None
    breaker.reset(1.0)
    assert breaker.figures.health_score() is None
