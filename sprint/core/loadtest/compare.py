"""A run beside an earlier one: what got better or worse by more than the noise of both.

The noise of a rate or a percentile is estimated from the run itself: the figure's spread from second to
second (median absolute deviation), as the error of a median over so many seconds. That takes seconds for
independent, which they are not quite, so nothing under `CHANGE_SHARE_MIN` is called a change, whatever the
estimate. The noise of a share is that of counting. The greatest and P99.9 are shown and not judged: a handful
of requests decides them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from sprint.core.loadtest.recording import Latency, Totals
from sprint.core.loadtest.report import Report

Change = Literal["better", "worse", "same", "not judged"]

CHANGE_SHARE_MIN = 0.05
# Three standard errors: in one of some 370 comparisons chance alone passes it.
STANDARD_ERRORS = 3.0
POINTS_MIN = 5  # fewer say nothing of the noise, so nothing is judged

NOT_ASKED = "not given"

_OF_NORMAL = 1.4826  # standard deviation for a median absolute deviation
_OF_MEDIAN = 1.2533  # standard error of a median for that of a mean


class _Figure(NamedTuple):
    """Where a latency stands in the totals, and which figure of the points tells its noise, if any."""

    name: str
    group: str
    figure: str
    column: str = ""


_LATENCIES = (
    _Figure("response p50", "response", "ms_p50", "response_ms_p50"),
    _Figure("response p90", "response", "ms_p90", "response_ms_p90"),
    _Figure("response p95", "response", "ms_p95", "response_ms_p95"),
    _Figure("response p99", "response", "ms_p99", "response_ms_p99"),
    _Figure("response p99.9", "response", "ms_p99_9"),
    _Figure("response max", "response", "ms_max"),
    _Figure("response mean", "response", "ms_mean", "response_ms_mean"),
    _Figure("service p50", "service", "ms_p50", "service_ms_p50"),
    _Figure("service p99", "service", "ms_p99", "service_ms_p99"),
)


class ComparedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both runs; `ratio` is now to earlier, `noise` the share that chance could explain."""

    name: str
    unit: Literal["ms", "per_s", "share"]
    earlier: float | None
    now: float | None
    ratio: float | None
    noise: float | None
    change: Change


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A run beside an earlier one. `differences` say what was asked otherwise: then ratios tell little."""

    earlier_started_at: str
    differences: tuple[str, ...]
    rows: tuple[ComparedRow, ...]

    @property
    def worse(self) -> tuple[str, ...]:
        """The figures that got worse beyond the noise."""
        return tuple(row.name for row in self.rows if row.change == "worse")


def compare(earlier: Report, now: Report) -> Comparison:
    """Hold a run against an earlier one."""
    rows = [_rate_row(earlier, now), _error_row(earlier.totals, now.totals)]
    rows += [_latency_row(earlier, now, figure) for figure in _LATENCIES]
    return Comparison(
        earlier_started_at=earlier.environment.started_at,
        differences=_differences(earlier, now),
        rows=tuple(rows),
    )


def _rate_row(earlier: Report, now: Report) -> ComparedRow:
    figures = (earlier.totals.rate_success_per_s, now.totals.rate_success_per_s)
    noise = None
    # In a ramp the rate's change is asked for: only what is asked evenly tells noise.
    if earlier.asked.pattern == now.asked.pattern == "sustained":
        noise = _noise(_series(earlier, "successes"), _series(now, "successes"))
    return _row("successes", "per_s", figures, noise, less_is_better=False)


def _error_row(earlier: Totals, now: Totals) -> ComparedRow:
    """Compare shares of errors: the noise is that of the difference of two counted shares."""
    before, after = earlier.error_share, now.error_share
    counts = [total.answered + total.unanswered for total in (earlier, now)]
    if not all(counts):
        return _row("error share", "share", (before, after), None)
    pooled = (before * counts[0] + after * counts[1]) / sum(counts)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1]))
    noise = STANDARD_ERRORS * deviation / before if before else None
    change: Change = "same"
    if abs(after - before) > max(STANDARD_ERRORS * deviation, CHANGE_SHARE_MIN * before):
        change = "worse" if after > before else "better"
    ratio = after / before if before else None
    return ComparedRow(
        name="error share", unit="share", earlier=before, now=after, ratio=ratio, noise=noise, change=change
    )


def _latency_row(earlier: Report, now: Report, figure: _Figure) -> ComparedRow:
    before, after = (_latency(report, figure) for report in (earlier, now))
    noise = None
    if figure.column:
        noise = _noise(_series(earlier, figure.column), _series(now, figure.column))
    return _row(figure.name, "ms", (before, after), noise)


def _latency(report: Report, figure: _Figure) -> float | None:
    latency: Latency | None = getattr(report.totals, figure.group)
    return None if latency is None else float(getattr(latency, figure.figure))


def _row(
    name: str,
    unit: Literal["ms", "per_s", "share"],
    figures: tuple[float | None, float | None],
    noise: float | None,
    *,
    less_is_better: bool = True,
) -> ComparedRow:
    before, after = figures
    ratio = after / before if before and after is not None else None
    change: Change = "not judged"
    if ratio is not None and noise is not None:
        change = "same"
        if abs(ratio - 1) > max(noise, CHANGE_SHARE_MIN):
            change = "better" if (ratio < 1) == less_is_better else "worse"
    return ComparedRow(
        name=name, unit=unit, earlier=before, now=after, ratio=ratio, noise=noise, change=change
    )


def _series(report: Report, column: str) -> list[float]:
    """Return a figure of each whole second, without the first, which opens connections, and the last."""
    values = [getattr(point, column) for point in report.points[1:-1]]
    return [float(value) for value in values if value is not None]


def _noise(earlier: Sequence[float], now: Sequence[float]) -> float | None:
    """Return the share by which two medians differ by chance; None where too little is known."""
    if min(len(earlier), len(now)) < POINTS_MIN or not median(earlier):
        return None
    return STANDARD_ERRORS * math.hypot(_error(earlier), _error(now)) / median(earlier)


def _error(values: Sequence[float]) -> float:
    middle = median(values)
    deviation = _OF_NORMAL * median(abs(value - middle) for value in values)
    return _OF_MEDIAN * deviation / math.sqrt(len(values))


def _asked(report: Report) -> dict[str, str]:
    """Return what shapes a run, by name, in words."""
    asked, where = report.asked, report.environment
    stages = ", ".join(f"{stage.rate_per_s}/s for {stage.duration_s:g} s" for stage in asked.stages)
    return {
        "target": asked.target or "in process",
        "rate": f"{asked.rate_per_s}/s",
        "duration": f"{asked.duration_s:g} s",
        "pattern": asked.pattern,
        "scenario": asked.scenario,
        **({"stages": stages} if stages else {}),
        "workers": str(asked.workers),
        "processes": str(asked.processes),
        **asked.options,
        "platform": where.platform,
        "cpus": str(where.cpus),
        "Python": where.python_version,
        "sprint": where.sprint_version,
    }


def _differences(earlier: Report, now: Report) -> tuple[str, ...]:
    before, after = _asked(earlier), _asked(now)
    found = [
        f"{name}: {before.get(name, NOT_ASKED)} earlier, {after.get(name, NOT_ASKED)} now"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]
    found += [
        f"the {which} run was interrupted"
        for which, report in (("earlier", earlier), ("present", now))
        if report.interrupted
    ]
    found += [
        f"in the {which} run the generator was the limit"
        for which, report in (("earlier", earlier), ("present", now))
        if report.generator.limited
    ]
    return tuple(found)
