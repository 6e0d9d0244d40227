"""What to change, by what a run showed: a setting, its value and another, the evidence, what it raises.

Rules and no model: the earlier papers' "ML-based recommendations" became this, as each word of it can be
checked against the run. Nothing is advised without evidence, and no setting is named whose value isn't known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from sprint.core.chaos.bystanders import FalseOpen
from sprint.core.chaos.facts import BreakerFacts, Facts
from sprint.core.chaos.topology import DependencyMap

ADVICE_MAX = 16
EVIDENCE_MAX = 4
# What a relay's sources stand on as packaged (docs/reference/configuration.md).
FAILURES_TO_OPEN = 3
BACKOFF_BASE_S = 1.0
COUNT_MAX = 1_000

Value = bool | int | float | str | None
# Of each breaker its policy's figures, by their dotted names as in the config.
Policies = Mapping[str, Mapping[str, Value]]

# What opened a breaker -> its figure, and how that gets milder.
_MILDER: dict[str, tuple[str, Callable[[float], float]]] = {
    "consecutive_failures": ("failures_to_open", lambda now: min(2 * now, COUNT_MAX)),
    "failure_rate": ("failure_rate_max", lambda now: min(now + 0.1, 1.0)),
    "slow_rate": ("slow_rate_max", lambda now: min(now + 0.1, 1.0)),
    "latency": ("latency.slow_for_s", lambda now: max(2 * now, 2.0)),
    "health": ("health.opens_below", lambda now: max(now - 0.1, 0.0)),
    "prediction": ("prediction.opens_from", lambda now: min(now + 0.1, 1.0)),
}


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One recommendation. `setting` is a key of the config, `raises` the part of the score it is for."""

    setting: str
    now: str
    proposed: str
    evidence: str
    raises: str


def advice_of(facts: Facts, policies: Policies, dependencies: DependencyMap) -> tuple[Advice, ...]:
    """Return what to change, the first for what weighs most; at most `ADVICE_MAX`, each setting once."""
    found: dict[str, Advice] = {}
    for each in (
        *_of_chains(facts, dependencies),
        *_of_shadow(facts, policies),
        *_of_opening(facts, policies),
        *_of_closing(facts, policies),
        *_of_false_opens(facts, policies),
    ):
        known = found.setdefault(each.setting, each)
        if each.evidence not in known.evidence and known.evidence.count("; ") < EVIDENCE_MAX - 1:
            evidence = f"{known.evidence}; {each.evidence}"
            found[each.setting] = msgspec.structs.replace(known, evidence=evidence)
    return tuple(found.values())[:ADVICE_MAX]


def flattened(policy: Mapping[str, object], prefix: str = "") -> dict[str, Value]:
    """Return a policy as the admin API gives it with dotted names: `backoff.base_s`."""
    figures: dict[str, Value] = {}
    for name, value in policy.items():
        if isinstance(value, Mapping):
            figures |= flattened(value, f"{prefix}{name}.")
        elif value is None or isinstance(value, bool | int | float | str):
            figures[prefix + name] = value
    return figures


def _of_chains(facts: Facts, dependencies: DependencyMap) -> Iterator[Advice]:
    """A chain that stopped although it should not have hangs on too few providers."""
    for hit in facts.contained.chains_stopped:
        providers = {each.provider for each in dependencies.sources if each.chain == hit.name}
        sources = sum(each.chain == hit.name for each in dependencies.sources)
        yield Advice(
            setting=f"chains.{hit.name}.sources",
            now=f"{sources} sources of {len(providers)} providers",
            proposed=f"{sources + 1} sources of {len(providers) + 1} providers",
            evidence=f"{hit.name}: {hit.text}",
            raises="contained",
        )


def _late(facts: Facts) -> Iterator[BreakerFacts]:
    """Give the breakers that should have opened by a time, and did not or opened later."""
    for each in facts.breakers:
        if each.due_within_s is not None and (
            each.opened_after_s is None or each.opened_after_s > each.due_within_s
        ):
            yield each


def _of_shadow(facts: Facts, policies: Policies) -> Iterator[Advice]:
    for each in _late(facts):
        if policies.get(each.breaker, {}).get("shadow") is True:
            yield Advice(
                setting=f"{_table(each.breaker)}.shadow",
                now="true",
                proposed="false",
                evidence=f"{_opening_text(each)}; in shadow it lets every call through",
                raises="opened_in_time",
            )


