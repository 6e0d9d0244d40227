"""The figures that a rule may read, by name: of a breaker or of a relay, each with a sentence that says it.

None stands where there is nothing to be judged: no call, no limit, too few calls to be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from sprint.core.breaker.health_score import health
from sprint.core.breaker.interfaces import Health, HealthFigures, HealthPart
from sprint.core.breaker.outcomes import State
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.alerts.rules import DOWN_SEVERITY, SHADOW_SEVERITY, STATE_SEVERITIES
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.rows import BreakerRow, MetricsPoint

TEXT_LENGTH_MAX = 500
PARTS_SHOWN_MAX = 3
# From there on the load of its machine, which has 15 % of it, may well be all that is missing.
WELL_FROM = 0.85
# As people read it, in chats and mails too.
_STATES_SAID: dict[State, str] = {
    "half_open": "half open",
    "force_open": "forced open",
    "force_close": "forced closed",
}
_UNITS = {"latency": " s", "throughput": " /s"}


class Figure(NamedTuple):
    """A value, and what it says; `undecided` while a trial of it is under way."""

    value: float | None
    text: str
    undecided: bool = False


class Seen:
    """A breaker with what its figures are made of; without a policy no rate is held against its limit."""

    def __init__(self, key: Key, row: BreakerRow, board: Board, policy: Policy | None) -> None:
        self.key, self.row, self.board, self.policy = key, row, board, policy

    def __repr__(self) -> str:
        return f"Seen({self.key!r})"

    @cached_property
    def point(self) -> MetricsPoint | None:
        """Its newest figures over time."""
        return next(iter(self.board.points(self.key, 1)), None)


def state_figure(key: Key, state: State, reason: str, *, shadow: bool) -> Figure:
    """Return what a state is worth, 0 to 4; what a shadow would do keeps no call from being made."""
    severity = STATE_SEVERITIES[state]
    if shadow and state != "force_open":
        severity = min(severity, SHADOW_SEVERITY)
    said = _STATES_SAID.get(state, state)
    text = f"{key.breaker} is {said}{' (shadow)' if shadow else ''}: {reason}"
    return Figure(float(severity), text[:TEXT_LENGTH_MAX], undecided=state == "half_open")


def _state(seen: Seen) -> Figure:
    return state_figure(seen.key, seen.row.state, seen.row.reason, shadow=seen.row.shadow)


def _health(seen: Seen) -> Figure:
    """Return a health score, with the parts that are lowest; a busy machine alone makes nothing ill."""
    name, score = seen.key.breaker, seen.row.health
    if not seen.row.calls or score is None:
        return Figure(None, f"{name} has {'no score' if seen.row.calls else 'no calls'} now")
    text = f"{name}: its health score is {score:.2f}"
    if seen.policy is None or score >= WELL_FROM:
        return Figure(score, text)
    of_calls = _health_of_calls(seen, seen.policy)
    if of_calls.score > score:
        text += f", {of_calls.score:.2f} without the load of its machine"
    return Figure(max(score, of_calls.score), f"{text}{_lowest_parts(of_calls)}")


def _health_of_calls(seen: Seen, policy: Policy) -> Health:
    """Return the score that the calls alone make, by the targets of the packaged policy."""
    row, point = seen.row, seen.point
    latency_ms = row.latency_ms_mean if point is None else point.latency_ms_p95
    figures = HealthFigures(
        success_rate=1.0 - row.failure_rate,
        latency_s=None if latency_ms is None else latency_ms / 1_000,
        error_rate=row.failure_rate,
        throughput_per_s=None if point is None else point.calls_per_s,
    )
    return health(msgspec.structs.replace(policy.health, weight_resources=0.0), figures)


def _lowest_parts(found: Health) -> str:
    """Return the parts that are off their target, the lowest first, as ` (latency 4 s, want 1 s)`."""
    low = sorted((part for part in found.parts if part.score < 1.0 and not part.neutral), key=_part_score)
    said = []
    for part in low[:PARTS_SHOWN_MAX]:
        unit, name = _UNITS.get(part.name, ""), part.name.replace("_", " ")
        said.append(f"{name} {part.measured:.3g}{unit}, want {part.target:.3g}{unit}")
    return f" ({'; '.join(said)})" if said else ""


def _part_score(part: HealthPart) -> float:
    return part.score


def _of_limit(rate: float, most: float | None, seen: Seen, word: str) -> Figure:
    """Return a rate as a share of the limit at which its policy opens."""
    if most is None or seen.policy is None:
        return Figure(None, f"{seen.key.breaker}: no limit is known of the calls that {word}")
    enough = seen.row.calls >= seen.policy.window.minimum_calls
    text = f"{seen.key.breaker}: {rate:.0%} of {seen.row.calls} calls {word}, it opens at {most:.0%}"
    return Figure(rate / most if enough else None, text)


def _failure_rate_of_limit(seen: Seen) -> Figure:
    most = None if seen.policy is None else seen.policy.failure_rate_max
    return _of_limit(seen.row.failure_rate, most, seen, "failed")


def _slow_rate_of_limit(seen: Seen) -> Figure:
    most = None if seen.policy is None else seen.policy.slow_rate_max
    return _of_limit(seen.row.slow_rate, most, seen, "slow")


def _of_row(field: str, words: str, *, called: bool = False) -> Callable[[Seen], Figure]:
    """Return how a field of a row is read; with `called` only of a breaker that is called."""

    def read(seen: Seen) -> Figure:
        value = getattr(seen.row, field) if seen.row.calls or not called else None
        return _plain(seen.key.breaker, value, words)

    return read


def _of_point(field: str, words: str) -> Callable[[Seen], Figure]:
    """Return how a field of the newest figures is read."""

    def read(seen: Seen) -> Figure:
        point = seen.point
        return _plain(seen.key.breaker, None if point is None else getattr(point, field), words)

    return read


def _plain(name: str, value: float | None, words: str) -> Figure:
    said = "nothing" if value is None else f"{value:g}"
    return Figure(None if value is None else float(value), f"{name}: {words.format(said)}")


BREAKER_FIGURES: Mapping[str, Callable[[Seen], Figure]] = {
    "state": _state,
    "failure_rate_of_limit": _failure_rate_of_limit,
    "slow_rate_of_limit": _slow_rate_of_limit,
    "health": _health,
    "failure_rate": _of_row("failure_rate", "{} of its calls failed, of 1", called=True),
    "slow_rate": _of_row("slow_rate", "{} of its calls were slow, of 1", called=True),
    "calls": _of_row("calls", "{} calls in its window"),
    "failures": _of_row("failures", "{} failures in its window"),
    "rejected": _of_row("rejected", "{} calls rejected in its window"),
    "latency_ms_mean": _of_row("latency_ms_mean", "its mean latency is {} ms"),
    "latency_ms_p50": _of_point("latency_ms_p50", "its latency at p50 is {} ms"),
    "latency_ms_p95": _of_point("latency_ms_p95", "its latency at p95 is {} ms"),
    "latency_ms_p99": _of_point("latency_ms_p99", "its latency at p99 is {} ms"),
    "calls_per_s": _of_point("calls_per_s", "{} calls a second"),
}


def _relay(relay: RelaySeen, _: Board) -> Figure:
    """Return whether a relay is down: not to be reached, or failing in its own words."""
    failing = relay.health.get("status") == "failing"
    down = relay.connection == "lost" or failing
    why = relay.reason if relay.connection == "lost" else _reasons(relay)
    said = "is lost" if relay.connection == "lost" else "is failing" if failing else "is heard"
    text = f"relay {relay.name} {said}{f': {why}' if down and why else ''}"
    return Figure(float(DOWN_SEVERITY if down else 0), text[:TEXT_LENGTH_MAX])


def _breakers_open(relay: RelaySeen, board: Board) -> Figure:
    """Return how many of a relay's breakers keep calls from being made."""
    count = sum(row.state in {"open", "force_open"} and not row.shadow for _, row in board.of(relay.name))
    return Figure(float(count), f"relay {relay.name}: {count} of its breakers are open")


def _sources_ready(relay: RelaySeen, _: Board) -> Figure:
    """Return how many sources the chain has that has the fewest of them ready."""
    chains = relay.health.get("chains")
    counts = {name: _count(each) for name, each in chains.items()} if isinstance(chains, dict) else {}
    known = {name: count for name, count in counts.items() if count is not None}
    if not known:
        return Figure(None, f"relay {relay.name} tells of no chain")
    fewest = min(known, key=lambda name: known[name])
    text = f"relay {relay.name}: {known[fewest]} sources of {fewest} are ready"
    return Figure(float(known[fewest]), text[:TEXT_LENGTH_MAX])


RELAY_FIGURES: Mapping[str, Callable[[RelaySeen, Board], Figure]] = {
    "relay": _relay,
    "breakers_open": _breakers_open,
    "sources_ready": _sources_ready,
}


def _count(chain: Any) -> int | None:
    found = chain.get("sources_ready") if isinstance(chain, dict) else None
    return found if isinstance(found, int) else None


def _reasons(relay: RelaySeen) -> str:
    found = relay.health.get("reasons")
    return "; ".join(str(each) for each in found[:3]) if isinstance(found, list) else ""
