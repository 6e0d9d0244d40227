"""A load test while it runs, on a terminal of 80 columns and 24 lines: drawn on stderr, gone at the end.

Twice a second: the rates asked for and achieved, what is in flight, percentiles, how response times are
distributed, errors, and the states of breakers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from sprint.core.duration import duration_text
from sprint.core.loadtest.plan import Plan
from sprint.core.loadtest.recording import Latency
from sprint.tools import runtime
from sprint.tools.loadtest.load_test import Live, LoadTest

INTERVAL_S = 0.5
WIDTH_MAX = 78
ERRORS_SHOWN = 3
STATES_SHOWN = 3
_BAR = "█"
_PARTS = " ▏▎▍▌▋▊▉"
_NOTHING = "-"
_STYLE_OF_STATE = {"closed": "green", "half_open": "yellow", "open": "bold red", "force_open": "bold red"}


@asynccontextmanager
async def shown_live(test: LoadTest, plan: Plan) -> AsyncIterator[None]:
    """Draw a test on stderr while within."""
    console = Console(stderr=True)
    with RichLive(
        Text("starting"), console=console, auto_refresh=False, transient=True, redirect_stdout=False
    ) as drawn:

        async def draw() -> None:
            while True:
                live = test.live
                if live is not None:
                    drawn.update(picture(live, plan, console.width), refresh=True)
                await asyncio.sleep(INTERVAL_S)

        async with runtime.background(draw()):
            yield


def picture(live: Live, plan: Plan, columns: int) -> Group:
    """Return what is drawn: at most 23 lines, in so many columns."""
    width = min(columns - 1, WIDTH_MAX)
    parts: list[Text | Table] = [_progress(live, plan, width), _rates(live)]
    parts += [Text(), _percentiles(live), Text(), *_histogram(live.buckets, width)]
    if live.errors or live.states or live.connections:
        parts += [Text(), *_errors(live)]
    if live.states:
        parts.append(_states(live))
    if live.connections:
        parts.append(Text(f"connections  {live.connections:,}", style="dim"))
    return Group(*parts)


def _progress(live: Live, plan: Plan, width: int) -> Text:
    share = min(1.0, live.elapsed_s / plan.duration_s)
    label = f" {min(live.elapsed_s, plan.duration_s):,.0f} s of {duration_text(plan.duration_ns)}"
    room = max(10, width - len(label) - 12)
    done = round(share * room)
    return Text.assemble(
        ("cb-loadtest ", "bold"), (_BAR * done, "cyan"), ("·" * (room - done), "dim"), (label, "")
    )


def _rates(live: Live) -> Text:
    totals, newest = live.totals, live.newest
    now = "" if newest is None else f" ({newest.answered / newest.width_s:,.0f} now)"
    text = Text(
        f"rate  asked {live.asked_per_s:,.0f}/s  answered {live.answered_per_s:,.0f}/s{now}"
        f"  in flight {live.in_flight:,}\n"
        f"total {totals.answered:,}  ok {totals.successes:,}"
    )
    for name, count in (
        ("failed", totals.failures),
        ("429", totals.limited),
        ("rejected", totals.rejected),
        ("never sent", totals.never_sent),
    ):
        text.append(f"  {name} {count:,}", style="red" if count else "dim")
    return text


def _percentiles(live: Live) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("ms")
    for name in ("min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"):
        table.add_column(name, justify="right")
    table.add_row("response", *_cells(live.totals.response))
    table.add_row("service", *_cells(live.totals.service))
    error = live.totals.schedule_error
    table.add_row("lateness", *_cells(error), style="yellow" if error and error.ms_p99 > 1.0 else "dim")
    return table


def _cells(latency: Latency | None) -> list[str]:
    if latency is None:
        return [_NOTHING] * 8
    figures = (
        latency.ms_min, latency.ms_mean, latency.ms_p50, latency.ms_p90, latency.ms_p95, latency.ms_p99,
        latency.ms_p99_9, latency.ms_max,
    )  # fmt: skip
    return [f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}" for figure in figures]


def _histogram(buckets: Sequence[tuple[float, int]], width: int) -> list[Text]:
    """Return how many of a hundred responses took how long, in buckets that grow."""
    if not buckets:
        return [Text("no answers yet", style="dim")]
    most, whole = max(count for _, count in buckets), sum(count for _, count in buckets)
    room = max(10, width - 26)
    return [
        Text.assemble(f"to {edge_ms:>9.3g} ms {count / whole:>6.1%} ", (_bar(count / most * room), "cyan"))
        for edge_ms, count in buckets
    ]


def _bar(length: float) -> str:
    whole = int(length)
    rest = _PARTS[int((length - whole) * len(_PARTS))].strip()
    return _BAR * whole + rest


def _errors(live: Live) -> list[Text]:
    rows = [Text(f"{count:>10,}  {kind}", style="red") for kind, count in live.errors[:ERRORS_SHOWN]]
    more = len(live.errors) - ERRORS_SHOWN
    return [*rows, Text(f"            and {more} kinds more", style="dim")] if more > 0 else rows


def _states(live: Live) -> Text:
    text = Text("breakers", no_wrap=True, overflow="ellipsis")
    for name, state in list(live.states.items())[:STATES_SHOWN]:
        text.append(f"  {name} ")
        text.append(state, style=_STYLE_OF_STATE.get(state, "magenta"))
    more = len(live.states) - STATES_SHOWN
    text.append(f"  and {more} more" if more > 0 else "", style="dim")
    text.append(f"   {live.totals.state_changes:,} changes", style="dim")
    return text
