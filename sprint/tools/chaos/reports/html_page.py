"""The result as one HTML page: no script, nothing from another host, the timeline as SVG within it.

What comes from a relay, such as a reason, is escaped, and the page forbids itself to load or run anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.chaos.result import Result
from sprint.core.report_page import marked_up, page, section, tiles
from sprint.tools.chaos.reports.figures import seconds_text
from sprint.tools.chaos.reports.html_style import STYLE
from sprint.tools.chaos.reports.html_timeline import timeline_html
from sprint.tools.chaos.reports.short_names import chains_text, short_names
from sprint.tools.chaos.reports.tables import Table, headline, points_text, tables_of, title_text

_STYLE_OF_CELL = {
    "met": "good",
    "gone": "good",
    "equal": "good",
    "NOT MET": "bad",
    "STILL ON": "bad",
    "MORE": "bad",
}


def html_of(result: Result) -> str:
    """Return the page."""
    title = f"Chaos: {result.experiment}"
    text, good = headline(result)
    told = f'<div class="told{"" if good else " bad"}">{marked_up(text)}</div>'
    body = [
        told,
        f"<p>{marked_up(title_text(result))}</p>",
        f'<p class="dim">{marked_up(_where(result))}</p>',
        tiles(_figures(result)),
        timeline_html(result.timeline, short_names(result)),
        *map(_table, tables_of(result)),
    ]
    return page(title, STYLE, body)


def _where(result: Result) -> str:
    where = result.environment
    target = "an embedded relay" if result.target.embedded else result.target.admin_url
    chains = chains_text(result)
    target += f": {chains}" if chains else ""
    return (
        f"{where.started_at} · {target} · run {result.run} · sprint {where.sprint_version} · "
        f"Python {where.python_version} · {where.platform}"
    )


def _figures(result: Result) -> list[tuple[str, str]]:
    figures = [("score", points_text(result))]
    if result.facts is not None:
        back, stream = result.facts.recovery, result.facts.stream
        figures += [
            ("steady again after", seconds_text(back.steady_after_s)),
            ("breakers closed after", seconds_text(back.breakers_closed_after_s)),
            ("blocks lost", str(stream.lost + stream.missing)),
            ("blocks twice", str(stream.twice)),
            ("false opens", str(len(result.facts.false_opens))),
        ]
    return figures


def _table(table: Table) -> str:
    head = "".join(f"<th>{marked_up(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{_cells(row, table.columns)}</tr>" for row in table.rows)
    return section(table.title, table.note, head, rows)


def _cells(row: Sequence[str], columns: Sequence[str]) -> str:
    return "".join(
        f'<td class="{_STYLE_OF_CELL.get(cell, "")}" data-name="{marked_up(name)}">{marked_up(cell)}</td>'
        for cell, name in zip(row, columns, strict=True)
    )
