"""What is to be drawn of a board: the order of its breakers, made anew when it changed, and their lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sprint.core.monitor.board import Board, Key
from sprint.core.monitor.query import EVERYTHING, Query
from sprint.core.monitor.table import Line, Look, Seen, SortKey, arranged, line_of

# Figures come each 5 s; so often what is drawn of them is looked up again.
TRENDS_INTERVAL_S = 1.0
TREND_POINTS = 8
TRENDS_KEPT_MAX = 2_000


class _Trend(NamedTuple):
    at: float
    failure_rates: tuple[float, ...]
    calls_per_s: float | None


class Picture:
    """Remembers how the list is sorted and filtered. Times are of `clock`, seconds since 1970."""

    def __init__(self, board: Board, clock: Callable[[], float]) -> None:
        self.now = clock()
        self.query: Query = EVERYTHING
        self.sorted_by: SortKey = "worst"
        self.backwards = False
        self.order: list[Key] = []
        self._board = board
        self._clock = clock
        self._arranged_by: tuple[object, ...] = ()
        self._trends: dict[Key, _Trend] = {}

    def __repr__(self) -> str:
        return f"Picture({len(self.order)} of {len(self._board.rows)})"

    def renew(self) -> bool:
        """Take the time and the board as they are; True where the order may be another than before."""
        self.now = self._clock()
        arranged_by = (self._board.version, self.query, self.sorted_by, self.backwards)
        if arranged_by == self._arranged_by:
            return False
        self._arranged_by = arranged_by
        self.order = arranged(self._board.rows, self.query, self.sorted_by, backwards=self.backwards)
        return True

    def line(self, key: Key, look: Look) -> Line | None:
        """Return a breaker's line; None where it is gone."""
        row = self._board.rows.get(key)
        if row is None:
            return None
        relay = self._board.relays.get(key.relay)
        trend = self._trend(key)
        seen = Seen(
            row,
            trend.failure_rates,
            trend.calls_per_s,
            lost=relay is not None and relay.connection == "lost",
        )
        return line_of(key, seen, look, self.now)

    def _trend(self, key: Key) -> _Trend:
        known = self._trends.get(key)
        if known is None or not 0 <= self.now - known.at < TRENDS_INTERVAL_S:
            points = self._board.points(key, TREND_POINTS)
            calls_per_s = points[-1].calls_per_s if points else None
            known = _Trend(self.now, tuple(point.failure_rate for point in points), calls_per_s)
            if len(self._trends) >= TRENDS_KEPT_MAX:
                self._trends.clear()
            self._trends[key] = known
        return known
