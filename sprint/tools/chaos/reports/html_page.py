"""The result as one HTML page: no script, nothing from another host, the timeline as SVG within it.

What comes from a relay, such as a reason, is escaped, and the page forbids itself to load or run anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.chaos.result import Result
from sprint.tools.chaos.reports.figures import marked_up, seconds_text
from sprint.tools.chaos.reports.html_style import STYLE
from sprint.tools.chaos.reports.html_timeline import timeline_html
from sprint.tools.chaos.reports.short_names import chains_text, short_names
from sprint.tools.chaos.reports.tables import Table, headline, points_text, tables_of, title_text

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
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
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{marked_up(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>{marked_up(title)}</h1>",
        f'<div class="told{"" if good else " bad"}">{marked_up(text)}</div>',
        f"<p>{marked_up(title_text(result))}</p>",
        f'<p class="dim">{marked_up(_where(result))}</p>',
        _tiles(result),
        timeline_html(result.timeline, short_names(result)),
        *map(_table, tables_of(result)),
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _where(result: Result) -> str:
    where = result.environment
    target = "an embedded relay" if result.target.embedded else result.target.admin_url
    chains = chains_text(result)
    target += f": {chains}" if chains else ""
    return (
        f"{where.started_at} · {target} · run {result.run} · sprint {where.sprint_version} · "
        f"Python {where.python_version} · {where.platform}"
    )


def _tiles(result: Result) -> str:
    tiles = [("score", points_text(result))]
    if result.facts is not None:
        back, stream = result.facts.recovery, result.facts.stream
        tiles += [
            ("steady again after", seconds_text(back.steady_after_s)),
            ("breakers closed after", seconds_text(back.breakers_closed_after_s)),
            ("blocks lost", str(stream.lost + stream.missing)),
            ("blocks twice", str(stream.twice)),
            ("false opens", str(len(result.facts.false_opens))),
        ]
    cells = (
        f'<div class="tile"><span class="dim">{name}</span><b>{marked_up(value)}</b></div>'
        for name, value in tiles
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{marked_up(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{_cells(row, table.columns)}</tr>" for row in table.rows)
    note = f'<p class="dim">{marked_up(table.note)}</p>' if table.note else ""
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<section><h2>{marked_up(table.title)}</h2>{note}<div class="wide">{body}</div></section>'


def _cells(row: Sequence[str], columns: Sequence[str]) -> str:
    return "".join(
        f'<td class="{_STYLE_OF_CELL.get(cell, "")}" data-name="{marked_up(name)}">{marked_up(cell)}</td>'
        for cell, name in zip(row, columns, strict=True)
    )
