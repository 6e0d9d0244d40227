"""Charts as SVG that stands in an HTML page: no script, colours by class, so that a page's style rules them.

A chart is 720 by 260 units and scales with the page. Each column has a title that a browser shows under the
pointer; the texts are part of the picture, so that it reads without.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from sprint.core.report_page import marked_up

COLUMNS_MAX = 360
WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 12, 12, 34
_TICKS = 5
_LEAST = 1e-6  # a nanosecond in ms: less is drawn as nothing
# From this ratio of greatest to least on, a logarithmic axis shows more than an even one.
_LOG_FROM_RATIO = 50.0
# Marks are round numbers: naughts behind their point say nothing.
_NAUGHTS = re.compile(r"\.0+(?!\d)")


class Line(NamedTuple):
    """A line of a chart: its name, the class that colours it, and a value or None for each x."""

    name: str
    style: str
    values: Sequence[float | None]


class Axis(NamedTuple):
    """How values become a place from 0 to 1, and which values are marked."""

    place: Callable[[float], float]
    marks: Sequence[float]


class Chart(NamedTuple):
    """What a chart shows. `x_marks` are values of x with their texts."""

    title: str
    x: Sequence[float]
    lines: Sequence[Line]
    x_marks: Sequence[tuple[float, str]]
    y_text: Callable[[float], str]
    x_text: Callable[[float], str]
    logarithmic: bool = False


def svg_of(chart: Chart) -> str:
    """Return a chart as an SVG element; a sentence instead where there is nothing to draw."""
    values = [value for line in chart.lines for value in line.values if value is not None]
    if not values or not chart.x:
        return f'<p class="empty">{marked_up(chart.title)}: nothing was recorded.</p>'
    axis = value_axis(values, logarithmic=chart.logarithmic)
    across = _across(chart.x)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{marked_up(chart.title)}">',
        *_grid(chart, axis, across),
        *(_path(line, chart.x, axis, across) for line in chart.lines),
        *_columns(chart, across),
        "</svg>",
    ]
    return "\n".join(parts)


def value_axis(values: Sequence[float], *, logarithmic: bool) -> Axis:
    """Return an even axis from 0 on, or one by powers of ten where the values span enough for it."""
    greatest = max(*values, _LEAST)
    positive = [value for value in values if value >= _LEAST]
    if logarithmic and positive and greatest / min(positive) >= _LOG_FROM_RATIO:
        low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(greatest))

        def by_power(value: float) -> float:
            return (math.log10(max(value, 10.0**low)) - low) / (high - low)

        return Axis(by_power, [10.0**power for power in range(low, high + 1)])
    step = _even_step(greatest / _TICKS)
    top = math.ceil(greatest / step - 1e-9) * step
    return Axis(lambda value: value / top, [step * n for n in range(round(top / step) + 1)])


def gathered(
    values: Sequence[float | None], pick: Callable[[Sequence[float]], float], columns: int = COLUMNS_MAX
) -> list[float | None]:
    """Return at most `columns` values, each picked from those that fall into it."""
    size = max(1, math.ceil(len(values) / columns))
    parts = (values[at : at + size] for at in range(0, len(values), size))
    known = ([value for value in part if value is not None] for part in parts)
    return [pick(part) if part else None for part in known]


def _even_step(least: float) -> float:
    """Return the first of 1, 2, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(part * power for part in (1, 2, 5, 10) if part * power >= least * (1 - 1e-9))


def _across(x: Sequence[float]) -> Callable[[float], float]:
    first, span = x[0], (x[-1] - x[0]) or 1.0
    return lambda value: _LEFT + (value - first) / span * (WIDTH - _LEFT - _RIGHT)


def _down(axis: Axis, value: float) -> float:
    return _TOP + (1 - axis.place(value)) * (HEIGHT - _TOP - _BOTTOM)


def _grid(chart: Chart, axis: Axis, across: Callable[[float], float]) -> list[str]:
    parts = []
    for mark in axis.marks:
        y = _down(axis, mark)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        text = marked_up(_NAUGHTS.sub("", chart.y_text(mark))) if mark else "0"
        parts.append(f'<text class="mark" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for value, text in chart.x_marks:
        parts.append(
            f'<text class="mark" x="{across(value):.1f}" y="{HEIGHT - 12}" '
            f'text-anchor="{_anchor(across(value))}">{marked_up(text)}</text>'
        )
    return parts


def _anchor(x: float) -> str:
    """Return how a text stands at its place, so that none is cut off at the right edge."""
    return "end" if x > WIDTH - 40 else "middle"


def _path(line: Line, x: Sequence[float], axis: Axis, across: Callable[[float], float]) -> str:
    """Return a line that is broken where values are missing; a value alone is a dot."""
    known = [value is not None for value in line.values]
    steps, dots = [], []
    for at, (place, value) in enumerate(zip(x, line.values, strict=True)):
        if value is None:
            continue
        before, after = at > 0 and known[at - 1], at + 1 < len(known) and known[at + 1]
        point = f"{across(place):.1f},{_down(axis, value):.1f}"
        steps.append(("L" if before else "M") + point)
        if not before and not after:
            left, _, top = point.partition(",")
            dots.append(f'<circle class="dot {line.style}" cx="{left}" cy="{top}" r="2.5"/>')
    return f'<path class="line {line.style}" d="{"".join(steps)}"/>' + "".join(dots)


def _columns(chart: Chart, across: Callable[[float], float]) -> list[str]:
    """Return a clear column for each x, with what its values are as the title under the pointer."""
    edges = [across(value) for value in chart.x]
    middles = [(before + after) / 2 for before, after in pairwise(edges)]
    starts, ends = [edges[0], *middles], [*middles, edges[-1]]
    parts = []
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        told = [chart.x_text(chart.x[at])]
        told += [
            f"{line.name}: {chart.y_text(value)}"
            for line in chart.lines
            if (value := line.values[at]) is not None
        ]
        title = "&#10;".join(map(marked_up, told))
        parts.append(
            f'<rect class="column" x="{start:.1f}" y="{_TOP}" width="{max(1.0, end - start):.1f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"><title>{title}</title></rect>'
        )
    return parts
