"""The states of a breaker and every way between them, as one table.

Whatever is not in the table does not happen: an operator's word that changes nothing is no transition. The
diagram in the documentation is drawn from it, and a property test walks it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sprint.core.breaker.outcomes import Evidence, State

# tripped            a detector found the callee failing
# trial_due          the delay is over and a call has come
# trials_succeeded   as many trials succeeded as the policy asks for
# trial_failed       one failed, or too many of them were slow
# trials_undecided   no verdict within `half_open_longest_s`: trials hung, were cancelled, told nothing
# forced_open … reset   an operator's word
Cause = Literal[
    "tripped",
    "trial_due",
    "trials_succeeded",
    "trial_failed",
    "trials_undecided",
    "forced_open",
    "forced_closed",
    "released",
    "reset",
]

TRANSITIONS: dict[tuple[State, Cause], State] = {
    ("closed", "tripped"): "open",
    ("closed", "forced_open"): "force_open",
    ("closed", "forced_closed"): "force_close",
    ("closed", "reset"): "closed",
    ("open", "trial_due"): "half_open",
    ("open", "forced_open"): "force_open",
    ("open", "forced_closed"): "force_close",
    ("open", "reset"): "closed",
    ("half_open", "trials_succeeded"): "closed",
    ("half_open", "trial_failed"): "open",
    ("half_open", "trials_undecided"): "open",
    ("half_open", "forced_open"): "force_open",
    ("half_open", "forced_closed"): "force_close",
    ("half_open", "reset"): "closed",
    # Nobody knows how the callee is after a forced opening: the next call is a trial.
    ("force_open", "released"): "open",
    ("force_open", "forced_closed"): "force_close",
    ("force_open", "reset"): "closed",
    # What was recorded meanwhile stands, so the next call may trip it.
    ("force_close", "released"): "closed",
    ("force_close", "forced_open"): "force_open",
    ("force_close", "reset"): "closed",
}

# From here on statistics begin anew: what was counted belongs to a time that is over.
FRESH_AFTER: frozenset[Cause] = frozenset({"trials_succeeded", "reset"})


class Transition(msgspec.Struct, frozen=True, kw_only=True, rename={"from_state": "from", "to_state": "to"}):
    """One change of state. `at` is in monotonic seconds; `number` rises by one with each of a breaker.

    `shadow`: the breaker only says so, and lets all calls through.
    """

    number: int
    breaker: str
    from_state: State
    to_state: State
    reason: Cause
    at: float
    evidence: Evidence
    shadow: bool = False


def mermaid() -> str:
    """Return the table as a state diagram in Mermaid's language, for the documentation."""
    ways: dict[tuple[str, str], list[str]] = {}
    for (source, cause), target in TRANSITIONS.items():
        ways.setdefault((source, target), []).append(cause)
    lines = [f"    {source} --> {target}: {', '.join(causes)}" for (source, target), causes in ways.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> closed", *lines])
