"""Rules as data: which figure is too much from where on, and how long it has to be so.

What figures there are is told by `figures`, what the rules read off a board by `readings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, get_args

import msgspec

from sprint.core.breaker.outcomes import State

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
ANY = "*"


class Step(NamedTuple):
    """From which value on a level is reached."""

    level: Level
    at: float


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is too much. `steps` go from the lowest level up.

    `reads` names a figure, `relay` and `breaker` are patterns (fnmatch) of those that are judged. Below
    `calls_min` calls in a breaker's window its figures are not believed.
    `falling`: low values are the bad ones. A level that was reached is kept until the value is `margin` on
    the good side of its step for `clear_s` on end; a first one is told when it has stood for `hold_s`.
    """

    name: str
    reads: str = ""
    relay: str = ANY
    breaker: str = ANY
    calls_min: int = 0
    steps: tuple[Step, ...]
    falling: bool = False
    margin: float = 0.0
    hold_s: float = 0.0
    clear_s: float = 10.0

    def judges(self, relay: str, breaker: str = "") -> bool:
        """Tell whether a breaker, or a relay, is meant."""
        return (self.relay == ANY or fnmatchcase(relay, self.relay)) and (
            self.breaker == ANY or fnmatchcase(breaker, self.breaker)
        )

    def severity(self, value: float | None, *, kept: bool = False) -> int:
        """Return 0, or 1 to 4 for the level that a value reaches; with `kept` that which it would keep."""
        if value is None:
            return 0
        sign = -1.0 if self.falling else 1.0
        margin = self.margin if kept else 0.0
        reached = [step.level for step in self.steps if sign * value >= sign * step.at - margin]
        return LEVELS.index(reached[-1]) + 1 if reached else 0


class Reading(NamedTuple):
    """What a rule reads of a breaker, or of a relay where `breaker` is empty; None where there is nothing.

    `undecided`: a trial is under way, so that no level falls and no alert ends by it.
    """

    rule: Rule
    relay: str
    breaker: str
    value: float | None
    text: str
    undecided: bool = False


_SEVERITIES = tuple(Step(level, number + 1.0) for number, level in enumerate(LEVELS))
_OF_A_LIMIT = (Step("info", 0.8), Step("warning", 0.9), Step("critical", 0.95))

STATE = Rule(name="state", reads="state", steps=_SEVERITIES)
FAILURE_RATE = Rule(name="failure_rate", reads="failure_rate_of_limit", steps=_OF_A_LIMIT, margin=0.1)
SLOW_RATE = Rule(name="slow_rate", reads="slow_rate_of_limit", steps=_OF_A_LIMIT, margin=0.1)
HEALTH = Rule(
    name="health",
    reads="health",
    steps=(Step("info", 0.6), Step("warning", 0.4), Step("critical", 0.2)),
    falling=True,
    margin=0.05,
)
# A relay that is restarted is back before that.
RELAY = Rule(name="relay", reads="relay", steps=_SEVERITIES, hold_s=5.0)
RULES = (STATE, FAILURE_RATE, SLOW_RATE, HEALTH, RELAY)