def _of_opening(facts: Facts, policies: Policies) -> Iterator[Advice]:
    for each in _late(facts):
        policy = policies.get(each.breaker, {})
        if policy.get("shadow") is True or "failures_to_open" not in policy:
            continue
        now = policy["failures_to_open"]
        if now is None or (isinstance(now, int | float) and now > FAILURES_TO_OPEN):
            yield Advice(
                setting=f"{_table(each.breaker)}.failures_to_open",
                now=_shown(now),
                proposed=str(FAILURES_TO_OPEN),
                evidence=_opening_text(each),
                raises="opened_in_time",
            )


def _of_closing(facts: Facts, policies: Policies) -> Iterator[Advice]:
    """A breaker that closed later than recovery may take waits too long before it tries again."""
    back = facts.recovery
    for each in facts.breakers:
        if each.opened_after_s is None or not back.removed or each.opened_by == "operator":
            continue
        if each.closed_after_s is not None and each.closed_after_s <= back.sla_s:
            continue
        closed = "was not closed at the end"
        if each.closed_after_s is not None:
            closed = f"closed {each.closed_after_s:.1f} s after its fault was off"
        evidence = f"{each.breaker} {closed}, {back.sla_s:g} s are allowed"
        yield from _shorter_backoff(each.breaker, policies.get(each.breaker, {}), back.sla_s, evidence)


def _shorter_backoff(
    breaker: str, policy: Mapping[str, Value], sla_s: float, evidence: str
) -> Iterator[Advice]:
    base_s, longest_s = policy.get("backoff.base_s"), policy.get("backoff.longest_s")
    least_s = 0.0
    if isinstance(base_s, int | float) and not isinstance(base_s, bool):
        least_s = min(base_s, BACKOFF_BASE_S, sla_s) if base_s > sla_s else base_s
        if base_s > sla_s:
            yield _backoff(breaker, "base_s", base_s, least_s, evidence)
    if isinstance(longest_s, int | float) and longest_s > sla_s:
        # With jitter a delay is up to half as long again; it can't be below the first one.
        yield _backoff(breaker, "longest_s", longest_s, max(sla_s / 1.5, least_s), evidence)


def _backoff(breaker: str, name: str, now_s: float, proposed_s: float, evidence: str) -> Advice:
    return Advice(
        setting=f"{_table(breaker)}.backoff.{name}",
        now=_shown(now_s),
        proposed=_shown(round(proposed_s, 3)),
        evidence=evidence,
        raises="recovered",
    )


def _of_false_opens(facts: Facts, policies: Policies) -> Iterator[Advice]:
    for each in facts.false_opens:
        policy = policies.get(each.breaker, {})
        change = _milder(each.detector, policy)
        if change is not None:
            name, now, proposed = change
            yield Advice(
                setting=f"{_table(each.breaker)}.{name}",
                now=_shown(now),
                proposed=_shown(proposed),
                evidence=_false_text(each),
                raises="false_opens",
            )


def _milder(detector: str, policy: Mapping[str, Value]) -> tuple[str, Value, Value] | None:
    """Return the figure that made a detector open, as it is and milder; None where it isn't known."""
    if detector not in _MILDER:
        return None
    name, milder = _MILDER[detector]
    now = policy.get(name)
    if isinstance(now, bool | str) or now is None:
        return None
    proposed = round(milder(now), 3)
    return None if proposed == now else (name, now, proposed)


def _table(breaker: str) -> str:
    """Return the config's table for a breaker's kind: `breakers.source` holds for all sources."""
    return f"breakers.{breaker.partition(':')[0]}"


def _opening_text(each: BreakerFacts) -> str:
    opened = "never opened" if each.opened_after_s is None else f"opened after {each.opened_after_s:.1f} s"
    return f"{each.breaker} {opened}, {each.due_within_s:g} s are allowed"


def _false_text(each: FalseOpen) -> str:
    return f"{each.breaker} opened at {each.at_s:.1f} s with no fault upon it: {each.evidence}"


def _shown(value: Value) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
