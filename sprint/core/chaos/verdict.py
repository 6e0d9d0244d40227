"""Whether a run met what was asked of it, and in a sentence why not."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.chaos.facts import Facts
from sprint.core.chaos.result import ActivityDone, GoneCheck, Verdict


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict rests on. `sla_judged`: recovery above its limit is not met, else it is only told."""

    activities: Sequence[ActivityDone] = ()
    facts: Facts | None = None
    gone: Sequence[GoneCheck] = ()
    left_behind: Sequence[str] = ()
    could_not: str = ""
    aborted: str = ""
    sla_judged: bool = True


def verdict_of(judged: Judged) -> tuple[Verdict, str]:
    """Return the verdict and its reasons; what never began could not run, whatever else is the case."""
    before = _untolerated(judged.activities, "before")
    if judged.could_not or before:
        return (
            "could_not_run",
            judged.could_not or f"the steady state did not hold before: {'; '.join(before)}",
        )
    reasons = list(_reasons(judged))
    if judged.aborted:
        return "aborted", "; ".join([judged.aborted, *reasons])
    refused = [f"during the run {each}" for each in _failed_actions(judged.activities)]
    if refused and reasons == refused and judged.facts is not None and not judged.facts.faults:
        # It says nothing of the relay that more was asked of the machine than it has.
        return "could_not_run", f"no fault was put on: {'; '.join(reasons)}"
    return ("not_met", "; ".join(reasons)) if reasons else ("met", _met(judged))


def _untolerated(activities: Sequence[ActivityDone], phase: str) -> list[str]:
    return [
        f"{each.name} gave {each.error or each.output!r}"
        for each in activities
        if each.phase == phase and (each.tolerated is False or each.error)
    ]


def _failed_actions(activities: Sequence[ActivityDone]) -> list[str]:
    return _untolerated([each for each in activities if each.type == "action" and each.error], "method")


def _reasons(judged: Judged) -> list[str]:
    reasons = [f"a fault is left: {each}" for each in judged.left_behind]
    reasons += [f"fault {each.fault} is on still: {each.says}" for each in judged.gone if not each.gone]
    failed = (*_untolerated(judged.activities, "method"), *_untolerated(judged.activities, "rollback"))
    reasons += [f"during the run {each}" for each in failed]
    reasons += [
        f"the steady state does not hold: {each}" for each in _untolerated(judged.activities, "after")
    ]
    if judged.facts is not None:
        reasons += _of_facts(judged.facts, sla_judged=judged.sla_judged)
    return reasons


def _of_facts(facts: Facts, *, sla_judged: bool) -> list[str]:
    reasons = []
    if not facts.stream.whole:
        stream = facts.stream
        reasons.append(
            f"the stream is not whole: {stream.lost + stream.missing} lost, {stream.twice} twice, "
            f"{stream.out_of_order} out of order, {stream.passed_over} passed over"
        )
    back = facts.recovery
    if back.removed and back.steady_after_s is None:
        reasons.append("the steady state did not come back while it was watched")
    elif back.steady_after_s is not None and sla_judged and back.steady_after_s > back.sla_s:
        reasons.append(f"recovery took {back.steady_after_s:.2f} s, {back.sla_s:g} s are allowed")
    if back.relay_killed and back.relay_back_after_s is None:
        # Where it was not the relay that was killed, all that is seen of the relay says nothing.
        reasons.append("the relay was killed, and not seen to be away and back: was it another process?")
    if back.relay_back_after_s is not None and sla_judged and back.relay_back_after_s > back.sla_s:
        away_s = back.relay_back_after_s
        reasons.append(f"the killed relay was back after {away_s:.2f} s, {back.sla_s:g} s are allowed")
    return reasons


def _met(judged: Judged) -> str:
    back = None if judged.facts is None else judged.facts.recovery
    if back is None or back.steady_after_s is None:
        return "the steady state holds"
    held = f"the steady state held again {back.steady_after_s:.2f} s after the faults were off"
    if back.relay_back_after_s is None:
        return held
    return f"the killed relay was back after {back.relay_back_after_s:.2f} s; {held}"
