"""Bars of text: as wide as they should be, higher for more, and a gap is no zero."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.monitor.sparkline import ASCII_BARS, BARS, GAP, bar, sparkline

FIGURES = st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=40)


@given(values=FIGURES, width=st.integers(0, 60), ascii_only=st.booleans())
def test_a_sparkline_is_as_wide_as_asked_and_of_its_letters(
    *, values: list[float | None], width: int, ascii_only: bool
) -> None:
    drawn = sparkline(values, width, ascii_only=ascii_only)
    assert len(drawn) == width
    assert set(drawn) <= set(ASCII_BARS if ascii_only else BARS) | {GAP}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_a_greater_value_never_has_a_lower_bar(values: list[float]) -> None:
    drawn = sparkline(sorted(values), len(values), greatest=1.0)
    assert list(drawn) == sorted(drawn, key=BARS.index)


def test_the_newest_values_are_kept_and_stand_on_the_right() -> None:
    assert sparkline([1.0, 0.0, 1.0], 2, greatest=1.0) == BARS[0] + BARS[-1]
    assert sparkline([1.0], 3, greatest=1.0) == GAP * 2 + BARS[-1]


def test_a_gap_is_not_drawn_as_a_zero() -> None:
    assert sparkline([0.0, None, math.nan], 3, greatest=1.0) == BARS[0] + GAP * 2


def test_all_zero_lies_flat() -> None:
    assert sparkline([0.0, 0.0], 2) == BARS[0] * 2


@given(share=st.floats(), width=st.integers(1, 40), ascii_only=st.booleans())
def test_a_bar_is_as_wide_as_asked(*, share: float, width: int, ascii_only: bool) -> None:
    drawn = bar(share, width, ascii_only=ascii_only)
    assert len(drawn) == width
    assert drawn.isascii() or not ascii_only


@given(share=st.floats(1e-9, 1.0), width=st.integers(1, 40), ascii_only=st.booleans())
def test_a_share_above_nothing_is_seen(*, share: float, width: int, ascii_only: bool) -> None:
    assert bar(share, width, ascii_only=ascii_only) != bar(0.0, width, ascii_only=ascii_only)
