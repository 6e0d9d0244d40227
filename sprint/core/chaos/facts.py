"""What happened: was each fault seen, did breakers open in time, who else was hit, what recovered.

Facts are numbers with the moments that they rest on, and judge nothing: `score` and `advice` do.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.chaos.bystanders import Contained, FalseOpen, contained, false_opens
from sprint.core.chaos.expectation import RELAY, expectation_of
from sprint.core.chaos.observation import BreakerSeen, Observed, Sample, TransitionSeen
from sprint.core.chaos.stream_check import StreamVerdict
from sprint.core.chaos.topology import BlastRadius

OPEN_STATES = frozenset({"open", "force_open"})
CLOSED_STATES = frozenset({"closed", "force_close"})
# One breaker over time.
States = list[tuple[float, BreakerSeen]]


class FaultSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A fault and when it was on, in seconds of the run's clock; `removed_s` None while it is.

    `sources` as `CHAIN:NAME` and `breakers` by name: at whom it was aimed. `removed_by` is `tool`, `keeper`,
    `rollback`, or `itself` where nobody had to.
    """

    fault: int
    kind: str
    target: str
    says: str
    ttl_s: float
    injected_s: float
    removed_s: float | None = None
    removed_by: str = ""
    sources: tuple[str, ...] = ()
    breakers: tuple[str, ...] = ()


class BreakerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a breaker did at which a fault was aimed. Seconds from its begin, `closed_after_s` from its end.

    `due_within_s` is by when it is expected open, None where it is not: `why` says for what reason.
    `shadow`: it only says what it would do, and has cut nothing off.
    """

    breaker: str
    fault: int
    due_within_s: float | None
    why: str
    opened_after_s: float | None = None
    opened_by: str = ""
    evidence: str = ""
    withheld: str = ""
    shadow: bool = False
    closed_after_s: float | None = None


class FaultFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault brought about. `seen_due_within_s`: by when it should be seen, None where it needn't."""

    fault: int
    kind: str
    target: str
    lasted_s: float | None
    seen_due_within_s: float | None
    why: str
    seen_after_s: float | None = None
    seen_by: str = ""


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """How the relay came back, in seconds from the end of the last fault; None: it did not, or none ended.

    `steady_after_s`: the steady state's probes hold again. `breakers_closed_after_s`: all breakers that had
    opened for a fault are closed; 0 where none had. `relay_killed`: a fault killed the relay.
    `relay_back_after_s`: from the kill of the relay until it gave an answer again, as the steady state is
    asked only after the method; None where it was not killed,
    or was not seen to be away and back.
    """

    removed: bool
    sla_s: float
    steady_after_s: float | None = None
    breakers_closed_after_s: float | None = None
    not_closed: tuple[str, ...] = ()
    relay_killed: bool = False
    relay_back_after_s: float | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All facts of a run."""

    faults: tuple[FaultFacts, ...]
    breakers: tuple[BreakerFacts, ...]
    contained: Contained
    recovery: Recovery
    false_opens: tuple[FalseOpen, ...]
    stream: StreamVerdict


def facts_of(
    observed: Observed,
    faults: Sequence[FaultSpan],
    predicted: BlastRadius,
    stream: StreamVerdict,
    *,
    sla_s: float,
) -> Facts:
    """Read the facts of a run. `predicted`: whom the faults should reach, `sla_s`: what recovery may take."""
    states = _states_by_breaker(observed.samples)
    breakers = tuple(
        _breaker_facts(observed, states.get(breaker, []), fault, breaker, predicted)
        for fault in faults
        for breaker in fault.breakers
    )
    windows = [(fault.injected_s, fault.removed_s) for fault in faults]
    at_relay = any(fault.target == RELAY for fault in faults)
    return Facts(
        faults=tuple(_fault_facts(observed, fault) for fault in faults),
        breakers=breakers,
        contained=contained(observed, windows, predicted, relay_aimed_at=at_relay),
        recovery=_recovery(observed, faults, breakers, sla_s),
        false_opens=false_opens(
            observed.transitions,
            [
                (name, f.injected_s, f.removed_s)
                for f in faults
                for name in (*f.breakers, *predicted.breakers)
            ],
        ),
        stream=stream,
    )


def _fault_facts(observed: Observed, fault: FaultSpan) -> FaultFacts:
    expected = expectation_of(fault.kind, fault.target)
    lasted_s = None if fault.removed_s is None else fault.removed_s - fault.injected_s
    due_s = _due_s(expected.seen_within_s, lasted_s)
    seen = _first_sign(observed, fault)
    return FaultFacts(
        fault=fault.fault,
        kind=fault.kind,
        target=fault.target,
        lasted_s=lasted_s,
        seen_due_within_s=due_s,
        why=_why(expected.why, expected.seen_within_s, due_s, lasted_s),
        seen_after_s=None if seen is None else seen[0] - fault.injected_s,
        seen_by="" if seen is None else seen[1],
    )


def _breaker_facts(
    observed: Observed, states: States, fault: FaultSpan, breaker: str, predicted: BlastRadius
) -> BreakerFacts:
    expected = expectation_of(fault.kind, fault.target)
    lasted_s = None if fault.removed_s is None else fault.removed_s - fault.injected_s
    due_s, why = _due_s(expected.opens_within_s, lasted_s), expected.why
    if due_s is None:
        why = _why(why, expected.opens_within_s, due_s, lasted_s)
    elif fault.kind != "force_open" and any(breaker.startswith(f"source:{c}:") for c in predicted.chains_cut):
        due_s, why = None, "no source of its chain is left, and the last of them is not cut off"
    opened = _opening(observed, states, breaker, fault)
    closed_s = None
    if opened is not None and fault.removed_s is not None:
        closed_s = _closing_s(states, fault.removed_s)
    return BreakerFacts(
        breaker=breaker,
        fault=fault.fault,
        due_within_s=due_s,
        why=why,
        opened_after_s=None if opened is None else max(opened.at_s - fault.injected_s, 0.0),
        opened_by="" if opened is None else opened.detector,
        evidence="" if opened is None else opened.evidence,
        withheld=_withheld(states, fault),
        shadow=any(seen.shadow for _, seen in states),
        closed_after_s=None
        if closed_s is None or fault.removed_s is None
        else max(closed_s - fault.removed_s, 0.0),
    )


def _due_s(within_s: float | None, lasted_s: float | None) -> float | None:
    """Return by when something is due: of a fault that is over before, nothing is."""
    return None if within_s is None or (lasted_s is not None and lasted_s < within_s) else within_s


def _why(why: str, within_s: float | None, due_s: float | None, lasted_s: float | None) -> str:
    if within_s is None or due_s is not None or lasted_s is None:
        return why
    return f"it lasted {lasted_s:.1f} s, and {within_s:g} s are allowed: {why}"


def _first_sign(observed: Observed, fault: FaultSpan) -> tuple[float, str] | None:
    """Return when a target was first shown otherwise than before the fault, and by what."""
    end_s = float("inf") if fault.removed_s is None else fault.removed_s
    before = _last_before(observed.samples, fault.injected_s)
    signs = [
        (each.at_s, f"breaker {each.breaker}: {each.after}")
        for each in observed.transitions
        if each.breaker in fault.breakers and fault.injected_s <= each.at_s <= end_s
    ][:1]
    for sample in observed.samples:
        if fault.injected_s <= sample.at_s <= end_s and (sign := _sign(sample, before, fault)):
            signs.append((sample.at_s, sign))
            break
    return min(signs, default=None)


def _last_before(samples: Sequence[Sample], at_s: float) -> Sample | None:
    return next((each for each in reversed(samples) if each.at_s <= at_s and each.answered), None)


def _sign(sample: Sample, before: Sample | None, fault: FaultSpan) -> str:
    """Return what a sample shows of a fault, or nothing."""
    if not sample.answered:
        # A relay that is silent shows nothing of its sources; it does where it is the target itself.
        return "" if fault.sources else "no answer"
    was = {} if before is None else {f"{each.chain}:{each.name}": each for each in before.sources}
    for each in sample.sources:
        name = f"{each.chain}:{each.name}"
        known = was.get(name)
        if name in fault.sources and known is not None and each.state != known.state:
            return f"source {name}: {each.state}"
    states = {} if before is None else {each.name: each.state for each in before.breakers}
    for breaker in sample.breakers:
        if breaker.name in fault.breakers and states.get(breaker.name, breaker.state) != breaker.state:
            return f"breaker {breaker.name}: {breaker.state}"
        if breaker.name in fault.breakers and breaker.withheld:
            return f"breaker {breaker.name}: withheld"
    # Health is the relay's as a whole: of one fault among several it would say nothing.
    whole = not fault.sources and not fault.breakers
    if whole and before is not None and sample.health != before.health and before.health == "ok":
        return f"health: {sample.health}"
    return ""


def _opening(observed: Observed, states: States, breaker: str, fault: FaultSpan) -> TransitionSeen | None:
    """Return how a breaker opened while a fault was on, by a sample where no transition was told."""
    end_s = float("inf") if fault.removed_s is None else fault.removed_s
    for each in observed.transitions:
        cuts_off = each.after in OPEN_STATES and not each.shadow
        if each.breaker == breaker and cuts_off and fault.injected_s <= each.at_s <= end_s:
            return each
    for at_s, seen in states:
        if seen.state in OPEN_STATES and not seen.shadow and fault.injected_s <= at_s <= end_s:
            return TransitionSeen(at_s, breaker, "", seen.state, seen.reason)
    return None


def _closing_s(states: States, from_s: float) -> float | None:
    """Return from when on a breaker was closed and stayed so until the end; None where it wasn't."""
    closed_s: float | None = None
    for at_s, seen in states:
        if seen.state not in CLOSED_STATES:
            closed_s = None
        elif closed_s is None:
            closed_s = at_s
    return None if closed_s is None else max(closed_s, from_s)


