"""The tables of a report, the same on the console and in HTML: titles, columns and cells as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sprint.core.loadtest.compare import Comparison
from sprint.core.loadtest.faults import way_text
from sprint.core.loadtest.recording import Latency, Totals
from sprint.core.loadtest.report import NameCount, Report
from sprint.tools.loadtest.reports.figures import (
    NOTHING,
    bytes_text,
    limit_text,
    seconds_text,
    share_text,
    time_text,
)

CHANGES_SHOWN_MAX = 100

LATENCY_COLUMNS = ("min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")
_LATENCY_FIELDS = ("ms_min", "ms_mean", "ms_p50", "ms_p90", "ms_p95", "ms_p99", "ms_p99_9", "ms_max")

_COUNTED_FROM = {
    "schedule": "Response time counts from the moment a request was scheduled, service time from the moment "
    "it was sent. Both are of successes only.",
    "first_connection": "A delivery's time counts from when the first of a generator's connections had the "
    "same message: what fan-out costs beyond it, not how old the message was.",
}


class Table(NamedTuple):
    """A table; `texts` are the places of columns of words, which stand at the left, beside the first."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: tuple[int, ...] = ()
    note: str = ""


def tables_of(report: Report, comparison: Comparison | None = None) -> list[Table]:
    """Return the tables of a report, those that have rows."""
    tables = [
        _thresholds(report),
        _latencies(report),
        _requests(report.totals),
        _errors(report),
        Table("Limits that were named (429)", ("limit", "answers"), _counted(report.limits)),
        Table("Never sent", ("reason", "requests"), _counted(report.never_sent)),
        _faults(report),
        _changes(report),
    ]
    if comparison is not None:
        tables.append(_comparison(comparison))
    return [table for table in tables if table.rows]


def asked_text(report: Report) -> str:
    """Say in one line what was asked for."""
    asked = report.asked
    if asked.stages:
        shape = ", ".join(
            f"{stage.rate_per_s:,}/s for {seconds_text(stage.duration_s)}" for stage in asked.stages
        )
    elif report.latency_from == "first_connection":
        shape = f"WebSockets held for {seconds_text(asked.duration_s)}"
    else:
        shape = f"{asked.rate_per_s:,} requests/s for {seconds_text(asked.duration_s)}, {asked.pattern}"
    options = "".join(f", {name} {value}" for name, value in asked.options.items())
    scenario = "" if asked.scenario == "standard" else f", scenario {asked.scenario}"
    return shape + scenario + options


def badges(report: Report) -> list[tuple[str, bool]]:
    """Return the verdicts in a few words, and whether each is good."""
    found = []
    if report.thresholds:
        missed = sum(not result.met for result in report.thresholds)
        text = f"{missed} of {len(report.thresholds)} thresholds not met" if missed else "all thresholds met"
        if not report.generator.sent_the_load:
            text += ", but not under the load that was asked for"
        found.append((text, report.met))
    if report.interrupted:
        found.append((f"stopped after {seconds_text(report.totals.duration_s)}", False))
    if report.generator.limited:
        found.append(("the generator was the limit", False))
    elif report.totals.asked:
        found.append(("the generator was not the limit", True))
    return found


def _thresholds(report: Report) -> Table:
    rows = [
        (result.text, limit_text(result.actual, result.unit), "met" if result.met else "NOT MET")
        for result in report.thresholds
    ]
    return Table("Thresholds", ("threshold", "measured", "verdict"), rows, texts=(2,))


def _latencies(report: Report) -> Table:
    totals = report.totals
    kinds = (
        ("response", totals.response),
        ("service", totals.service),
        ("without success", totals.failed),
        ("wait for a worker", totals.worker_wait),
        ("schedule error", totals.schedule_error),
    )
    rows = [(name, *_latency_cells(latency)) for name, latency in kinds if latency is not None]
    return Table("Latency", ("", *LATENCY_COLUMNS), rows, note=_COUNTED_FROM[report.latency_from])


def _latency_cells(latency: Latency) -> list[str]:
    return [time_text(getattr(latency, field)) for field in _LATENCY_FIELDS]


def _requests(totals: Totals) -> Table:
    asked = totals.asked
    counts = (
        ("asked for", asked),
        ("begun", totals.begun),
        ("answered", totals.answered),
        ("successes", totals.successes),
        ("failures", totals.failures),
        ("refused by rate limit (429)", totals.limited),
        ("rejected by a breaker", totals.rejected),
        ("unanswered at the end", totals.unanswered),
        ("never sent", totals.never_sent),
    )
    per_s = 1 / totals.duration_s if totals.duration_s else 0.0
    rows = [
        (name, f"{count:,}", f"{count * per_s:,.1f}", share_text(count / asked if asked else None))
        for name, count in counts
    ]
    rows += [
        ("bytes received", bytes_text(totals.bytes_in), f"{bytes_text(totals.bytes_in * per_s)}/s", ""),
        ("bytes sent", bytes_text(totals.bytes_out), f"{bytes_text(totals.bytes_out * per_s)}/s", ""),
    ]
    if totals.state_changes:
        rows.append(("state changes of breakers", f"{totals.state_changes:,}", "", ""))
    return Table("Requests", ("", "count", "a second", "of those asked for"), rows)


def _errors(report: Report) -> Table:
    rows = [
        (row.kind, f"{row.count:,}", seconds_text(row.first_s), row.example or NOTHING)
        for row in report.errors
    ]
    return Table("Failures by kind", ("kind", "count", "first at", "for example"), rows, texts=(3,))


def _counted(names: Sequence[NameCount]) -> list[tuple[str, str]]:
    return [(row.name, f"{row.count:,}") for row in names]


def _changes(report: Report) -> Table:
    changes = report.breaker_changes
    rows = [
        (seconds_text(change.at_s), change.breaker, change.state, change.reason or NOTHING)
        for change in changes[:CHANGES_SHOWN_MAX]
    ]
    left = report.totals.state_changes - len(rows)
    note = f"{left:,} further changes are not shown." if left > 0 else ""
    return Table("Breakers", ("at", "breaker", "state", "reason"), rows, texts=(1, 2, 3), note=note)


def _faults(report: Report) -> Table:
    rows = [
        (
            fault.name,
            ", ".join(f"{name} {value:,}" for name, value in fault.figures.items()) or NOTHING,
            way_text(fault.direction),
            share_text(fault.share),
            f"{fault.connections_met:,}",
            f"{fault.connections_reset:,}",
            f"{fault.connections_closed:,}",
            bytes_text(fault.bytes_delayed),
            bytes_text(fault.bytes_dropped),
        )
        for fault in report.faults
    ]
    columns = ("", "figures", "way", "share", "met", "reset", "closed", "delayed", "dropped")
    note = "Connections that met a fault, were reset and closed by it; bytes that it delayed and dropped."
    return Table("Faults on the way", columns, rows, note=note)


def _comparison(comparison: Comparison) -> Table:
    rows = [
        (
            row.name,
            limit_text(row.earlier, row.unit),
            limit_text(row.now, row.unit),
            NOTHING if row.ratio is None else f"{row.ratio:.3f}",
            NOTHING if row.noise is None else f"± {row.noise:.1%}",
            row.change,
        )
        for row in comparison.rows
    ]
    note = "; ".join(comparison.differences)
    if note:
        note = f"What differs: {note}."
    title = f"Beside the run of {comparison.earlier_started_at}"
    return Table(title, ("", "earlier", "now", "ratio", "noise", "change"), rows, texts=(5,), note=note)
