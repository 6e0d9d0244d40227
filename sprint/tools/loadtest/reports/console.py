"""The report on a terminal, wide or narrow, in colour or without; the same text goes into a file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from sprint.core.loadtest.compare import Comparison
from sprint.core.loadtest.report import Report
from sprint.core.report_page import harmless
from sprint.tools.loadtest.reports.charts import gathered
from sprint.tools.loadtest.reports.figures import digits_text, time_text
from sprint.tools.loadtest.reports.tables import Table, asked_text, badges, tables_of

WIDTH_OF_FILES = 100
# Under this width a table of more columns than rows is turned: its columns become rows.
_WIDE_FROM = 96
_BARS = "▁▂▃▄▅▆▇█"
_BARS_MAX = 60

_GOOD, _BAD, _DIM = "green", "bold red", "dim"
_STYLE_OF_CELL = {
    "met": _GOOD,
    "NOT MET": _BAD,
    "better": _GOOD,
    "worse": _BAD,
    "closed": _GOOD,
    "open": _BAD,
}


def print_report(report: Report, console: Console, comparison: Comparison | None = None) -> None:
    """Print a report. Colours, width and NO_COLOR are the console's."""
    target = report.asked.target or "a simulated service, in process"
    console.print(Text(harmless(f"Load test of {target}"), style="bold"))
    console.print(Text(harmless(asked_text(report))))
    console.print()
    _print_bars(report, console)
    for table in tables_of(report, comparison):
        _print_table(table, console)
    for text in _told(report):
        console.print(Text(harmless(text), style="yellow"))
    for text, good in badges(report):
        console.print(Text(text, style=_GOOD if good else _BAD))


def text_of(report: Report, comparison: Comparison | None = None, *, width: int = WIDTH_OF_FILES) -> str:
    """Return the report as text without colours, for a file."""
    console = Console(
        width=width, no_color=True, force_terminal=False, color_system=None, legacy_windows=False
    )
    with console.capture() as captured:
        print_report(report, console, comparison)
    return captured.get()


def bars_text(values: Sequence[float | None]) -> str:
    """Return values as a row of bars, at most `_BARS_MAX`, a space where there is none."""
    picked = gathered(values, max, _BARS_MAX)
    greatest = max((value for value in picked if value is not None), default=0.0)
    if not greatest:
        return ""
    steps = len(_BARS) - 1
    return "".join(" " if value is None else _BARS[round(value / greatest * steps)] for value in picked)


def _print_bars(report: Report, console: Console) -> None:
    """Print how the rate and P99 went over time, with the greatest of each."""
    rows = (
        ("successes/s", [point.successes / point.width_s for point in report.points], digits_text),
        ("response p99", [point.response_ms_p99 for point in report.points], time_text),
    )
    for name, values, text_of_value in rows:
        known = [value for value in values if value is not None]
        if known and any(known):
            text = Text(f"{name:13}", style=_DIM)
            text.append(bars_text(values), style="cyan")
            text.append(f" up to {text_of_value(max(known))}", style=_DIM)
            console.print(text, no_wrap=True, overflow="crop")
    console.print()


def _print_table(table: Table, console: Console) -> None:
    if not table.texts and len(table.columns) > len(table.rows) + 1 and console.width < _WIDE_FROM:
        table = _turned(table)
    drawn = RichTable(title=Text(harmless(table.title), style="bold"), title_justify="left", box=None)
    for at, name in enumerate(table.columns):
        words = at == 0 or at in table.texts
        drawn.add_column(Text(name, style=_DIM), justify="left" if words else "right", overflow="fold")
    for row in table.rows:
        cells = (Text(harmless(cell), style=_STYLE_OF_CELL.get(cell, "")) for cell in row)
        drawn.add_row(*cells)
    console.print(drawn)
    if table.note:
        console.print(Text(harmless(table.note), style=_DIM))
    console.print()


def _turned(table: Table) -> Table:
    """Return a table whose rows are the columns of another."""
    columns = [table.columns[0], *(row[0] for row in table.rows)]
    rows = [[name, *(row[at] for row in table.rows)] for at, name in enumerate(table.columns) if at > 0]
    return table._replace(columns=columns, rows=rows, texts=())


def _told(report: Report) -> list[str]:
    check = report.generator
    told = list(report.notes)
    if check.reasons:
        heading = "The generator was the limit" if check.limited else "Not all went as asked for"
        told += [f"{heading}: {reason}." for reason in check.reasons]
    return told
