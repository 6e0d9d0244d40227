"""Who is told of which level, and after how long without an acknowledgement it goes one level up.

Sinks have a name, which is one of them, and a kind, as `slack`, which routes name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sprint.core.monitor.alerts.rules import LEVELS, Level

KINDS = ("webhook", "slack", "teams", "pagerduty", "email")
CHATS = ("slack", "teams")
HOUR_S = 3_600.0
# Of an emergency there is no level above.
ESCALATE_AFTER_S: Mapping[Level, float] = {
    "info": 24 * HOUR_S,
    "warning": 4 * HOUR_S,
    "critical": HOUR_S,
}

Routes = Mapping[Level, Sequence[str]]


class Sending(NamedTuple):
    """`kinds` by the names of the sinks; `escalate_after_s` has no entry for a level that stays."""

    kinds: Mapping[str, str]
    routes: Routes
    escalate_after_s: Mapping[Level, float] = ESCALATE_AFTER_S

    def sinks(self, level: Level) -> list[str]:
        """Return the names of the sinks that are told of a level."""
        return [name for name, kind in self.kinds.items() if kind in self.routes.get(level, ())]


def routes_default(kinds: Collection[str]) -> Routes:
    """Return who is told of what where nobody says otherwise, of the kinds that are set up.

    Information is mailed, a warning goes to chats and mail, what is critical pages, an emergency goes to
    all. A webhook, which is a program, has everything. Without a pager chats and mail have what is critical.
    """
    warned = (*CHATS, "email")
    critical = ("pagerduty",) if "pagerduty" in kinds else warned
    by_level: dict[Level, Sequence[str]] = {"info": ("email",), "warning": warned, "critical": critical}
    return {level: ("webhook", *by_level[level]) if level in by_level else KINDS for level in LEVELS}
