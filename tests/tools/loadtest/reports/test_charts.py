"""Charts: axes that hold all values with round marks, lines broken at gaps, columns that can be seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.tools.loadtest.reports.charts import (
    COLUMNS_MAX,
    Chart,
    Line,
    gathered,
    svg_of,
    value_axis,
)


def chart(values: list[float | None]) -> str:
    x = [float(at) for at in range(len(values))]
    return svg_of(Chart("a <title>", x, [Line("one", "one", values)], [], str, str))


@given(values=st.lists(st.floats(0, 1e9), min_size=1, max_size=20), logarithmic=st.booleans())
def test_every_value_has_its_place_on_the_axis(values: list[float], *, logarithmic: bool) -> None:
    axis = value_axis(values, logarithmic=logarithmic)
    for value in values:
        assert -1e-9 <= axis.place(value) <= 1 + 1e-9
    assert list(axis.marks) == sorted(axis.marks)
    assert 2 <= len(axis.marks) <= 20


@pytest.mark.parametrize(
    ("greatest", "marks"), [(1_000, [0, 200, 400, 600, 800, 1_000]), (7, [0, 2, 4, 6, 8])]
)
def test_marks_are_round(greatest: float, marks: list[float]) -> None:
    assert list(value_axis([greatest], logarithmic=False).marks) == marks


def test_powers_of_ten_are_for_values_that_span_enough() -> None:
    assert list(value_axis([0.5, 90.0], logarithmic=True).marks) == pytest.approx([0.1, 1, 10, 100])
    assert value_axis([10.0, 90.0], logarithmic=True).marks[0] == 0


def test_a_line_is_broken_where_values_are_missing_and_a_lone_value_is_a_dot() -> None:
    svg = chart([1.0, 2.0, None, 3.0, None])
    assert svg.count("M") == 2
    assert svg.count("<circle") == 1
    assert "a &lt;title&gt;" in svg


def test_nothing_to_draw_is_said() -> None:
    assert "nothing was recorded" in chart([None, None])
    assert "nothing was recorded" in chart([])


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=2_000))
def test_columns_are_bounded_and_no_peak_is_hidden(values: list[float | None]) -> None:
    found = gathered(values, max)
    assert len(found) <= COLUMNS_MAX
    known = [value for value in values if value is not None]
    assert max((value for value in found if value is not None), default=None) == max(known, default=None)
