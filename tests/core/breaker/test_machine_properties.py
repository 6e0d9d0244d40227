"""Any interleaving of calls, hangs, cancellations, late results, clock jumps, reloads and operators' words.

The machine is driven beside a model that shares no code with it. Taking out the lease, the generation, the
budget or the longest HALF_OPEN makes the same test fail: a property that no mutant breaks shows nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from sprint.core.breaker.lane import Lane
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome
from sprint.core.breaker.policy import BackoffPolicy, Policy, WindowPolicy
from sprint.core.breaker.transitions import TRANSITIONS
from sprint.core.breaker.trials import Permit, Trials
from tests.core.breaker.model import Call, Model, Rules

RULES = (
    Rules(3, 2, 5.0, 20.0, 10.0, 2.0, 60.0, 30.0),
    Rules(2, 3, 2.0, 3.0, 1.0, 1.5, 4.0, 5.0),
    Rules(5, 1, 8.0, 8.0, 30.0, 2.0, 45.0, 100.0),
)
OUTCOMES: tuple[Outcome, ...] = ("success", "failure", "ignored", "inconclusive", "cancelled")
CLOCK_JUMPS_S = (-50.0, 0.0, 0.5, 1.0, 2.0, 5.0, 8.0, 10.0, 20.0, 60.0, 1e6)


def policy_of(rules: Rules) -> Policy:
    return Policy(
        failures_to_open=rules.failures_to_open,
        failure_rate_max=None,
        slow_rate_max=None,
        half_open_calls=rules.half_open_calls,
        trial_lease_s=rules.trial_lease_s,
        half_open_longest_s=rules.half_open_longest_s,
        backoff=BackoffPolicy(
            base_s=rules.base_s,
            multiplier=rules.multiplier,
            longest_s=rules.longest_s,
            healthy_s_per_step=rules.healthy_s_per_step,
            jitter="none",
        ),
        window=WindowPolicy(minimum_calls=1),
    )


class Driven(RuleBasedStateMachine):
    """One machine and its model, given the same at every step."""

    machine_class: ClassVar[type[Machine]] = Machine
    calls = Bundle("calls")
    lanes = Bundle("lanes")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machine = self.machine_class("node", policy_of(RULES[0]), now=0.0, rng=lambda: 0.5)
        self.model = Model(RULES[0], 0.0)
        self.settled = 0

    def admitted(self) -> tuple[Permit, Call] | None:
        permit, call = self.machine.admit(self.now), self.model.admit(self.now)
        assert (permit is None) == (call is None)
        if permit is None or call is None:
            assert self.machine.refusal(self.now).breaker == "node"
            return None
        assert bool(permit.trial) == call.trial
        return permit, call

    @rule(target=calls)
    def admit(self) -> tuple[Permit, Call] | None:
        return self.admitted()

    @rule(target=calls)
    def many_callers_at_once(self) -> tuple[Permit, Call] | None:
        first, *others = (self.admitted() for _ in range(20))
        if self.machine.state == "half_open":
            assert sum(pair is not None for pair in (first, *others)) <= self.model.rules.half_open_calls
        return first

    @rule(pair=calls, outcome=st.sampled_from(OUTCOMES))
    def settle(self, pair: tuple[Permit, Call] | None, outcome: Outcome) -> None:
        """Also for the second time, and of calls of long ago."""
        if pair is not None:
            permit, call = pair
            counted = self.machine.settle(permit, outcome, 0.01, self.now)
            assert counted == self.model.settle(call, outcome, self.now)
            self.settled += counted

    @rule(pair=consumes(calls))
    def hang(self, pair: tuple[Permit, Call] | None) -> None:
        """Nothing is ever heard of it."""

    @rule(outcome=st.sampled_from(("success", "failure")))
    def call(self, outcome: Outcome) -> None:
        self.settle(self.admitted(), outcome)

    @rule(target=lanes)
    def enter_lane(self) -> tuple[Lane, int]:
        return self.machine.lane, self.model.epoch

    @rule(pair=lanes)
    def leave_lane(self, pair: tuple[Lane, int]) -> None:
        """A success that is counted later, if its lane is still open when it ends."""
        lane, epoch = pair
        if self.now < lane.until:
            lane.latencies.append(0.01)
            assert (epoch, self.model.state) == (self.model.epoch, "closed")
            self.model.counted.append((epoch, "success"))
            self.settled += 1

    @rule(seconds=st.sampled_from(CLOCK_JUMPS_S))
    def clock(self, seconds: float) -> None:
        self.now = max(0.0, self.now + seconds)

    @rule()
    def evaluate(self) -> None:
        self.machine.evaluate(self.now)
        self.model.tick(self.now)

    @rule(rules=st.sampled_from(RULES))
    def reload(self, rules: Rules) -> None:
        self.machine.adopt(policy_of(rules), self.now)
        self.model.adopt(rules, self.now)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def share(self, outcome: Outcome) -> None:
        """What another breaker of the provider saw decides no trial."""
        self.machine.share(outcome, 0.01, self.now)
        if self.model.share(outcome, self.now):
            self.settled += 1

    @rule(word=st.sampled_from(("force_open", "force_close", "release", "reset")))
    def operator(self, word: str) -> None:
        assert getattr(self.machine, word)(self.now) == self.model.command(word, self.now)

    @rule()
    def need(self) -> None:
        """There is nobody else to call."""
        assert self.machine.bring_forward(self.now) == self.model.bring_forward(self.now)

    @rule()
    def open_always_exits(self) -> None:
        self.evaluate()
        if self.machine.state == "open":
            self.now = max(self.now, self.model.now) + self.model.rules.longest_s
            assert self.admitted() is not None
            assert self.machine.trials is not None

    @rule()
    def half_open_always_exits(self) -> None:
        self.evaluate()
        if self.machine.state == "half_open":
            self.now = max(self.now, self.model.now) + self.model.rules.half_open_longest_s
            self.evaluate()
            assert self.machine.state != "half_open"

    @rule(hanging=st.sampled_from((0, 1, 20)))
    def half_open_lets_somebody_through_after_a_lease(self, hanging: int) -> None:
        self.evaluate()
        if self.machine.state == "half_open":
            for _ in range(hanging):
                self.admitted()
            self.now = max(self.now, self.model.now) + 8.0
            self.admitted()

    @invariant()
    def the_model_agrees(self) -> None:
        machine, model = self.machine, self.model
        assert (machine.state, machine.generation) == (model.state, model.epoch)
        if machine.state == "open":
            assert machine.trial_at == model.trial_at
        assert self.settled == len(model.counted)

    @invariant()
    def totals_are_what_was_counted(self) -> None:
        for outcome in OUTCOMES:
            waiting = len(self.machine.lane.latencies) if outcome == "success" else 0
            counted = sum(told == outcome for _, told in self.model.counted)
            assert self.machine.totals[outcome] + waiting == counted

    @invariant()
    def trials_never_exceed_the_budget(self) -> None:
        trials = self.machine.trials
        assert (trials is not None) == (self.machine.state == "half_open")
        if trials is not None:
            budget = max(rules.half_open_calls for rules in RULES)
            assert trials.under_way + trials.successes <= budget

    @invariant()
    def every_transition_is_in_the_table_and_follows_the_one_before(self) -> None:
        made = list(self.machine.transitions)
        for earlier, later in pairwise(made):
            assert earlier.to_state == later.from_state
            assert later.number == earlier.number + 1
        for transition in made:
            assert TRANSITIONS[transition.from_state, transition.reason] == transition.to_state
            assert transition.evidence.text
        assert sum(self.machine.moves.values()) == self.machine.transitions_made


class WithoutLease(Machine):
    """A trial that hangs keeps its place."""

    def _new_trials(self) -> Trials:
        trials = super()._new_trials()
        trials.lease_s = float("inf")
        return trials


class WithoutGeneration(Machine):
    """What was let through at any time counts now."""

    def settle(self, permit: Permit, outcome: Outcome, latency_s: float, now: float, why: str = "") -> bool:
        permit.generation = self.generation
        return super().settle(permit, outcome, latency_s, now, why)


class WithoutBudget(Machine):
    """Everybody may try."""

    def _new_trials(self) -> Trials:
        trials = super()._new_trials()
        trials.budget = 1_000
        return trials


class WithoutLongestHalfOpen(Machine):
    """Trials that tell nothing go on for ever."""

    def _reopen(self, cause: object, evidence: object) -> None:
        if cause != "trials_undecided":
            super()._reopen(cause, evidence)  # type: ignore[arg-type]  # a mutant takes what comes


class WithoutShutLanes(Machine):
    """A lane of an older generation counts in this one."""

    def _fold(self) -> None:
        self._lanes = [*getattr(self, "_lanes", []), self.lane]
        for lane in self._lanes:
            lane.until = float("inf")
        super()._fold()


def run(machine_class: type[Machine], *, examples: int, steps: int) -> None:
    case = type("Case", (Driven,), {"machine_class": machine_class})
    run_state_machine_as_test(
        case,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if machine_class is Machine else (Phase.generate,),
            derandomize=machine_class is not Machine,  # a mutant that is found is found every time
            report_multiple_bugs=False,
            database=None,
        ),
    )


def test_the_machine_does_what_the_model_does() -> None:
    run(Machine, examples=40, steps=50)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_the_machine_does_what_the_model_does_for_long() -> None:
    run(Machine, examples=3_000, steps=100)


@pytest.mark.parametrize(
    "mutant", [WithoutLease, WithoutGeneration, WithoutBudget, WithoutLongestHalfOpen, WithoutShutLanes]
)
def test_the_property_fails_with_a_part_taken_out(mutant: type[Machine]) -> None:
    with pytest.raises(AssertionError):
        run(mutant, examples=1_000, steps=50)
