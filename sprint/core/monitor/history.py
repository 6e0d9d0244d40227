"""What breakers were: their figures over time and their transitions, so much of each and no more.

The more breakers there are, the less is kept of each, so that the whole stays within its bound.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Collection
from typing import Any, get_args

from sprint.core.breaker.outcomes import State
from sprint.core.monitor.rows import MetricsPoint, TransitionRow, rfc3339

# An hour at a point each 5 s; of 10,000 breakers together some 26 MB.
POINTS_PER_BREAKER_MAX = 720
POINTS_MAX = 250_000
# At some 600 bytes each 30 MB.
TRANSITIONS_PER_BREAKER_MAX = 256
TRANSITIONS_MAX = 50_000
KEPT_MIN = 4

_STATES: tuple[State, ...] = get_args(State)
_COUNTS = ("calls", "failures", "rejected")
_FIGURES = (
    "failure_rate",
    "slow_rate",
    "calls_per_s",
    "latency_ms_mean",
    "latency_ms_p50",
    "latency_ms_p95",
    "latency_ms_p99",
    "health",
)
_WIDTH = 2 + len(_COUNTS) + len(_FIGURES)


class MetricsHistory:
    """The newest points of each breaker, 104 bytes each."""

    def __init__(self) -> None:
        self._points: dict[str, array[float]] = {}

    def __repr__(self) -> str:
        return f"MetricsHistory({sum(map(len, self._points.values())) // _WIDTH} points)"

    def add(self, breaker: str, unix_s: float, point: MetricsPoint) -> None:
        """Keep one point; the oldest is dropped for it where there are too many."""
        points = self._points.setdefault(breaker, array("d"))
        counts = [getattr(point, name) for name in _COUNTS]
        figures = [getattr(point, name) for name in _FIGURES]
        points.extend([unix_s, _STATES.index(point.state), *counts])
        points.extend([math.nan if figure is None else figure for figure in figures])
        excess = len(points) // _WIDTH - _kept_max(POINTS_PER_BREAKER_MAX, POINTS_MAX, len(self._points))
        if excess > 0:
            del points[: excess * _WIDTH]

    def points(self, breaker: str, limit: int = POINTS_PER_BREAKER_MAX) -> list[MetricsPoint]:
        """Return the newest `limit` points of a breaker, oldest first."""
        points = self._points.get(breaker, array("d"))
        first = max(0, len(points) - limit * _WIDTH)
        return [_point(points[at : at + _WIDTH]) for at in range(first, len(points), _WIDTH)]

    def forget(self, breaker: str) -> None:
        """Forget all of a breaker."""
        self._points.pop(breaker, None)

    def keep_only(self, breakers: Collection[str]) -> None:
        """Forget all that is not of these breakers."""
        self._points = {name: points for name, points in self._points.items() if name in breakers}


class TransitionHistory:
    """The newest transitions of each breaker. `number` is that of the newest of all."""

    def __init__(self) -> None:
        self.number = 0
        self._rows: dict[str, deque[TransitionRow]] = {}

    def __repr__(self) -> str:
        return f"TransitionHistory({self.number} so far)"

    def add(self, row: TransitionRow) -> None:
        """Keep one transition."""
        self.number = row.number
        rows = self._rows.setdefault(row.breaker, deque())
        rows.append(row)
        most = _kept_max(TRANSITIONS_PER_BREAKER_MAX, TRANSITIONS_MAX, len(self._rows))
        while len(rows) > most:
            rows.popleft()

    def rows(
        self, breaker: str, *, after: int = 0, limit: int = TRANSITIONS_PER_BREAKER_MAX
    ) -> list[TransitionRow]:
        """Return the newest `limit` transitions of a breaker above the number `after`, oldest first."""
        found = [row for row in self._rows.get(breaker, ()) if row.number > after]
        return found[max(0, len(found) - limit) :]

    def keep_only(self, breakers: Collection[str]) -> None:
        """Forget all that is not of these breakers."""
        self._rows = {name: rows for name, rows in self._rows.items() if name in breakers}


def _kept_max(per_breaker_max: int, all_max: int, breakers: int) -> int:
    return max(KEPT_MIN, min(per_breaker_max, all_max // max(1, breakers)))


def _point(values: array[float]) -> MetricsPoint:
    unix_s, state, *rest = values
    fields: dict[str, Any] = {name: int(count) for name, count in zip(_COUNTS, rest, strict=False)}
    for name, figure in zip(_FIGURES, rest[len(_COUNTS) :], strict=True):
        fields[name] = None if math.isnan(figure) else figure
    return MetricsPoint(at=rfc3339(unix_s), state=_STATES[int(state)], **fields)
