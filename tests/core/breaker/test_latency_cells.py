"""Cells of latencies: how close a cell is to what it holds, and that their percentiles are numpy's."""

from __future__ import annotations

import math
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.latency_cells import (
    CELL_ERROR_MAX,
    CELLS,
    LATENCY_S_MAX,
    LATENCY_S_MIN,
    cell_of,
    cell_percentile,
    count_each,
    empty_counts,
    latency_of,
    merged,
    percentile,
)

LATENCY_S = st.floats(LATENCY_S_MIN, LATENCY_S_MAX, exclude_max=True)


@given(LATENCY_S)
def test_a_cells_middle_is_close_to_all_that_it_holds(latency_s: float) -> None:
    assert latency_of(cell_of(latency_s)) == pytest.approx(latency_s, rel=CELL_ERROR_MAX)


@given(LATENCY_S, LATENCY_S)
def test_a_longer_latency_is_in_no_earlier_cell(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert cell_of(shorter) <= cell_of(longer)


def test_cells_are_numbered_from_the_least_to_the_greatest() -> None:
    assert cell_of(LATENCY_S_MIN) == 0
    assert cell_of(math.nextafter(LATENCY_S_MAX, 0.0)) == CELLS - 1
    assert [cell_of(latency_of(cell)) for cell in range(CELLS)] == list(range(CELLS))


@pytest.mark.parametrize("latency_s", [0.0, -1.0, -math.inf, math.nan, math.nextafter(LATENCY_S_MIN, 0.0)])
def test_what_is_no_latency_counts_as_the_least(latency_s: float) -> None:
    assert cell_of(latency_s) == 0


@pytest.mark.parametrize("latency_s", [LATENCY_S_MAX, 1e300, math.inf])
def test_what_is_beyond_the_greatest_counts_as_that(latency_s: float) -> None:
    assert cell_of(latency_s) == CELLS - 1


@given(st.lists(LATENCY_S | st.floats(), max_size=100))
def test_many_at_once_are_counted_as_one_by_one(latencies_s: list[float]) -> None:
    at_once, one_by_one = empty_counts(), empty_counts()
    count_each(at_once, latencies_s)
    for latency_s in latencies_s:
        one_by_one[cell_of(latency_s)] += 1
    assert at_once == one_by_one


@pytest.mark.parametrize(
    "latency_s",
    [LATENCY_S_MIN, math.nextafter(LATENCY_S_MIN, 0.0), LATENCY_S_MAX, math.nextafter(LATENCY_S_MAX, 0.0),
     0.0, -0.0, -1.0, math.inf, -math.inf, math.nan, -math.nan, 5e-324, 1e308],
)  # fmt: skip
def test_at_its_ends_many_at_once_are_counted_as_one(latency_s: float) -> None:
    counts = empty_counts()
    count_each(counts, [latency_s] * 3)
    assert counts[cell_of(latency_s)] == 3


@given(st.lists(LATENCY_S, min_size=1, max_size=200), st.floats(0.0, 1.0))
def test_percentiles_of_cells_are_numpys_of_their_middles(latencies_s: list[float], share: float) -> None:
    counts = empty_counts()
    count_each(counts, latencies_s)
    middles = [latency_of(cell_of(latency_s)) for latency_s in latencies_s]
    assert cell_percentile(counts, share) == pytest.approx(float(np.percentile(middles, 100 * share)))


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=200), st.floats(0.0, 1.0))
def test_percentiles_of_values_are_numpys(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(float(np.percentile(values, 100 * share)))


@pytest.mark.parametrize("share", [-0.001, 1.001, math.nan])
def test_a_share_beyond_all_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        percentile([1.0], share)


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None
    assert cell_percentile(empty_counts(), 0.5) is None
    assert merged([]) == empty_counts()


@given(st.lists(st.lists(st.integers(0, CELLS - 1), max_size=50), max_size=20))
def test_merged_counts_are_the_sums_of_their_cells(recorded: list[list[int]]) -> None:
    counts = []
    for cells in recorded:
        each = empty_counts()
        for cell in cells:
            each[cell] += 1
        counts.append(each)
    assert merged(counts) == array("I", [sum(each[cell] for each in counts) for cell in range(CELLS)])
