"""Which background work is due: metrics, health, the adaptive threshold, the states, and clearing up."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Work = Literal["state", "metrics", "health", "adaptive", "cleanup"]

# More often than ten times a second a round over breakers would do nothing but keep a processor busy.
INTERVAL_S_MIN = 0.1
INTERVAL_S_MAX = 86_400.0
Interval = Annotated[float, msgspec.Meta(ge=INTERVAL_S_MIN, le=INTERVAL_S_MAX)]


class Intervals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each work is done, in seconds. Breakers that need not be kept are dropped after `idle_s`."""

    state_s: Interval = 10.0
    metrics_s: Interval = 30.0
    health_s: Interval = 60.0
    adaptive_s: Interval = 120.0
    cleanup_s: Interval = 3600.0
    idle_s: Interval = 3600.0


class Rounds:
    """When each work is due next. Work that was missed, while the machine slept, is done once."""

    def __init__(self, intervals: Intervals, now: float) -> None:
        self._every_s = _every_s(intervals)
        self._due_at = {work: now + every_s for work, every_s in self._every_s.items()}

    def __repr__(self) -> str:
        return f"Rounds(next at {min(self._due_at.values()):.3f})"

    def take_due(self, now: float) -> list[Work]:
        """Return what is due at `now`, and take it as done."""
        due = [work for work, due_at in self._due_at.items() if now >= due_at]
        for work in due:
            self._due_at[work] = now + self._every_s[work]
        return due

    def wait_s(self, now: float) -> float:
        """Return how long nothing is due."""
        return max(0.0, min(self._due_at.values()) - now)

    def adopt(self, intervals: Intervals, now: float) -> None:
        """Go by other intervals; what is due sooner by them is."""
        self._every_s = _every_s(intervals)
        for work, every_s in self._every_s.items():
            self._due_at[work] = min(self._due_at[work], now + every_s)


def _every_s(intervals: Intervals) -> dict[Work, float]:
    return {
        "state": intervals.state_s,
        "metrics": intervals.metrics_s,
        "health": intervals.health_s,
        "adaptive": intervals.adaptive_s,
        "cleanup": intervals.cleanup_s,
    }
