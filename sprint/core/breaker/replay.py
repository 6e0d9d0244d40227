"""Recorded calls under another policy: which trips it would have made, and whom it would have kept out.

What a rejected call would have met is known, because it was made; the breaker is not told, as it never is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome, Rng
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.transitions import Transition
from sprint.core.breaker.trials import Permit
from sprint.core.errors import ConfigError

CALLS_MAX = 10_000_000


class RecordedCall(msgspec.Struct, frozen=True):
    """One call as it was: when it began, how long it took (seconds), and how it ended."""

    began_at: float
    latency_s: float
    outcome: Outcome


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy would have made of them.

    `failures_avoided` and `successes_refused` are of the calls that it would have rejected.
    """

    policy: str
    calls: int
    rejected: int
    failures_avoided: int
    successes_refused: int
    transitions: tuple[Transition, ...]

    @property
    def trips(self) -> tuple[Transition, ...]:
        """The openings among the transitions."""
        return tuple(each for each in self.transitions if each.to_state == "open")


def replay(calls: Sequence[RecordedCall], policy: Policy, *, rng: Rng = lambda: 0.5) -> Replayed:
    """Put recorded calls, in any order, before a new breaker of the policy; the same each time.

    Calls that overlapped then do so now: each is admitted when it began and settled when it ended. Where two
    are at one time the end comes first, so that a permit is free for who comes after.
    """
    if len(calls) > CALLS_MAX:
        raise ConfigError(f"{len(calls)} recorded calls, limit {CALLS_MAX}; replay them in parts")
    moments = _moments(calls)
    replayed = msgspec.structs.replace(policy, shadow=False)
    machine = Machine("replay", replayed, now=moments[0][0] if moments else 0.0, rng=rng)
    permits: dict[int, Permit] = {}
    rejected: list[RecordedCall] = []
    transitions: list[Transition] = []
    for now, is_beginning, number in moments:
        call = calls[number]
        if is_beginning:
            permit = machine.admit(now)
            if permit is None:
                rejected.append(call)
            else:
                permits[number] = permit
        elif number in permits:
            machine.settle(permits.pop(number), call.outcome, call.latency_s, now)
        if machine.transitions_made > len(transitions):
            transitions.extend(each for each in machine.transitions if each.number > len(transitions))
    return Replayed(
        policy=policy.name,
        calls=len(calls),
        rejected=len(rejected),
        failures_avoided=sum(call.outcome == "failure" for call in rejected),
        successes_refused=sum(call.outcome == "success" for call in rejected),
        transitions=tuple(transitions),
    )


def _moments(calls: Sequence[RecordedCall]) -> list[tuple[float, bool, int]]:
    """Return beginnings and ends in order of time: (when, is a beginning, the call's number).

    A call that took no time begins before it ends, so its end sorts just behind its beginning.
    """
    moments = []
    for number, call in enumerate(calls):
        takes_none = call.latency_s <= 0.0
        moments.append((call.began_at, 1, number, True))
        moments.append((call.began_at + max(0.0, call.latency_s), 2 if takes_none else 0, number, False))
    moments.sort()
    return [(when, is_beginning, number) for when, _, number, is_beginning in moments]
