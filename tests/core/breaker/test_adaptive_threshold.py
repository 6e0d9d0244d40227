"""The factor on the failure threshold: it follows the trend, one step an interval, within its bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.adaptive_threshold import AdaptiveThreshold
from sprint.core.breaker.policy import AdaptivePolicy

POLICY = AdaptivePolicy(enabled=True, interval_s=120.0)
PERFORMANCE = st.floats(0.0, 1.0)


def fed(points: Iterable[float], policy: AdaptivePolicy = POLICY) -> AdaptiveThreshold:
    threshold = AdaptiveThreshold(policy)
    for point in points:
        threshold.observe(point, 0.0)
    return threshold


def before_and_last(before: float, last: float) -> list[float]:
    return [before] * 5 + [last] * 5


def test_a_rise_of_just_a_tenth_changes_nothing_and_one_over_raises() -> None:
    assert fed(before_and_last(0.80, 0.88)).adjust(0.0) == 1.0
    assert fed(before_and_last(1.0, 1.1)).adjust(0.0) == 1.0  # (1.1 - 1.0) / 1.0 is a bit over 0.1 in floats
    assert fed(before_and_last(0.80, 0.881)).adjust(0.0) == 1.1


def test_a_fall_of_just_a_tenth_changes_nothing_and_one_over_lowers() -> None:
    assert fed(before_and_last(0.90, 0.81)).adjust(0.0) == 1.0
    assert fed(before_and_last(0.90, 0.809)).adjust(0.0) == 0.9


def test_the_multiplier_scales_the_step() -> None:
    policy = AdaptivePolicy(enabled=True, multiplier=2.0)
    assert fed(before_and_last(0.5, 1.0), policy).adjust(0.0) == 1.2
    assert fed(before_and_last(1.0, 0.5), policy).adjust(0.0) == 0.8


def test_nine_points_show_no_trend_and_ten_do() -> None:
    assert fed([0.5] * 4 + [1.0] * 5).trend() is None
    assert fed(before_and_last(0.5, 1.0)).trend() == 1.0


def test_only_the_last_ten_points_make_the_trend() -> None:
    assert fed([0.0] * 50 + before_and_last(0.5, 1.0)).trend() == 1.0


def test_from_nothing_to_anything_is_a_rise_and_nothing_to_nothing_is_none() -> None:
    assert fed(before_and_last(0.0, 0.1)).trend() == math.inf
    assert fed(before_and_last(0.0, 0.1)).adjust(0.0) == 1.1
    assert fed(before_and_last(0.0, 0.0)).trend() == 0.0


def test_it_moves_at_most_once_an_interval() -> None:
    threshold = fed(before_and_last(0.5, 1.0))
    assert threshold.adjust(1000.0) == 1.1
    threshold.observe(1.0, 1000.0)
    assert threshold.adjust(1119.9) == 1.1
    assert threshold.adjust(1120.0) > 1.1


def test_points_that_were_followed_are_not_followed_again() -> None:
    """A breaker that nobody calls any more gets no new points: its factor would else run into a bound."""
    threshold = fed(before_and_last(1.0, 0.5))
    assert [threshold.adjust(1000.0 * number) for number in range(5)] == [0.9] * 5


def test_it_stays_within_its_bounds_however_long_a_trend_lasts() -> None:
    for points, bound in ((before_and_last(0.5, 1.0), 2.0), (before_and_last(1.0, 0.5), 0.5)):
        threshold = fed(points)
        for number in range(1, 21):
            threshold.adjust(120.0 * number)
            for point in points:
                threshold.observe(point, 0.0)
        assert threshold.factor() == bound


@given(st.lists(st.tuples(PERFORMANCE, st.floats(0.0, 300.0)), max_size=150))
def test_no_history_leads_out_of_the_bounds_or_faster_than_a_step(steps: list[tuple[float, float]]) -> None:
    threshold, now, earlier = AdaptiveThreshold(POLICY), 0.0, 1.0
    for point, passed_s in steps:
        now += passed_s
        threshold.observe(point, now)
        factor = threshold.adjust(now)
        assert 0.5 <= factor <= 2.0
        assert 0.9 - 1e-12 <= factor / earlier <= 1.1 + 1e-12
        earlier = factor


def test_at_most_the_history_is_kept() -> None:
    assert "100 points" in repr(fed([0.5] * 101))
    assert "99 points" in repr(fed([0.5] * 99))


def test_off_it_is_one_and_still_watches() -> None:
    threshold = fed(before_and_last(0.5, 1.0), AdaptivePolicy(enabled=False))
    assert threshold.adjust(0.0) == threshold.factor() == 1.0
    threshold.adopt(POLICY)
    assert threshold.adjust(0.0) == 1.1


def test_another_policy_keeps_history_and_factor_within_its_own_bounds() -> None:
    threshold = fed(before_and_last(0.5, 1.0))
    threshold.adjust(0.0)
    threshold.adopt(AdaptivePolicy(enabled=True, greatest=1.05))
    assert threshold.factor() == 1.05
    assert threshold.trend() == 1.0


def test_what_is_no_number_is_no_point() -> None:
    assert fed([*before_and_last(0.5, 1.0), math.nan, math.inf]).trend() == 1.0


def test_cleared_it_is_as_new() -> None:
    threshold = fed(before_and_last(0.5, 1.0))
    threshold.adjust(0.0)
    threshold.clear()
    assert (threshold.factor(), threshold.trend()) == (1.0, None)
