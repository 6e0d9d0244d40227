"""Rules as data, and what they read off a board: numbers that a rule's steps are held against.

for reading in readings(board, limits):
    alerts.take(reading, now_s, at)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, get_args

import msgspec

from sprint.core.breaker.outcomes import State
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.rows import BreakerRow

Level = Literal["info", "warning", "critical", "emergency"]
LEVELS: tuple[Level, ...] = get_args(Level)
# What a state is as a number: 0 nothing, 1 to 4 the levels. An operator's word is no surprise.
STATE_SEVERITIES: Mapping[State, int] = {
    "closed": 0,
    "force_close": 1,
    "half_open": 2,
    "force_open": 2,
    "open": 3,
}
SHADOW_SEVERITY = 1
DOWN_SEVERITY = 4
TEXT_LENGTH_MAX = 500


class Step(NamedTuple):
    """From which value on a level is reached."""

    level: Level
    at: float


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is too much. `steps` go from the lowest level up.

    `falling`: low values are the bad ones. A level that was reached is kept until the value is `margin` on
    the good side of its step for `clear_s` on end; a first one is told when it has stood for `hold_s`.
    """

    name: str
    steps: tuple[Step, ...]
    falling: bool = False
    margin: float = 0.0
    hold_s: float = 0.0
    clear_s: float = 10.0

    def severity(self, value: float | None, *, kept: bool = False) -> int:
        """Return 0, or 1 to 4 for the level that a value reaches; with `kept` that which it would keep."""
        if value is None:
            return 0
        sign = -1.0 if self.falling else 1.0
        margin = self.margin if kept else 0.0
        reached = [step.level for step in self.steps if sign * value >= sign * step.at - margin]
        return LEVELS.index(reached[-1]) + 1 if reached else 0


class Reading(NamedTuple):
    """What a rule reads of a breaker, or of a relay where `breaker` is empty; None where there is nothing."""

    rule: Rule
    relay: str
    breaker: str
    value: float | None
    text: str


_SEVERITIES = tuple(Step(level, number + 1.0) for number, level in enumerate(LEVELS))
_OF_A_LIMIT = (Step("info", 0.8), Step("warning", 0.9), Step("critical", 0.95))

STATE = Rule(name="state", steps=_SEVERITIES)
FAILURE_RATE = Rule(name="failure_rate", steps=_OF_A_LIMIT, margin=0.1)
SLOW_RATE = Rule(name="slow_rate", steps=_OF_A_LIMIT, margin=0.1)
HEALTH = Rule(
    name="health",
    steps=(Step("info", 0.6), Step("warning", 0.4), Step("critical", 0.2)),
    falling=True,
    margin=0.05,
)
# A relay that is restarted is back before that.
RELAY = Rule(name="relay", steps=_SEVERITIES, hold_s=5.0)
RULES = (STATE, FAILURE_RATE, SLOW_RATE, HEALTH, RELAY)


def readings(board: Board, limits: Mapping[str, Policy]) -> Iterator[Reading]:
    """Yield what the rules read now. `limits` are policies by name; without one no rate is read."""
    for relay in board.relays.values():
        if relay.connection != "connecting":
            yield relay_reading(relay)
    for key, row in board.rows.items():
        yield state_reading(key, row.state, row.reason, shadow=row.shadow)
        yield from _figures(key, row, limits.get(row.policy))


def state_reading(key: Key, state: State, reason: str, *, shadow: bool) -> Reading:
    """Return what a state is worth; what a shadow would do keeps no call from being made."""
    severity = STATE_SEVERITIES[state]
    if shadow and state != "force_open":
        severity = min(severity, SHADOW_SEVERITY)
    text = f"{key.breaker} is {state}{' (shadow)' if shadow else ''}: {reason}"
    return Reading(STATE, key.relay, key.breaker, float(severity), text[:TEXT_LENGTH_MAX])


def relay_reading(relay: RelaySeen) -> Reading:
    """Return whether a relay is down: not to be reached, or failing in its own words."""
    failing = relay.health.get("status") == "failing"
    down = relay.connection == "lost" or failing
    why = relay.reason if relay.connection == "lost" else _reasons(relay)
    said = "is lost" if relay.connection == "lost" else "is failing" if failing else "is heard"
    text = f"relay {relay.name} {said}{f': {why}' if down and why else ''}"
    return Reading(RELAY, relay.name, "", float(DOWN_SEVERITY if down else 0), text[:TEXT_LENGTH_MAX])


def _figures(key: Key, row: BreakerRow, policy: Policy | None) -> Iterator[Reading]:
    health = row.health if row.calls else None
    said = "no call" if health is None else f"{health:.2f}"
    yield Reading(HEALTH, key.relay, key.breaker, health, f"{key.breaker}: its health score is {said}")
    if policy is None:
        return
    enough = row.calls >= policy.window.minimum_calls
    for rule, rate, most, word in (
        (FAILURE_RATE, row.failure_rate, policy.failure_rate_max, "failed"),
        (SLOW_RATE, row.slow_rate, policy.slow_rate_max, "slow"),
    ):
        if most is not None:
            text = f"{key.breaker}: {rate:.0%} of {row.calls} calls {word}, it opens at {most:.0%}"
            yield Reading(rule, key.relay, key.breaker, rate / most if enough else None, text)


def _reasons(relay: RelaySeen) -> str:
    found = relay.health.get("reasons")
    return "; ".join(str(each) for each in found[:3]) if isinstance(found, list) else ""
