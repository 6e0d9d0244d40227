"""Why a breaker is in its state: counts, thresholds, the adaptive factor, health parts, the next trial."""

from __future__ import annotations

import msgspec

from sprint.core.breaker.interfaces import HealthPart
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Evidence, State, Statistics
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.transitions import Transition


class TrialsExplained(msgspec.Struct, frozen=True, kw_only=True):
    """How HALF_OPEN stands: trials under way, succeeded, that told nothing, and asked for."""

    under_way: int
    succeeded: int
    undecided: int
    leases_ended: int
    asked_for: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides. Times are in seconds; what is off or not known is None.

    `would_open` is why a forced one would open if it were let; `withheld` why one stays closed only because
    its group has nobody else.
    """

    breaker: str
    policy: str
    state: State
    for_s: float
    because: Evidence
    generation: int
    shadow: bool
    statistics: Statistics
    p95_s: float | None
    failures_in_a_row: int
    failures_to_open: int | None
    adaptive_factor: float
    slow_over_s: float
    health: float | None
    health_parts: tuple[HealthPart, ...]
    retry_after_s: float | None
    opening_step: int
    failed_trials: int
    recovery_probability: float | None
    failure_probability: float | None
    prediction_brier: float | None
    trials: TrialsExplained | None
    would_open: Evidence | None
    withheld: Evidence | None
    totals: dict[str, int]
    last_transitions: tuple[Transition, ...]


def explain(machine: Machine, now: float) -> Explanation:
    """Return why a breaker is in its state; what time alone changes is done first."""
    statistics = machine.statistics(now)
    figures, opening, policy = machine.figures, machine.opening, machine.policy
    forced = machine.state in ("force_open", "force_close")
    foretold = policy.prediction.enabled
    return Explanation(
        breaker=machine.name,
        policy=policy.name,
        state=machine.state,
        for_s=max(0.0, now - machine.since),
        because=machine.evidence,
        generation=machine.generation,
        shadow=policy.shadow,
        statistics=statistics,
        p95_s=figures.window.percentile(0.95, now),
        failures_in_a_row=figures.failures_in_a_row,
        failures_to_open=figures.failures_limit(),
        adaptive_factor=figures.threshold.factor() if policy.adaptive.enabled else 1.0,
        slow_over_s=figures.slow_over_s(),
        health=figures.health_score(),
        health_parts=figures.health.parts if figures.health else (),
        retry_after_s=machine.retry_after_s(now),
        opening_step=max(0, opening.step),
        failed_trials=opening.failed_trials,
        recovery_probability=_recovery(machine, policy, now),
        failure_probability=figures.prediction.probability() if foretold else None,
        prediction_brier=figures.prediction.brier() if foretold else None,
        trials=_trials(machine),
        would_open=figures.trip(now) if forced else None,
        withheld=machine.withheld,
        totals={name: count for name, count in machine.totals.items() if count},
        last_transitions=tuple(machine.transitions),
    )


def _recovery(machine: Machine, policy: Policy, now: float) -> float | None:
    if machine.state != "open" or not policy.recovery.enabled:
        return None
    return machine.opening.probability(max(0.0, now - machine.since))


def _trials(machine: Machine) -> TrialsExplained | None:
    trials = machine.trials
    if trials is None:
        return None
    return TrialsExplained(
        under_way=trials.under_way,
        succeeded=trials.successes,
        undecided=trials.undecided,
        leases_ended=trials.expired,
        asked_for=trials.budget,
    )
