"""A run over time: a point a second, and coarser ones where the run is longer than 24 hours.

A second stays open until all processes have handed in their cells, or had the time to; then its percentiles
are worked out and only the figures are kept, 144 bytes a point.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sprint.core.duration import SECOND_NS
from sprint.core.kernels.histogram import HistogramCounts, PlainHistogram
from sprint.core.loadtest.cell import RESPONSE, SERVICE, Cell, Counts, decode_counted

# 24 hours, and the time that the last answers of such a run may take; even, as points are joined by twos.
POINTS_MAX = 24 * 3_600 + 120
# So many seconds behind the newest cell others are waited for; a later one counts in a later second.
OPEN_S = 3
OPEN_S_OF_KNOWN = 15  # where it is known how many processes hand in cells, and one of them is late

_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)
_NO_FIGURES = (math.nan,) * (len(_SHARES) + 1)
_MS = 1_000_000
_COUNTS = ("begun", "successes", "failures", "limited", "rejected", "bytes_in", "in_flight")
_FIGURES = (
    "response_ms_mean",
    "response_ms_p50",
    "response_ms_p90",
    "response_ms_p95",
    "response_ms_p99",
    "response_ms_p99_9",
    "response_ms_max",
    "service_ms_p50",
    "service_ms_p99",
    "service_ms_max",
)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What happened from `at_s` on for `width_s` seconds; latencies of successes, in milliseconds.

    Where points were put together, counts are added, and percentiles are the highest of them.
    """

    at_s: float
    width_s: float
    asked: int
    begun: int
    successes: int
    failures: int
    limited: int
    rejected: int
    bytes_in: int
    in_flight: int
    response_ms_mean: float | None = None
    response_ms_p50: float | None = None
    response_ms_p90: float | None = None
    response_ms_p95: float | None = None
    response_ms_p99: float | None = None
    response_ms_p99_9: float | None = None
    response_ms_max: float | None = None
    service_ms_p50: float | None = None
    service_ms_p99: float | None = None
    service_ms_max: float | None = None

    @property
    def answered(self) -> int:
        """How many requests came to an end in it, well or not."""
        return self.successes + self.failures + self.limited + self.rejected


_WIDTH = 1 + len(_COUNTS) + len(_FIGURES)


