"""Which charts a report has: rates, latencies over time and by percentile, failures, states of breakers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sprint.core.loadtest.report import BreakerChange, Report, Share
from sprint.core.loadtest.series import Point
from sprint.core.report_page import marked_up
from sprint.tools.loadtest.reports.charts import WIDTH, Chart, Line, gathered, svg_of
from sprint.tools.loadtest.reports.figures import digits_text, seconds_text, time_text

BREAKERS_SHOWN_MAX = 20
_X_MARKS_MAX = 7
_SECONDS_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800)
_ROW_HEIGHT = 26
_NAME_WIDTH = 190
_STATES = ("closed", "open", "half_open")


class Figure(NamedTuple):
    """A chart with its title, the names of its lines with the class of each, and the picture."""

    title: str
    legend: Sequence[tuple[str, str]]
    svg: str


class Columns(NamedTuple):
    """A chart over time: of each line the name, the class that colours it, and its values."""

    title: str
    lines: Sequence[tuple[str, str, Sequence[float | None]]]
    y_text: Callable[[float], str] = digits_text
    logarithmic: bool = False


def figures_of(report: Report) -> list[Figure]:
    """Return the charts of a report, those that have something to show."""
    points = report.points
    found = [_rates(report), _latencies_over_time(points), _service_beside_response(points)]
    found.append(_by_percentile(report))
    if any(point.failures or point.limited or point.rejected for point in points):
        found.append(_without_success(points))
    if report.breaker_changes:
        found.append(_states(report.breaker_changes, report.totals.duration_s))
    return found


def _rates(report: Report) -> Figure:
    points = report.points
    asked, begun, successes = (_per_s(points, name) for name in ("asked", "begun", "successes"))
    if not report.totals.asked:
        return _over_time(points, Columns("Successes a second", [("successes", "one", successes)]))
    # What was asked for comes last: its dashes show over the line that covers it.
    lines = [("begun", "two", begun), ("successes", "one", successes), ("asked for", "four", asked)]
    return _over_time(points, Columns("Requests a second", lines))


def _latencies_over_time(points: Sequence[Point]) -> Figure:
    lines = [
        (name, style, _highest(points, f"response_ms_{name}"))
        for name, style in (("p50", "one"), ("p90", "two"), ("p99", "three"), ("max", "four"))
    ]
    return _over_time(points, Columns("Response time", lines, time_text, logarithmic=True))


def _service_beside_response(points: Sequence[Point]) -> Figure:
    lines = [
        ("response, from the schedule", "one", _highest(points, "response_ms_p99")),
        ("service, from sending", "two", _highest(points, "service_ms_p99")),
    ]
    return _over_time(points, Columns("p99", lines, time_text, logarithmic=True))


def _without_success(points: Sequence[Point]) -> Figure:
    lines = [
        ("failures", "one", _per_s(points, "failures")),
        ("429", "two", _per_s(points, "limited")),
        ("rejected by a breaker", "three", _per_s(points, "rejected")),
    ]
    return _over_time(points, Columns("Without success, a second", lines))


def _over_time(points: Sequence[Point], columns: Columns) -> Figure:
    starts = gathered([point.at_s for point in points], min)
    x = [start for start in starts if start is not None]
    lines = [Line(*row) for row in columns.lines]
    marks = _time_marks(x[-1] if x else 0.0)
    chart = Chart(columns.title, x, lines, marks, columns.y_text, _moment_text, columns.logarithmic)
    return Figure(columns.title, [(line.name, line.style) for line in lines], svg_of(chart))


def _moment_text(at_s: float) -> str:
    return f"at {seconds_text(at_s)}"


def _highest(points: Sequence[Point], name: str) -> list[float | None]:
    return gathered([getattr(point, name) for point in points], max)


def _per_s(points: Sequence[Point], name: str) -> list[float | None]:
    return gathered([getattr(point, name) / point.width_s for point in points], _mean)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _time_marks(end_s: float) -> list[tuple[float, str]]:
    step = next((each for each in _SECONDS_STEPS if end_s / each < _X_MARKS_MAX), _SECONDS_STEPS[-1])
    return [(at, seconds_text(at)) for at in range(0, int(end_s) + 1, step)]


def _by_percentile(report: Report) -> Figure:
    """Draw latency over percentiles, each further nine as far apart as the one before."""
    lines = [
        Line(name, style, [share.ms for share in shares if share.share < 1])
        for name, style, shares in (
            ("response", "one", report.response_distribution),
            ("service", "two", report.service_distribution),
        )
        if shares
    ]
    x = [_nines(share) for share in report.response_distribution if share.share < 1]
    marks = [(float(n), f"{100 - 10.0 ** (2 - n):.{max(0, n - 2)}f} %") for n in range(6)]
    title = "Latency by percentile"
    chart = Chart(title, x, lines, marks, time_text, _percentile_text, logarithmic=True)
    return Figure(title, [(line.name, line.style) for line in lines], svg_of(chart))


def _nines(share: Share) -> float:
    return -math.log10(1 - share.share)


def _percentile_text(nines: float) -> str:
    return f"{100 - 10.0 ** (2 - nines):.6g} % of successes"


def _states(changes: Sequence[BreakerChange], end_s: float) -> Figure:
    """Draw for each breaker the states it was in, as a bar from its first change on."""
    by_breaker: dict[str, list[BreakerChange]] = {}
    for change in changes:
        by_breaker.setdefault(change.breaker, []).append(change)
    shown = dict(list(by_breaker.items())[:BREAKERS_SHOWN_MAX])
    end_s = max(end_s, changes[-1].at_s) or 1.0
    height = _ROW_HEIGHT * len(shown) + 30
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="States of breakers">']
    for row, (breaker, its_changes) in enumerate(shown.items()):
        parts += _state_row(row * _ROW_HEIGHT, breaker, its_changes, end_s)
    parts += [
        f'<text class="mark" x="{_state_x(at, end_s):.1f}" y="{height - 8}" '
        f'text-anchor="middle">{text}</text>'
        for at, text in _time_marks(end_s)[:-1]
    ]
    title = "States of breakers"
    if len(by_breaker) > len(shown):
        title += f", {len(shown)} of {len(by_breaker)}"
    return Figure(title, [], "\n".join([*parts, "</svg>"]))


def _state_row(top: int, breaker: str, changes: Sequence[BreakerChange], end_s: float) -> list[str]:
    parts = [f'<text class="mark" x="0" y="{top + 17}">{marked_up(breaker[:26])}</text>']
    ends = [*(change.at_s for change in changes[1:]), end_s]
    for change, until_s in zip(changes, ends, strict=True):
        start = _state_x(change.at_s, end_s)
        style = change.state if change.state in _STATES else "other"
        told = f"{breaker}: {change.state} at {seconds_text(change.at_s)} {change.reason}"
        width = max(1.0, _state_x(until_s, end_s) - start)
        parts.append(
            f'<rect class="state {style}" x="{start:.1f}" y="{top + 4}" height="{_ROW_HEIGHT - 8}" '
            f'width="{width:.1f}"><title>{marked_up(told)}</title></rect>'
        )
    return parts


def _state_x(at_s: float, end_s: float) -> float:
    return _NAME_WIDTH + min(at_s, end_s) / end_s * (WIDTH - _NAME_WIDTH)
