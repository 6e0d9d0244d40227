"""The windows: they hold exactly what is within them, through gaps, other policies, clocks that go back."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.count_window import CALLS_MAX, CountWindow
from sprint.core.breaker.interfaces import Window
from sprint.core.breaker.latency_cells import CELL_ERROR_MAX
from sprint.core.breaker.outcomes import Outcome, Statistics
from sprint.core.breaker.policy import WindowPolicy
from sprint.core.breaker.window import BUCKETS_MAX, TimeWindow, adopted_window, make_window
from sprint.core.errors import ConfigError

OUTCOMES: tuple[Outcome, ...] = ("success", "failure", "ignored", "inconclusive", "cancelled")
TIME = WindowPolicy(kind="time", span_s=30.0, buckets=10, slow_call_s=1.0)
COUNT = WindowPolicy(kind="count", calls_max=10, slow_call_s=1.0)
MEMORY_BYTES_MAX = 64 * 1024


class Call(NamedTuple):
    outcome: Outcome
    latency_s: float
    at: float


CALLS = st.lists(
    st.builds(
        Call, st.sampled_from(OUTCOMES), st.sampled_from([0.001, 0.5, 1.0, 1.001, 7.0]), st.floats(0.0, 40.0)
    ),
    max_size=60,
)  # `at` is the time since the call before


def spread(calls: Sequence[Call]) -> list[Call]:
    """The same calls, each at its own time."""
    spread_calls, now = [], 1000.0
    for call in calls:
        now += call.at
        spread_calls.append(call._replace(at=now))
    return spread_calls


def counted(calls: Sequence[Call]) -> tuple[int, int, int, int, int]:
    """Successes, failures, slow, inconclusive, cancelled."""
    rated = [call for call in calls if call.outcome in ("success", "failure")]
    return (
        sum(call.outcome == "success" for call in calls),
        sum(call.outcome == "failure" for call in calls),
        sum(call.latency_s > 1.0 for call in rated),
        sum(call.outcome == "inconclusive" for call in calls),
        sum(call.outcome == "cancelled" for call in calls),
    )


def figures(statistics: Statistics) -> tuple[int, int, int, int, int]:
    return (
        statistics.successes,
        statistics.failures,
        statistics.slow,
        statistics.inconclusive,
        statistics.cancelled,
    )


def fed(window: Window, calls: Sequence[Call]) -> None:
    for call in calls:
        window.record(call.outcome, call.latency_s, call.at)


@given(CALLS, st.floats(0.0, 60.0))
def test_a_time_window_holds_the_calls_of_its_buckets_and_no_others(
    calls: list[Call], later_s: float
) -> None:
    timed = spread(calls)
    window = TimeWindow(TIME)
    fed(window, timed)
    now = (timed[-1].at if timed else 1000.0) + later_s
    first_bucket = math.floor(now / 3.0) - 9
    within = [call for call in timed if math.floor(call.at / 3.0) >= first_bucket]
    found = window.statistics(now)
    assert figures(found) == counted(within)
    assert found.latency_sum_s == pytest.approx(
        sum(call.latency_s for call in within if call.outcome in ("success", "failure"))
    )


@given(CALLS)
def test_a_count_window_holds_the_last_calls_and_no_others(calls: list[Call]) -> None:
    timed = [call for call in spread(calls) if call.outcome != "ignored"]
    window = CountWindow(COUNT)
    fed(window, timed)
    found = window.statistics(1e6)
    assert figures(found) == counted(timed[-10:])
    assert found.latency_sum_s == pytest.approx(
        sum(call.latency_s for call in timed[-10:] if call.outcome in ("success", "failure"))
    )


def test_a_long_count_window_is_asked_as_fast_as_a_short_one() -> None:
    """It had counted all its calls at each question, and that comes after each call."""
    window = CountWindow(WindowPolicy(kind="count", calls_max=CALLS_MAX))
    for _ in range(CALLS_MAX + 1):
        window.record("success", 0.1, 0.0)
    window._kinds = bytearray()  # so that whoever counts them anew counts nothing
    assert window.statistics(0.0).successes == CALLS_MAX


def test_sums_leave_nothing_behind_when_calls_leave() -> None:
    window = CountWindow(COUNT)
    window.record("success", 1e6, 0.0)
    fed(window, [Call("success", 0.1, 0.0)] * 10)
    assert window.statistics(0.0).latency_sum_s == 1.0


@pytest.mark.parametrize("policy", [TIME, COUNT])
def test_an_ignored_call_leaves_no_trace(policy: WindowPolicy) -> None:
    window = make_window(policy)
    window.record("ignored", 9.0, 0.0)
    assert window.statistics(0.0) == Statistics()


def test_a_call_leaves_with_its_bucket() -> None:
    window = TimeWindow(TIME)
    window.record("failure", 0.1, 2.9)
    assert window.statistics(29.99).failures == 1
    assert window.statistics(30.0).failures == 0


def test_a_gap_of_several_buckets_empties_several() -> None:
    window = TimeWindow(TIME)
    for bucket in range(10):
        window.record("failure", 0.1, 3.0 * bucket)
    assert window.statistics(27.0).failures == 10
    assert window.statistics(27.0 + 4 * 3.0).failures == 6


@pytest.mark.parametrize("gap_s", [30.0, 31.0, 3_000_000.0])
def test_a_gap_longer_than_the_window_empties_it(gap_s: float) -> None:
    window = TimeWindow(TIME)
    fed(window, [Call("failure", 0.1, 0.3 * number) for number in range(100)])
    assert window.statistics(29.7 + gap_s).calls == 0


def test_a_clock_that_goes_back_loses_nothing_and_counts_in_the_newest_bucket() -> None:
    window = TimeWindow(TIME)
    window.record("success", 0.1, 100.0)
    window.record("failure", 0.1, 10.0)
    assert figures(window.statistics(5.0))[:2] == (1, 1)
    assert window.statistics(100.0 + 26.9).calls == 2


@pytest.mark.parametrize("policy", [TIME, COUNT])
def test_many_successes_at_once_are_as_many_alone(policy: WindowPolicy) -> None:
    latencies_s = [0.2, 1.0, 1.5, 3.0] * 5
    at_once, alone = make_window(policy), make_window(policy)
    at_once.record_successes(latencies_s, 50.0)
    for latency_s in latencies_s:
        alone.record("success", latency_s, 50.0)
    at_once.record_successes([], 5000.0)
    assert at_once.statistics(50.0) == alone.statistics(50.0)
    assert at_once.percentile(0.9, 50.0) == alone.percentile(0.9, 50.0)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1.0))
def test_until_its_bucket_ends_a_call_counts_as_recorded_now(now: float, share: float) -> None:
    """What successes that are counted together rest on."""
    window = TimeWindow(TIME)
    window.record("success", 0.1, now)
    ends_at = window.bucket_ends_at(now)
    assert now < ends_at <= now + 3.0 + 1e-9
    later = now + (ends_at - now) * share * 0.999
    window.record("success", 0.1, later)
    assert window.statistics(ends_at + 27.0 - 0.01).successes == 2
    assert window.statistics(ends_at + 27.0 + 0.01).successes == 0


def test_no_bucket_ends_in_a_window_by_count() -> None:
    assert CountWindow(COUNT).bucket_ends_at(5.0) == math.inf


def test_rejections_are_in_no_rate_and_leave_with_their_time() -> None:
    window = TimeWindow(TIME)
    window.record("failure", 0.1, 0.0)
    window.record_rejected(0.0)
    found = window.statistics(0.0)
    assert (found.rejected, found.calls, found.failure_rate) == (1, 1, 1.0)
    assert window.statistics(30.0).rejected == 0


def test_rejections_push_no_call_out_and_leave_with_the_one_that_came_next() -> None:
    window = CountWindow(COUNT)
    window.record("failure", 0.1, 0.0)
    for _ in range(50):
        window.record_rejected(1.0)
    window.record("success", 0.1, 2.0)
    window.record_rejected(3.0)
    assert (window.statistics(3.0).calls, window.statistics(3.0).rejected) == (2, 51)
    fed(window, [Call("success", 0.1, 4.0)] * 9)
    assert (window.statistics(4.0).failures, window.statistics(4.0).rejected) == (0, 51)
    window.record("success", 0.1, 5.0)
    assert window.statistics(5.0).rejected == 1


def test_the_time_that_is_covered_grows_to_that_of_the_window() -> None:
    window = TimeWindow(TIME)
    assert window.statistics(999.0).span_s == 0.0
    window.clear()
    window.record("success", 0.1, 1000.0)
    assert window.statistics(1005.0).span_s == 5.0
    assert 27.0 <= window.statistics(2000.0).span_s <= 30.0


def test_a_count_window_covers_the_time_since_its_oldest_call() -> None:
    window = CountWindow(COUNT)
    fed(window, [Call("success", 0.1, float(second)) for second in range(15)])
    assert window.statistics(20.0).span_s == 15.0
    assert CountWindow(COUNT).statistics(20.0).span_s == 0.0


def test_percentiles_of_a_count_window_are_numpys() -> None:
    values = [0.3, 0.1, 0.9, 0.4, 0.15, 0.2, 2.0]
    window = CountWindow(COUNT)
    window.record_successes(values, 0.0)
    for share in (0.0, 0.25, 0.5, 0.95, 0.99, 1.0):
        assert window.percentile(share, 0.0) == pytest.approx(float(np.percentile(values, 100 * share)))


@given(st.lists(st.floats(1e-5, 500.0), min_size=1, max_size=300), st.floats(0.0, 1.0))
def test_percentiles_of_a_time_window_are_numpys_within_a_cell(values: list[float], share: float) -> None:
    window = TimeWindow(TIME)
    for place, value in enumerate(values):
        window.record("success" if place % 3 else "failure", value, 30.0 * place / len(values))
    found = window.percentile(share, 29.9)
    assert found == pytest.approx(float(np.percentile(values, 100 * share)), rel=CELL_ERROR_MAX + 1e-9)


@pytest.mark.parametrize("policy", [TIME, COUNT])
def test_without_calls_there_is_no_percentile(policy: WindowPolicy) -> None:
    window = make_window(policy)
    window.record("cancelled", 5.0, 0.0)
    assert window.percentile(0.5, 0.0) is None


def test_another_span_keeps_what_is_still_within_it() -> None:
    window = TimeWindow(TIME)
    fed(window, [Call("failure", 0.5, 3.0 * number) for number in range(10)])
    window.adopt(WindowPolicy(span_s=12.0, buckets=4, slow_call_s=0.1), 27.0)
    assert (
        window.statistics(27.0).failures == 5
    )  # the bucket from 12 to 15 s counts at 15, the new one's first
    assert window.percentile(0.5, 27.0) == pytest.approx(0.5, rel=CELL_ERROR_MAX)
    window.adopt(WindowPolicy(span_s=3600.0, buckets=10, slow_call_s=0.1), 27.0)
    assert window.statistics(27.0).failures == 5


@given(CALLS, st.sampled_from([1.0, 12.0, 30.0, 600.0]), st.integers(2, 10))
def test_a_longer_window_is_adopted_without_losing_a_call(
    calls: list[Call], more_s: float, buckets: int
) -> None:
    timed = spread(calls)
    window = TimeWindow(TIME)
    fed(window, timed)
    now = timed[-1].at if timed else 1000.0
    before = window.statistics(now)
    span_s = (30.0 + more_s) * buckets / (buckets - 1)  # it covers one bucket less just when that begins
    window.adopt(WindowPolicy(span_s=span_s, buckets=buckets, slow_call_s=1.0), now)
    assert figures(window.statistics(now)) == figures(before)


def test_a_count_window_of_another_size_keeps_the_newest() -> None:
    window = CountWindow(COUNT)
    fed(window, [Call("failure", 0.1, 0.0)] * 7 + [Call("success", 2.0, 1.0)] * 5)
    window.record_rejected(1.0)
    window.adopt(WindowPolicy(kind="count", calls_max=6, slow_call_s=5.0), 1.0)
    found = window.statistics(1.0)
    assert (found.successes, found.failures, found.slow, found.rejected) == (5, 1, 0, 1)
    window.adopt(WindowPolicy(kind="count", calls_max=100, slow_call_s=5.0), 1.0)
    window.record("success", 0.1, 2.0)
    assert window.statistics(2.0).calls == 7


@given(CALLS)
def test_a_window_of_the_other_kind_takes_the_calls_over(calls: list[Call]) -> None:
    timed = spread(calls)
    window: TimeWindow | CountWindow = TimeWindow(TIME)
    fed(window, timed)
    now = timed[-1].at if timed else 1000.0
    before = figures(window.statistics(now))
    window = adopted_window(window, WindowPolicy(kind="count", calls_max=100), now)
    assert isinstance(window, CountWindow)
    by_count = figures(window.statistics(now))
    back = adopted_window(window, TIME, now)
    assert isinstance(back, TimeWindow)
    for found in (by_count, figures(back.statistics(now))):
        assert (found[:2], found[3:]) == (before[:2], before[3:])


def test_a_window_of_its_own_kind_stays_the_same_one() -> None:
    for policy in (TIME, COUNT):
        window = make_window(policy)
        assert adopted_window(window, policy, 0.0) is window


@pytest.mark.parametrize("policy", [TIME, COUNT])
def test_cleared_it_holds_nothing(policy: WindowPolicy) -> None:
    window = make_window(policy)
    window.record("failure", 0.1, 10.0)
    window.record_rejected(10.0)
    window.clear()
    assert window.statistics(10.0) == Statistics()


def test_windows_that_take_too_much_memory_are_refused() -> None:
    make_window(WindowPolicy(buckets=BUCKETS_MAX))
    make_window(WindowPolicy(kind="count", calls_max=CALLS_MAX))
    with pytest.raises(ConfigError, match="11 buckets; up to 10"):
        make_window(WindowPolicy(buckets=BUCKETS_MAX + 1))
    with pytest.raises(ConfigError, match="1001 calls; up to 1000"):
        make_window(WindowPolicy(kind="count", calls_max=CALLS_MAX + 1))


def test_the_largest_windows_stay_within_a_breakers_memory() -> None:
    times = TimeWindow(WindowPolicy(buckets=BUCKETS_MAX))
    source = random.Random(1)
    for number in range(5_000):
        times.record("success", source.lognormvariate(-3, 3), 30.0 * number / 5_000)
    cells = [bucket.cells for bucket in times._buckets if bucket.cells is not None]
    assert len(cells) == BUCKETS_MAX
    assert sum(len(each) * each.itemsize for each in cells) < MEMORY_BYTES_MAX
    counts = CountWindow(WindowPolicy(kind="count", calls_max=CALLS_MAX))
    arrays = (counts._latencies_s, counts._ended_at, counts._rejected)
    assert len(counts._kinds) + sum(len(each) * each.itemsize for each in arrays) < MEMORY_BYTES_MAX