def _withheld(states: States, fault: FaultSpan) -> str:
    end_s = float("inf") if fault.removed_s is None else fault.removed_s
    return next(
        (seen.withheld for at_s, seen in states if seen.withheld and fault.injected_s <= at_s <= end_s),
        "",
    )


def _states_by_breaker(samples: Sequence[Sample]) -> dict[str, States]:
    found: dict[str, States] = {}
    for sample in samples:
        for seen in sample.breakers:
            found.setdefault(seen.name, []).append((sample.at_s, seen))
    return found


def _recovery(
    observed: Observed, faults: Sequence[FaultSpan], breakers: Sequence[BreakerFacts], sla_s: float
) -> Recovery:
    removed_s, steady_s = observed.phases.removed_s, observed.phases.steady_s
    opened = [each for each in breakers if each.opened_after_s is not None]
    open_still = tuple(dict.fromkeys(each.breaker for each in opened if each.closed_after_s is None))
    kills = [each.injected_s for each in faults if (each.kind, each.target) == ("kill", RELAY)]
    closed_s = max((each.closed_after_s for each in opened if each.closed_after_s is not None), default=0.0)
    return Recovery(
        removed=removed_s is not None,
        sla_s=sla_s,
        steady_after_s=None if removed_s is None or steady_s is None else max(steady_s - removed_s, 0.0),
        breakers_closed_after_s=None if open_still or removed_s is None else closed_s,
        not_closed=open_still,
        relay_killed=bool(kills),
        relay_back_after_s=_relay_back_s(observed.samples, max(kills)) if kills else None,
    )


def _relay_back_s(samples: Sequence[Sample], killed_s: float) -> float | None:
    """Return how long after a kill of the relay it gave an answer again; None where it was not seen away."""
    after = [each for each in samples if each.at_s >= killed_s]
    away_s = next((each.at_s for each in after if not each.answered), None)
    if away_s is None:
        return None
    back_s = next((each.at_s for each in after if each.answered and each.at_s > away_s), None)
    return None if back_s is None else back_s - killed_s
