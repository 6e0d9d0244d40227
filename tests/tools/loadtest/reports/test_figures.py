"""Figures as text: three digits and the right unit, never a power of ten."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.tools.loadtest.reports.figures import (
    bytes_text,
    digits_text,
    limit_text,
    seconds_text,
    share_text,
    time_text,
)

SCALES = {"ns": 1e-6, "µs": 1e-3, "ms": 1.0, "s": 1e3}


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (None, "-"), (0, "0 ns"), (0.000_035, "35 ns"), (0.000_9996, "1.00 µs"), (0.42, "420 µs"),
        (0.9996, "1.00 ms"), (1.5, "1.50 ms"), (12.34, "12.3 ms"), (999.4, "999 ms"), (999.6, "1.00 s"),
        (61_000, "61.0 s"), (3_600_000, "3,600 s"),
    ],
)  # fmt: skip
def test_a_time_has_the_unit_that_fits(value_ms: float | None, text: str) -> None:
    assert time_text(value_ms) == text


@given(st.floats(1e-6, 3.6e6))
def test_a_time_is_read_back_within_its_digits(value_ms: float) -> None:
    number, unit = time_text(value_ms).split()
    read = float(number.replace(",", "")) * SCALES[unit]
    # A nanosecond is the least that is measured, and has no digits behind its point.
    assert read == pytest.approx(value_ms, rel=0.0051, abs=0.51e-6)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "-"), (0, "0 %"), (1e-9, "< 0.001%"), (0.000_1, "0.01 %"), (0.0105, "1.05 %"), (0.5, "50 %"),
        (0.989_53, "98.953 %"), (0.999_999, "> 99.999%"), (1.0, "100 %"),
    ],
)  # fmt: skip
def test_a_share_is_never_shown_as_nothing_or_all_where_it_is_not(share: float | None, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (15_200_000, "15.2 MB"), (3e15, "3,000 TB")],
)
def test_bytes_have_their_unit(count: float, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("value_s", "text"),
    [
        (0, "0 s"),
        (12.5, "12.5 s"),
        (60, "1 min"),
        (330, "5 min 30 s"),
        (7_500, "2 h 5 min"),
        (86_400, "24 h"),
    ],
)
def test_seconds_are_told_in_what_a_clock_has(value_s: float, text: str) -> None:
    assert seconds_text(value_s) == text


@given(st.floats(0.01, 1e12))
def test_numbers_have_no_power_of_ten(value: float) -> None:
    assert re.fullmatch(r"[\d,]+(\.\d+)?", digits_text(value))


def test_the_value_of_a_threshold_has_its_unit() -> None:
    units = ("ms", "share", "per_s", "count")
    assert [limit_text(5, unit) for unit in units] == ["5.00 ms", "500 %", "5.00/s", "5"]
    assert limit_text(None, "ms") == "-"
