"""The schedule: each request at its moment, exact after 24 hours, once over any number of processes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.plan import DURATION_NS_MAX, RATE_PER_S_MAX, Asked, Segment, make_plan
from sprint.core.loadtest.schedule import Schedule

RATES = st.integers(0, RATE_PER_S_MAX)
DURATIONS = st.integers(1, DURATION_NS_MAX)
SEGMENTS = st.lists(st.builds(Segment, DURATIONS, RATES, RATES), min_size=1, max_size=5)
# Small enough that all requests of a run can be taken.
SHORT = st.lists(
    st.builds(Segment, st.integers(1, SECOND_NS), st.integers(0, 300), st.integers(0, 300)),
    min_size=1,
    max_size=5,
)


def asked_upto(segments: list[Segment], now_ns: int) -> Fraction:
    """How many requests were asked for by then: the integral of the rate, in fractions."""
    asked, left = Fraction(0), now_ns
    for segment in segments:
        part = min(left, segment.duration_ns)
        rise = Fraction((segment.to_per_s - segment.from_per_s) * part, segment.duration_ns)
        asked += (segment.from_per_s + rise / 2) * Fraction(part, SECOND_NS)
        left -= part
    return asked


@given(SEGMENTS, st.data())
def test_a_request_is_due_at_the_first_nanosecond_that_asks_for_it(
    segments: list[Segment], data: st.DataObject
) -> None:
    schedule = Schedule(segments)
    if not schedule.whole_count:
        return
    number = data.draw(st.integers(0, schedule.whole_count - 1))
    moment_ns = schedule.moment_ns(number)
    assert asked_upto(segments, moment_ns) >= number
    # One before, less was asked for; or just as much, and then a pause lies between.
    if moment_ns:
        before = asked_upto(segments, moment_ns - 1)
        assert before < number or before == number == asked_upto(segments, moment_ns)
    assert 0 <= moment_ns <= schedule.duration_ns


@given(SEGMENTS, st.data())
def test_what_is_due_is_what_has_its_moment(segments: list[Segment], data: st.DataObject) -> None:
    schedule = Schedule(segments)
    now_ns = data.draw(st.integers(0, schedule.duration_ns + SECOND_NS))
    due = schedule.whole_due(now_ns)
    assert 0 <= due <= schedule.whole_count
    if due:
        assert schedule.moment_ns(due - 1) <= now_ns
    if due < schedule.whole_count:
        assert schedule.moment_ns(due) > now_ns


@pytest.mark.parametrize("rate_per_s", [1, 3, 7, 999, 99_991, 100_000])
def test_nothing_drifts_in_24_hours(rate_per_s: int) -> None:
    plan = make_plan(Asked(rate_per_s=rate_per_s, duration_ns=DURATION_NS_MAX))
    schedule = Schedule(plan.segments)
    assert schedule.whole_count == rate_per_s * 86_400
    for hour in range(24):
        number = hour * 3_600 * rate_per_s
        assert schedule.moment_ns(number) == hour * 3_600 * SECOND_NS
        assert schedule.moment_ns(number + 1) == hour * 3_600 * SECOND_NS - (-SECOND_NS // rate_per_s)


@given(SHORT, st.integers(1, 7), st.lists(st.integers(0, SECOND_NS), max_size=8), st.integers(1, 50))
def test_processes_take_each_request_once_and_in_order(
    segments: list[Segment], processes: int, steps_ns: list[int], limit: int
) -> None:
    whole = Schedule(segments)
    moments = [whole.moment_ns(number) for number in range(whole.whole_count)]
    for process in range(processes):
        schedule = Schedule(segments, process=process, processes=processes)
        taken: list[int] = []
        now_ns = 0
        for step_ns in steps_ns:
            now_ns += step_ns
            part = schedule.take(now_ns, limit)
            assert len(part) <= limit
            assert all(moment_ns <= now_ns for moment_ns in part)
            taken += part
            assert schedule.taken == len(taken)
            if len(part) < limit:
                assert len(taken) == schedule.due(now_ns)
        taken += schedule.take(schedule.duration_ns)
        assert taken == moments[process::processes]
        assert schedule.count == len(taken)
        assert schedule.next_moment_ns is None


def test_the_next_moment_is_that_of_the_next_request_taken() -> None:
    schedule = Schedule([Segment(SECOND_NS, 10, 10)], process=1, processes=2)
    assert schedule.next_moment_ns == SECOND_NS // 10
    assert schedule.take(SECOND_NS // 10) == [SECOND_NS // 10]
    assert schedule.next_moment_ns == 3 * SECOND_NS // 10


def test_a_pause_asks_for_nothing_and_what_follows_begins_at_its_end() -> None:
    schedule = Schedule([Segment(SECOND_NS, 4, 4), Segment(10 * SECOND_NS, 0, 0), Segment(SECOND_NS, 2, 2)])
    assert [moment / SECOND_NS for moment in schedule.take(20 * SECOND_NS)] == [0, 0.25, 0.5, 0.75, 11, 11.5]
    assert schedule.whole_due(10 * SECOND_NS) == 4


def test_a_rate_that_rises_from_nothing_asks_for_the_area_below_it() -> None:
    schedule = Schedule([Segment(10 * SECOND_NS, 0, 100)])
    assert schedule.whole_count == 500
    assert schedule.moment_ns(125) == 5 * SECOND_NS  # half the time, a quarter of the requests


def test_numbers_out_of_range_are_refused() -> None:
    schedule = Schedule([Segment(SECOND_NS, 5, 5)])
    for number in (-1, 5):
        with pytest.raises(ValueError, match="the schedule has 5"):
            schedule.moment_ns(number)
    with pytest.raises(ValueError, match="process 2 of 2"):
        Schedule([], process=2, processes=2)
    assert schedule.whole_due(-1) == 0
