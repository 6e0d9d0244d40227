"""How well a relay stood a run, 0 to 100: five parts with weights, each with the numbers it rests on.

Which parts apply follows from the faults and from whom they were aimed at, never from what came of it: where
one doesn't, the others share its weight. So worse facts never score higher (a property test holds it).
docs/explanation/chaos-score.md says what each part means and why the weights are as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sprint.core.chaos.bystanders import Contained
from sprint.core.chaos.facts import Facts

WEIGHTS = {
    "detected": 20.0,
    "opened_in_time": 20.0,
    "contained": 30.0,
    "recovered": 20.0,
    "false_opens": 10.0,
}
# Of `recovered` the steady state counts so much, closed breakers the rest.
STEADY_SHARE = 0.7
POINTS_DIGITS = 6


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the score. `value` is 0 to 1, None where the part does not apply; `rests_on` says why.

    `weight` is what it counts for of 100 in this run, after the parts left out gave theirs away; 0 then.
    """

    name: str
    weight: float
    value: float | None
    rests_on: tuple[str, ...]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The whole: `points` 0 to 100, None where no part applies."""

    points: float | None
    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()


# A part's value and what it rests on.
Judged = tuple[float | None, tuple[str, ...]]


def score_of(facts: Facts) -> Score:
    """Score the facts of a run."""
    judged = {name: judge(facts) for name, judge in JUDGES.items()}
    whole = sum(WEIGHTS[name] for name, (value, _) in judged.items() if value is not None)
    parts = tuple(
        Part(
            name=name,
            weight=0.0 if value is None else WEIGHTS[name] / whole * 100,
            value=value,
            rests_on=rests_on,
        )
        for name, (value, rests_on) in judged.items()
    )
    points = round(sum(part.weight * part.value for part in parts if part.value is not None), POINTS_DIGITS)
    left_out = tuple(f"{part.name}: {'; '.join(part.rests_on)}" for part in parts if part.value is None)
    return Score(points=points if whole else None, parts=parts, left_out=left_out)


def promptness(after_s: float | None, within_s: float) -> float:
    """Return 1 for what came within its time, less the later it came, 0 for what never did."""
    if after_s is None:
        return 0.0
    return 1.0 if after_s <= within_s else within_s / after_s


def _detected(facts: Facts) -> Judged:
    due = [each for each in facts.faults if each.seen_due_within_s is not None]
    if not due:
        return None, _reasons([each.why for each in facts.faults], "no fault was put on")
    values = [promptness(each.seen_after_s, each.seen_due_within_s or 0.0) for each in due]
    said = tuple(
        f"{each.kind} at {each.target}: {_seconds(each.seen_after_s, 'not seen')}, "
        f"{each.seen_due_within_s:g} s allowed{f' ({each.seen_by})' if each.seen_by else ''}"
        for each in due
    )
    return _mean(values), said


def _opened_in_time(facts: Facts) -> Judged:
    due = [each for each in facts.breakers if each.due_within_s is not None]
    if not due:
        return None, _reasons(
            [each.why for each in (facts.breakers or facts.faults)], "no fault at a breaker"
        )
    values = [promptness(each.opened_after_s, each.due_within_s or 0.0) for each in due]
    said = tuple(
        f"{each.breaker}: {_seconds(each.opened_after_s, 'never open')}, {each.due_within_s:g} s allowed"
        for each in due
    )
    return _mean(values), said


def _contained(facts: Facts) -> Judged:
    """A stream that is not whole is worth nothing here: it is what the relay is for."""
    if not facts.faults:
        return None, ("no fault was put on",)
    beside, stream = facts.contained, facts.stream
    kept = [_kept(beside.sources, len(beside.sources_hit)), _kept(beside.chains, len(beside.chains_stopped))]
    kept.append(_kept(beside.breakers, len(beside.breakers_hit)))
    # A relay that is ended answers nobody for a while: that is the fault, and what it lost is the stream's.
    if not beside.relay_aimed_at:
        kept += [1 / (1 + len(beside.subscriber_losses)), beside.answered_share]
    value = _mean(kept) if stream.whole else 0.0
    return value, (*_said_beside(beside), _said_stream(facts))


def _recovered(facts: Facts) -> Judged:
    back = facts.recovery
    if not back.removed:
        return None, ("no fault came off while it was watched",)
    steady = promptness(back.steady_after_s, back.sla_s)
    closed = promptness(back.breakers_closed_after_s, back.sla_s)
    said = (
        f"steady again after {_seconds(back.steady_after_s, 'never')}, {back.sla_s:g} s allowed",
        f"breakers closed after {_seconds(back.breakers_closed_after_s, 'never')}"
        + (f": open still {', '.join(back.not_closed)}" if back.not_closed else ""),
    )
    return STEADY_SHARE * steady + (1 - STEADY_SHARE) * closed, said


def _false_opens(facts: Facts) -> Judged:
    count = len(facts.false_opens)
    said = tuple(f"{each.breaker} at {each.at_s:.1f} s: {each.evidence}" for each in facts.false_opens)
    return 1 / (1 + count), said or ("no breaker opened without a fault",)


JUDGES: dict[str, Callable[[Facts], Judged]] = {
    "detected": _detected,
    "opened_in_time": _opened_in_time,
    "contained": _contained,
    "recovered": _recovered,
    "false_opens": _false_opens,
}


def _said_beside(beside: Contained) -> tuple[str, ...]:
    rows = (
        ("sources", beside.sources, beside.sources_hit),
        ("breakers", beside.breakers, beside.breakers_hit),
        ("chains", beside.chains, beside.chains_stopped),
    )
    said = [
        f"{len(hit)} of {count} {name} beside the fault were hit"
        + "".join(f"; {each.name} at {each.at_s:.1f} s, {each.text}" for each in hit)
        for name, count, hit in rows
    ]
    said.append(f"the subscriber lost its connection {len(beside.subscriber_losses)} times")
    said.append(f"{beside.answered_share:.0%} of {beside.samples} samples were answered")
    if beside.relay_aimed_at:
        said.append("the relay was the target itself, so neither of these two counts")
    return tuple(said)


def _said_stream(facts: Facts) -> str:
    stream = facts.stream
    return (
        f"of {stream.blocks} blocks {stream.lost + stream.missing} lost, {stream.twice} twice, "
        f"{stream.out_of_order} out of order, {stream.passed_over} passed over"
    )


def _kept(count: int, hit: int) -> float:
    return 1.0 if not count else 1 - min(hit, count) / count


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _seconds(value_s: float | None, otherwise: str) -> str:
    return otherwise if value_s is None else f"{value_s:.2f} s"


def _reasons(reasons: Sequence[str], otherwise: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reasons)) or (otherwise,)
