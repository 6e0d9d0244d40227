"""Durations are read as people write them, and refused by option, value and the forms there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.duration import duration_text, parse_duration_ns, parse_duration_s
from sprint.core.errors import ConfigError

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300s", 300),
        ("5m", 300),
        ("1h30m", 5_400),
        ("1.5s", 1.5),
        ("200ms", 0.2),
        ("7", 7),
        (" 2s ", 2),
        ("1h1s", 3_601),
    ],
)
def test_each_way_of_writing_it_is_read(text: str, seconds: float) -> None:
    assert parse_duration_ns(text) == round(seconds * SECOND_NS)


@pytest.mark.parametrize("text", ["", "s", "5x", "30m1h", "1h1h", "-5s", "٣s", "1e3s", "5 s", "9" * 13 + "s"])
def test_what_is_no_duration_is_refused_with_the_option_and_the_forms(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--every .*no duration; write it as 300s, 5m, 1h30m or 200ms"):
        parse_duration_ns(text, option="--every")


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_back_to_the_millisecond(milliseconds: int) -> None:
    assert parse_duration_ns(duration_text(milliseconds * 1_000_000)) == milliseconds * 1_000_000


def test_one_beyond_the_bounds_is_refused_with_both() -> None:
    assert parse_duration_s("1h", option="--duration", least_s=1, most_s=3_600) == 3_600
    for text in ("999ms", "3601s"):
        with pytest.raises(ConfigError, match="want 1 s to 3600 s"):
            parse_duration_s(text, option="--duration", least_s=1, most_s=3_600)
