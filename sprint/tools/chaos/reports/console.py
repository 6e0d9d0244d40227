"""The result on a terminal, wide or narrow, in colour or without; the same text goes into a file."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from sprint.core.chaos.result import Result
from sprint.core.chaos.timeline import Lane, Timeline
from sprint.core.report_page import harmless
from sprint.tools.chaos.reports.figures import NOTHING, lane_name, seconds_text
from sprint.tools.chaos.reports.short_names import chains_text, short_names
from sprint.tools.chaos.reports.tables import Table, headline, points_text, tables_of, title_text

WIDTH_OF_FILES = 80
# Of what a verdict rests on, where it stands among others.
SUMMARY_LENGTH_MAX = 140
LANES_SHOWN_MAX = 24
_NAME_WIDTH = 26
_GOOD, _BAD, _DIM = "green", "bold red", "dim"
_STYLE_OF_CELL = {
    "met": _GOOD,
    "gone": _GOOD,
    "equal": _GOOD,
    "NOT MET": _BAD,
    "STILL ON": _BAD,
    "MORE": _BAD,
}
# A state as one sign; ASCII, as a terminal may have nothing else.
SIGNS = {
    "on": "#", "ok": ".", "ready": ".", "closed": ".", "force_close": "c", "degraded": "d", "failing": "F",
    "open": "O", "half_open": "h", "force_open": "X", "waiting": "w", "connecting": "-", "syncing": "s",
    "blocked": "B", "paused": "p", "no answer": "!",
}  # fmt: skip
_OTHER = "?"


def print_result(result: Result, console: Console) -> None:
    """Print a result. Colours, width and NO_COLOR are the console's."""
    _print_verdict(result, console)
    _print(console, title_text(result), "")
    _print(console, where_text(result), _DIM)
    console.print()
    _print_timeline(result, console)
    tables = tables_of(result)
    for table in tables:
        _print_table(table, console)
    if tables:
        _print_verdict(result, console)


def where_text(result: Result) -> str:
    """Say whom the faults were put on: the relay, its chains and their sources."""
    where = "an embedded relay" if result.target.embedded else result.target.admin_url
    chains = chains_text(result)
    return f"on {where}{f': {chains}' if chains else ''}; run {result.run}"


def _print_verdict(result: Result, console: Console) -> None:
    """Print what it comes to: first, for who reads on, and last, where a terminal has scrolled to."""
    text, good = headline(result)
    points = points_text(result)
    score = "" if points == NOTHING else f", score {points}"
    _print(console, f"{result.experiment}{score}", "bold")
    _print(console, text, _GOOD if good else _BAD)


def print_summary(results: Sequence[Result], console: Console) -> None:
    """Print what came of several, a line each."""
    rows = []
    for result in results:
        text, _ = headline(result)
        rows.append((result.experiment, points_text(result), shorten(text, SUMMARY_LENGTH_MAX)))
    _print_table(Table("All", ("experiment", "score", "verdict"), rows), console)


def text_of(result: Result, *, width: int = WIDTH_OF_FILES) -> str:
    """Return the result as text without colours, for a file."""
    console = Console(
        width=width, no_color=True, force_terminal=False, color_system=None, legacy_windows=False
    )
    with console.capture() as captured:
        print_result(result, console)
    return captured.get()


def lane_text(lane: Lane, timeline: Timeline, columns: int) -> str:
    """Return a lane as one sign a column: the last state of the time that it stands for."""
    width_s = (timeline.to_s - timeline.from_s) / columns or 1.0
    signs = []
    for column in range(columns):
        begin_s = timeline.from_s + column * width_s
        states = [
            span.state for span in lane.spans if span.from_s < begin_s + width_s and span.to_s > begin_s
        ]
        # What is not well is shown, be it ever so short.
        odd = [state for state in states if SIGNS.get(state, _OTHER) != "."]
        shown = odd[-1:] or states[-1:]
        signs.append(SIGNS.get(shown[0], _OTHER) if shown else " ")
    return "".join(signs)


def _print_timeline(result: Result, console: Console) -> None:
    timeline, short = result.timeline, short_names(result)
    if timeline.to_s <= timeline.from_s:
        return
    columns = max(console.width - _NAME_WIDTH - 2, 10)
    changed = [lane for lane in timeline.lanes if len(lane.spans) > 1 or lane.kind in {"fault", "health"}]
    for lane in changed[:LANES_SHOWN_MAX]:
        style = "red" if lane.kind == "fault" else ""
        text = Text()
        text.append(f"{_fitting(harmless(short(lane_name(lane)))):{_NAME_WIDTH}} ", style=_DIM)
        text.append(lane_text(lane, timeline, columns), style=style)
        console.print(text, no_wrap=True, overflow="crop")
    seen = {span.state for lane in changed for span in lane.spans}
    told = ", ".join(
        f"{SIGNS.get(state, _OTHER)} {state}" for state in sorted(seen) if SIGNS.get(state) != "."
    )
    _print(
        console, f"{seconds_text(timeline.to_s - timeline.from_s)} from left to right; . well, {told}", _DIM
    )
    console.print()


def _fitting(name: str) -> str:
    """Return a name with its middle left out where it is too long: its kind and its end tell what it is."""
    kind, _, rest = name.partition(" ")
    room = _NAME_WIDTH - len(kind) - 3
    return name if len(name) <= _NAME_WIDTH else f"{kind} ..{rest[-room:]}"


def _print_table(table: Table, console: Console) -> None:
    drawn = RichTable(
        title=Text(harmless(table.title), style="bold"),
        title_justify="left",
        box=None,
        show_header=any(table.columns),
    )
    for name in table.columns:
        drawn.add_column(Text(name, style=_DIM), overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(harmless(cell), style=_STYLE_OF_CELL.get(cell, "")) for cell in row))
    console.print(drawn)
    if table.note:
        _print(console, table.note, _DIM)
    console.print()


def _print(console: Console, text: str, style: str) -> None:
    console.print(Text(harmless(text), style=style))