class Series:
    """The points of a run, of cells that come in the order of time from each of `processes`.

    `asked_upto` says how many requests were asked for before a moment, in ns from the start.
    """

    def __init__(
        self,
        asked_upto: Callable[[int], int],
        new_histogram: Callable[[], PlainHistogram],
        *,
        processes: int | None = None,
        points_max: int = POINTS_MAX,
    ) -> None:
        self._asked_upto = asked_upto
        self._scratch = new_histogram()
        self._points_max = points_max
        self._processes = processes
        self._handed_in: dict[int, int] = {}
        self._open: dict[int, _OpenSecond] = {}
        self._next_second = 0
        self._rows = array("d")
        self._width_s = 1
        self._gathered: list[array[float]] = []
        self._ended_ns: int | None = None
        self.closed_answered = 0

    def __repr__(self) -> str:
        return f"Series({len(self._rows) // _WIDTH} points of {self._width_s} s, {len(self._open)} open)"

    def add(self, cell: Cell) -> None:
        """Take one cell, and close the seconds that nobody has to hand in any more."""
        opened = self._open.setdefault(max(cell.second, self._next_second), _OpenSecond())
        opened.counts.add(cell.counts)
        opened.in_flight[cell.process] = cell.in_flight
        for name, kept in ((RESPONSE, opened.response), (SERVICE, opened.service)):
            if name in cell.histograms:
                kept.append(decode_counted(cell.histograms[name]))
        self._handed_in[cell.process] = cell.second
        self._close(self._complete_upto())

    @property
    def closed_ns(self) -> int:
        """Up to which moment seconds are closed; `closed_answered` requests were answered in them."""
        return self._next_second * SECOND_NS

    def finish(self, ended_ns: int | None = None) -> None:
        """Close all seconds; nothing was asked for from `ended_ns` on, where a run was stopped."""
        self._ended_ns = ended_ns
        if self._open:
            self._close(max(self._open) + 1)

    def points(self) -> list[Point]:
        """Return the points of the seconds that are closed, oldest first."""
        whole = [self._point(row, self._width_s) for row in _rows(self._rows)]
        if not self._gathered:
            return whole
        return [*whole, self._point(_together(self._gathered), len(self._gathered))]

    def newest(self) -> Point | None:
        """Return the last point that is closed."""
        if self._gathered:
            return self._point(self._gathered[-1], 1)
        return self._point(self._rows[-_WIDTH:], self._width_s) if self._rows else None

    def _complete_upto(self) -> int:
        """Return the first second that somebody may still hand in."""
        newest = max(self._handed_in.values())
        if self._processes is None:
            return newest - OPEN_S
        whole = min(self._handed_in.values()) + 1 if len(self._handed_in) >= self._processes else 0
        return max(whole, newest - OPEN_S_OF_KNOWN)

    def _close(self, end: int) -> None:
        while self._next_second < end:
            opened = self._open.pop(self._next_second, None) or _OpenSecond()
            self.closed_answered += opened.counts.answered
            self._gathered.append(self._row(self._next_second, opened))
            self._next_second += 1
            if len(self._rows) == self._points_max * _WIDTH:
                self._coarsen()
            if len(self._gathered) == self._width_s:
                self._rows += _together(self._gathered)
                self._gathered = []

    def _coarsen(self) -> None:
        """Put each two points together, so that there is room for as many more."""
        rows = _rows(self._rows)
        self._rows = array("d")
        for first, second in zip(rows[::2], rows[1::2], strict=True):
            self._rows += _together([first, second])
        self._width_s *= 2

    def _row(self, second: int, opened: _OpenSecond) -> array[float]:
        """Return the figures of a second, NaN where there is none."""
        counts = opened.counts
        told = (getattr(counts, name) for name in _COUNTS[:-1])
        response = self._percentiles(opened.response)
        service = self._percentiles(opened.service)
        mean = counts.response_ns_sum / counts.successes if counts.successes else math.nan
        figures = (mean, *response, service[0], service[3], service[5])
        row = array("d", (second, *told, sum(opened.in_flight.values())))
        row.extend(figure / _MS for figure in figures)
        return row

    def _point(self, row: Sequence[float], width_s: int) -> Point:
        fields: dict[str, Any] = dict(zip(_COUNTS, map(int, row[1 : 1 + len(_COUNTS)]), strict=False))
        for name, figure in zip(_FIGURES, row[1 + len(_COUNTS) :], strict=True):
            fields[name] = None if math.isnan(figure) else figure
        ends_ns = [(int(row[0]) + seconds) * SECOND_NS for seconds in (0, width_s)]
        if self._ended_ns is not None:
            ends_ns = [min(end_ns, self._ended_ns) for end_ns in ends_ns]
        before, upto = map(self._asked_upto, ends_ns)
        return Point(at_s=row[0], width_s=width_s, asked=upto - before, **fields)

    def _percentiles(self, parts: list[HistogramCounts]) -> Sequence[float]:
        if not parts:
            return _NO_FIGURES
        self._scratch.clear()
        for part in parts:
            self._scratch.add_counted(part)
        found = self._scratch.percentiles(_SHARES)
        greatest = self._scratch.greatest
        return _NO_FIGURES if found is None or greatest is None else (*found, greatest)


class _OpenSecond:
    """What was handed in for a second so far."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.in_flight: dict[int, int] = {}
        self.response: list[HistogramCounts] = []
        self.service: list[HistogramCounts] = []


def _rows(values: array[float]) -> list[array[float]]:
    return [values[at : at + _WIDTH] for at in range(0, len(values), _WIDTH)]


def _together(rows: Sequence[array[float]]) -> array[float]:
    """Return one row for several: counts added, the last gauge, the mean of all, the highest percentiles."""
    if len(rows) == 1:
        return rows[0]
    columns = list(zip(*rows, strict=True))
    counts = [sum(column) for column in columns[1 : 1 + len(_COUNTS)]]
    counts[_COUNTS.index("in_flight")] = rows[-1][1 + _COUNTS.index("in_flight")]
    successes, means = columns[1 + _COUNTS.index("successes")], columns[1 + len(_COUNTS)]
    weighted = sum(count * mean for count, mean in zip(successes, means, strict=True) if count)
    mean = weighted / sum(successes) if sum(successes) else math.nan
    highest = [_highest(column) for column in columns[2 + len(_COUNTS) :]]
    return array("d", (rows[0][0], *counts, mean, *highest))


def _highest(values: Sequence[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)
