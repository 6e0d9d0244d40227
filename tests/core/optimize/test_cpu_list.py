"""Lists of CPUs: what is written is what is read, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import WireError
from sprint.core.optimize.cpu_list import NUMBER_MAX, format_cpu_list, parse_cpu_list

CPUS = st.sets(st.integers(0, NUMBER_MAX), max_size=200)


@given(CPUS)
def test_a_written_list_is_read_as_it_was(cpus: set[int]) -> None:
    assert parse_cpu_list(format_cpu_list(tuple(cpus))) == tuple(sorted(cpus))


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("", ()),
        ("0\n", (0,)),
        ("0-3,8,10-11\n", (0, 1, 2, 3, 8, 10, 11)),
        # cpuset(7): of each group of 4 the first 2.
        ("0-7:2/4", (0, 1, 4, 5)),
        ("8191", (8191,)),
    ],
)
def test_lists_as_the_kernel_writes_them(text: str, cpus: tuple[int, ...]) -> None:
    assert parse_cpu_list(text) == cpus


@pytest.mark.parametrize("text", ["x", "3-1", "-1", "0-8192", "1-2:0/4", "1-2:5/4", "1;2", "0" * 70_000])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        parse_cpu_list(text)


@given(st.text())
def test_any_text_is_a_list_or_refused(text: str) -> None:
    try:
        found = parse_cpu_list(text)
    except WireError:
        return
    assert all(0 <= cpu <= NUMBER_MAX for cpu in found)
