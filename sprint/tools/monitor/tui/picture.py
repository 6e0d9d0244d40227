"""What is to be drawn of a board: the order of its breakers, made anew when it changed, and their lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sprint.core.monitor.board import Board, Key
from sprint.core.monitor.query import EVERYTHING, Query
from sprint.core.monitor.rows import BreakerRow
from sprint.core.monitor.table import Counts, Line, Look, Seen, SortKey, arranged, counts, line_of

# Figures come each 5 s; so often what is drawn of them is looked up again.
TRENDS_INTERVAL_S = 1.0
TREND_POINTS = 8
TRENDS_KEPT_MAX = 2_000
LINES_KEPT_MAX = 2_000


class _Trend(NamedTuple):
    failure_rates: tuple[float, ...]
    calls_per_s: float | None


class _Drawn(NamedTuple):
    """A line, and all that it was made of: what it says of times is of a second."""

    row: BreakerRow
    trend: _Trend
    look: Look
    lost: bool
    second: int
    line: Line


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
        self._trends: dict[Key, tuple[float, _Trend]] = {}
        self._lines: dict[Key, _Drawn] = {}
        self._counts: tuple[int, Counts] | None = None

    def __repr__(self) -> str:
        return f"Picture({len(self.order)} of {len(self._board.rows)})"

    def is_due(self, drawn_second: int) -> bool:
        """Tell whether there may be something to draw: the board has changed, or it is another second."""
        if not self._arranged_by or self._arranged_by[0] != self._board.version:
            return True
        return int(self._clock()) != drawn_second

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
        lost = relay is not None and relay.connection == "lost"
        trend, second = self._trend(key), int(self.now)
        known = self._lines.get(key)
        if (
            known is not None
            and known.row is row
            and known.trend is trend
            and known.look is look
            and (known.lost, known.second) == (lost, second)
        ):
            return known.line
        line = line_of(key, Seen(row, trend.failure_rates, trend.calls_per_s, lost), look, self.now)
        if len(self._lines) >= LINES_KEPT_MAX:
            self._lines.clear()
        self._lines[key] = _Drawn(row, trend, look, lost, second, line)
        return line

    def counts(self) -> Counts:
        """Count the breakers of the board by state."""
        if self._counts is None or self._counts[0] != self._board.version:
            self._counts = (self._board.version, counts(self._board))
        return self._counts[1]

    def _trend(self, key: Key) -> _Trend:
        at, known = self._trends.get(key, (0.0, None))
        if known is None or not 0 <= self.now - at < TRENDS_INTERVAL_S:
            points = self._board.points(key, TREND_POINTS)
            calls_per_s = points[-1].calls_per_s if points else None
            told = _Trend(tuple(point.failure_rate for point in points), calls_per_s)
            if len(self._trends) >= TRENDS_KEPT_MAX:
                self._trends.clear()
            # The same object where it is the same: lines are made of it.
            known = known if told == known else told
            self._trends[key] = (self.now, known)
        return known
