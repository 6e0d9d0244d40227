"""The report as one HTML page: no script, nothing from another host, charts as SVG within it.

What comes from the target, such as the text of an error, is escaped, and the page forbids itself to load or
run anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sprint.core.loadtest.compare import Comparison
from sprint.core.loadtest.report import Report
from sprint.core.report_page import marked_up, page, section, tiles
from sprint.tools.loadtest.reports.figures import share_text, time_text
from sprint.tools.loadtest.reports.html_style import STYLE
from sprint.tools.loadtest.reports.report_charts import Figure, figures_of
from sprint.tools.loadtest.reports.tables import Table, asked_text, badges, tables_of

_STYLE_OF_CELL = {"met": "good", "NOT MET": "bad", "better": "good", "worse": "bad"}


def html_of(report: Report, comparison: Comparison | None = None) -> str:
    """Return the page."""
    title = f"Load test of {report.asked.target or 'a simulated service, in process'}"
    body = [
        f"<p>{marked_up(asked_text(report))}</p>",
        f'<p class="dim">{marked_up(_where(report))}</p>',
        _badges(report),
        *_told(report),
        tiles(_totals(report)),
        '<div class="charts">',
        *map(_figure, figures_of(report)),
        "</div>",
        '<div class="tables">',
        *map(_table, tables_of(report, comparison)),
        "</div>",
    ]
    return page(title, STYLE, body)


def _where(report: Report) -> str:
    where, processes = report.environment, report.asked.processes
    generators = f"{processes} generator processes" if processes > 1 else "1 generator process"
    return (
        f"{where.started_at} · sprint {where.sprint_version} · Python {where.python_version} · "
        f"{where.platform} · {where.cpus} CPUs · {generators}"
    )


def _badges(report: Report) -> str:
    spans = (
        f'<span class="badge {"good" if good else "bad"}">{marked_up(text)}</span>'
        for text, good in badges(report)
    )
    return f"<p>{''.join(spans)}</p>"


def _told(report: Report) -> list[str]:
    """Return what a reader must know before the figures."""
    check = report.generator
    parts = []
    if check.reasons:
        heading = "The generator was the limit." if check.limited else "Not all went as it was asked for."
        items = "".join(f"<li>{marked_up(reason)}</li>" for reason in check.reasons)
        kind = "told" if check.limited else "told note"
        parts.append(f'<div class="{kind}"><b>{heading}</b><ul>{items}</ul></div>')
    parts += [f'<div class="told note">{marked_up(note)}</div>' for note in report.notes]
    return parts


def _totals(report: Report) -> list[tuple[str, str]]:
    totals, response = report.totals, report.totals.response
    return [
        ("requests answered", f"{totals.answered:,}"),
        ("answered a second", f"{totals.rate_answered_per_s:,.1f}"),
        ("errors", share_text(totals.error_share)),
        ("response p50", time_text(response.ms_p50 if response else None)),
        ("response p99", time_text(response.ms_p99 if response else None)),
        ("response max", time_text(response.ms_max if response else None)),
    ]


def _figure(figure: Figure) -> str:
    legend = "".join(
        f'<span><i class="{style}"></i>{marked_up(name)}</span>' for name, style in figure.legend
    )
    return f"<figure><figcaption>{marked_up(figure.title)}{legend}</figcaption>{figure.svg}</figure>"


def _table(table: Table) -> str:
    head = "".join(
        f'<th class="text">{marked_up(name)}</th>' if at in table.texts else f"<th>{marked_up(name)}</th>"
        for at, name in enumerate(table.columns)
    )
    rows = "".join(f"<tr>{_cells(row, table.texts)}</tr>" for row in table.rows)
    return section(table.title, table.note, head, rows)


def _cells(row: Sequence[str], texts: Iterable[int]) -> str:
    return "".join(
        f'<td class="text {_STYLE_OF_CELL.get(cell, "")}">{marked_up(cell)}</td>'
        if at in texts
        else f"<td>{marked_up(cell)}</td>"
        for at, cell in enumerate(row)
    )
