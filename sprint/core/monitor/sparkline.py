"""Figures over time as one line of text: bars of eight heights, or ASCII letters instead."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*%#"
# Where there is no figure: a gap must not look like a zero.
GAP = " "
_FULL = "█"
_PARTS = " ▏▎▍▌▋▊▉"


def sparkline(
    values: Sequence[float | None], width: int, *, greatest: float | None = None, ascii_only: bool = False
) -> str:
    """Return the newest `width` values as bars, newest last, filled with gaps on the left.

    `greatest` is the value of the highest bar; without it the greatest of the values is. A value above it has
    the highest bar, None and what is no number a gap, zero and below the lowest.
    """
    bars = ASCII_BARS if ascii_only else BARS
    shown = list(values[max(0, len(values) - width) :]) if width > 0 else []
    numbers = [value for value in shown if value is not None and math.isfinite(value)]
    top = greatest if greatest is not None else max(numbers, default=0.0)
    drawn = [_bar(value, top, bars) for value in shown]
    return "".join(drawn).rjust(max(0, width), GAP)


def _bar(value: float | None, top: float, bars: str) -> str:
    if value is None or not math.isfinite(value):
        return GAP
    if top <= 0 or value <= 0:
        return bars[0]
    return bars[min(len(bars) - 1, math.ceil(value / top * (len(bars) - 1)))]


def bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """Return a horizontal bar of `share`, 0 to 1, `width` letters wide; a share above 0 is always seen."""
    filled = min(1.0, max(0.0, share)) * width if math.isfinite(share) else 0.0
    if ascii_only:
        whole = round(filled) or int(filled > 0)
        return ("#" * whole).ljust(width, ".")
    whole = int(filled)
    part = _PARTS[int((filled - whole) * len(_PARTS))] if whole < width else ""
    if not whole and filled > 0 and part == GAP:
        part = _PARTS[1]
    return (_FULL * whole + part).ljust(width)
