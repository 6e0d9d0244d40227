"""One breaker as an operator sees it: a row of the list, a point of its figures, a transition it made.

Rows hold times of the day and no durations, so that a breaker which nobody calls has the same row for ever
and costs those who watch nothing. The functions take `unix_offset_s`: what to add to the machine's monotonic
seconds to have seconds since 1970.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Evidence, State, Statistics
from sprint.core.breaker.transitions import Cause, Transition

SOURCE_KIND = "source"
# The detector of a breaker that no transition has brought to its state.
STARTED = "start"
# Below a tenth of a millisecond, or of a per mille, nothing is told apart: figures that tremble are no news.
_DIGITS = 4


class Identity(NamedTuple):
    """What a name says: `source:CHAIN:NAME` guards a source; any other kind stands before its first colon."""

    kind: str
    chain: str | None
    source: str | None


class BreakerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker in the list; what is not known is None.

    `reason` is the evidence's sentence, of one that never opened with what was seen. Counts, rates and the
    latency, in ms, are the window's.
    `next_trial_at` is when OPEN lets a trial through: with the next call where it lies in the past.
    `withheld` says why it would be open if others of its group were not.
    """

    name: str
    kind: str
    chain: str | None
    source: str | None
    policy: str
    state: State
    shadow: bool
    since: str
    reason: str
    evidence: Evidence
    calls: int
    failures: int
    rejected: int
    failure_rate: float
    slow_rate: float
    latency_ms_mean: float | None
    health: float | None
    next_trial_at: str | None
    withheld: str | None
    transitions: int


class MetricsPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The window's figures of one breaker at one time; latencies are of successes and failures, in ms."""

    at: str
    state: State
    calls: int
    failures: int
    rejected: int
    failure_rate: float
    slow_rate: float
    calls_per_s: float
    latency_ms_mean: float | None
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    latency_ms_p99: float | None
    health: float | None


class TransitionRow(
    msgspec.Struct, frozen=True, kw_only=True, rename={"from_state": "from", "to_state": "to"}
):
    """One transition. `number` rises by one with each of any breaker since the start."""

    number: int
    breaker: str
    from_state: State
    to_state: State
    reason: Cause
    at: str
    evidence: Evidence
    shadow: bool


def row_of(machine: Machine, now: float, unix_offset_s: float) -> BreakerRow:
    """Return a breaker's row; what time alone changes is done first.

    One with a figure that can't be told has a row that says so: the rows of all others must not suffer.
    """
    try:
        return _row(machine, now, unix_offset_s)
    except (ArithmeticError, ValueError, OSError) as error:
        return _odd_row(machine, now, unix_offset_s, f"its figures can't be told: {error}")


def _row(machine: Machine, now: float, unix_offset_s: float) -> BreakerRow:
    statistics = machine.statistics(now)
    kind, chain, source = identity(machine.name)
    health = machine.figures.health_score()
    return BreakerRow(
        name=machine.name,
        kind=kind,
        chain=chain,
        source=source,
        policy=machine.policy.name,
        state=machine.state,
        shadow=machine.policy.shadow,
        since=rfc3339(machine.since + unix_offset_s),
        reason=_reason(machine.evidence, statistics),
        evidence=machine.evidence,
        calls=statistics.calls,
        failures=statistics.failures,
        rejected=statistics.rejected,
        failure_rate=round(statistics.failure_rate, _DIGITS),
        slow_rate=round(statistics.slow_rate, _DIGITS),
        latency_ms_mean=_mean_ms(statistics),
        health=None if health is None else round(health, _DIGITS),
        next_trial_at=_next_trial_at(machine, now, unix_offset_s),
        withheld=None if machine.withheld is None else machine.withheld.text,
        transitions=machine.transitions_made,
    )


def _odd_row(machine: Machine, now: float, unix_offset_s: float, reason: str) -> BreakerRow:
    kind, chain, source = identity(machine.name)
    return BreakerRow(
        name=machine.name,
        kind=kind,
        chain=chain,
        source=source,
        policy=machine.policy.name,
        state=machine.state,
        shadow=machine.policy.shadow,
        since=rfc3339(min(machine.since, now) + unix_offset_s),
        reason=reason,
        evidence=machine.evidence,
        calls=0,
        failures=0,
        rejected=0,
        failure_rate=0.0,
        slow_rate=0.0,
        latency_ms_mean=None,
        health=None,
        next_trial_at=None,
        withheld=None,
        transitions=machine.transitions_made,
    )


def _reason(evidence: Evidence, statistics: Statistics) -> str:
    """Return the evidence's sentence; of a breaker that never opened, with what its window holds."""
    if evidence.detector != STARTED:
        return evidence.text
    if not statistics.calls:
        return f"{evidence.text}; no call in its window"
    if statistics.calls == 1:
        return f"{evidence.text}; its one call {'failed' if statistics.failures else 'succeeded'}"
    return f"{evidence.text}; {statistics.failures} of the last {statistics.calls} calls failed"


def point_of(machine: Machine, now: float, unix_offset_s: float) -> MetricsPoint:
    """Return the window's figures as they are at `now`."""
    statistics = machine.statistics(now)
    window = machine.figures.window
    health = machine.figures.health_score()
    spanned = statistics.span_s > 0
    return MetricsPoint(
        at=rfc3339(now + unix_offset_s),
        state=machine.state,
        calls=statistics.calls,
        failures=statistics.failures,
        rejected=statistics.rejected,
        failure_rate=round(statistics.failure_rate, _DIGITS),
        slow_rate=round(statistics.slow_rate, _DIGITS),
        calls_per_s=round(statistics.calls / statistics.span_s, _DIGITS) if spanned else 0.0,
        latency_ms_mean=_mean_ms(statistics),
        latency_ms_p50=_in_ms(window.percentile(0.5, now)),
        latency_ms_p95=_in_ms(window.percentile(0.95, now)),
        latency_ms_p99=_in_ms(window.percentile(0.99, now)),
        health=None if health is None else round(health, _DIGITS),
    )


def transition_row(transition: Transition, number: int, unix_offset_s: float) -> TransitionRow:
    """Return a transition as it is told and kept."""
    return TransitionRow(
        number=number,
        breaker=transition.breaker,
        from_state=transition.from_state,
        to_state=transition.to_state,
        reason=transition.reason,
        at=rfc3339(transition.at + unix_offset_s),
        evidence=transition.evidence,
        shadow=transition.shadow,
    )


def identity(name: str) -> Identity:
    """Return what a breaker's name says; a name without a colon is a kind of its own."""
    kind, _, rest = name.partition(":")
    chain, colon, source = rest.partition(":")
    if kind == SOURCE_KIND and colon:
        return Identity(kind, chain, source)
    return Identity(kind, None, None)


def rfc3339(unix_s: float) -> str:
    """Write a time as RFC 3339 has it, in UTC and to the millisecond."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _mean_ms(statistics: Statistics) -> float | None:
    return _in_ms(statistics.latency_sum_s / statistics.calls) if statistics.calls else None


def _in_ms(latency_s: float | None) -> float | None:
    return None if latency_s is None else round(latency_s * 1000.0, _DIGITS)


def _next_trial_at(machine: Machine, now: float, unix_offset_s: float) -> str | None:
    if machine.state == "open" and math.isfinite(machine.trial_at):
        return rfc3339(machine.trial_at + unix_offset_s)
    if machine.trials is not None and machine.trials.under_way:
        return rfc3339(now + machine.trials.place_free_in_s(now) + unix_offset_s)
    return None
