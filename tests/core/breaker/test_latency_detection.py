"""The latency detector: how many points it wants, which it looks at, when they leave, and what it learns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.latency_detection import BASELINE_S_MIN, POINTS_MAX, LatencyDetection
from sprint.core.breaker.policy import LatencyPolicy
from sprint.core.errors import ConfigError

GIVEN = LatencyPolicy(enabled=True, baseline_s=0.1, multiplier=3.0)
LEARNED = LatencyPolicy(enabled=True, multiplier=3.0)
FAST_S, AT_THRESHOLD_S, SLOW_S = 0.1, 0.1 * 3.0, 0.31


def fed(latencies_s: list[float], policy: LatencyPolicy = GIVEN, now: float = 0.0) -> LatencyDetection:
    detection = LatencyDetection(policy)
    for latency_s in latencies_s:
        detection.record(latency_s, now)
    return detection


def test_seven_of_ten_are_not_enough_and_eight_are() -> None:
    assert fed([FAST_S] * 3 + [SLOW_S] * 7).trips(0.0) is None
    evidence = fed([FAST_S] * 2 + [SLOW_S] * 8).trips(0.0)
    assert evidence is not None
    assert (evidence.detector, evidence.measured, evidence.limit, evidence.calls) == ("latency", 0.8, 0.7, 10)
    assert "8 of the last 10 calls took over 0.3 s" in evidence.text


def test_nine_points_are_too_few_and_ten_are_enough() -> None:
    assert fed([SLOW_S] * 9).trips(0.0) is None
    assert fed([SLOW_S] * 10).trips(0.0) is not None


def test_slow_is_strictly_above_the_threshold() -> None:
    assert fed([AT_THRESHOLD_S] * 10).trips(0.0) is None
    assert fed([AT_THRESHOLD_S + 1e-9] * 10).trips(0.0) is not None


def test_only_the_last_ten_are_looked_at() -> None:
    assert fed([SLOW_S] * 100 + [FAST_S] * 3 + [SLOW_S] * 7).trips(0.0) is None
    assert fed([FAST_S] * 100 + [SLOW_S] * 8).trips(0.0) is not None


def test_a_point_leaves_when_its_time_has_passed() -> None:
    detection = fed([SLOW_S] * 10)
    assert detection.trips(299.999) is not None
    assert detection.trips(300.0) is None


def test_one_point_that_has_left_is_one_too_few() -> None:
    detection = fed([SLOW_S])
    for _ in range(9):
        detection.record(SLOW_S, 10.0)
    assert detection.trips(299.0) is not None
    assert detection.trips(300.0) is None


def test_a_share_that_floats_cannot_tell_exactly_does_not_trip_at_the_limit() -> None:
    """0.29 * 100 is 28.999999999999996, which 29 would be over."""
    policy = LatencyPolicy(enabled=True, baseline_s=0.1, last=100, slow_share=0.29)
    assert fed([FAST_S] * 71 + [SLOW_S] * 29, policy).trips(0.0) is None
    assert fed([FAST_S] * 70 + [SLOW_S] * 30, policy).trips(0.0) is not None


def slow_from(seconds: list[float], *, slow_for_s: float) -> list[bool]:
    """Whether it trips at each second, with a slow call at each and ten of them before."""
    detection = fed([SLOW_S] * 9, LatencyPolicy(enabled=True, baseline_s=0.1, slow_for_s=slow_for_s))
    tripped = []
    for second in seconds:
        detection.record(SLOW_S, second)
        tripped.append(detection.trips(second) is not None)
    return tripped


def test_it_has_to_be_slow_for_so_long_as_the_policy_says() -> None:
    assert slow_from([0.0, 1.999, 2.0], slow_for_s=2.0) == [False, False, True]
    assert slow_from([0.0, 1.999, 2.0], slow_for_s=0.0) == [True, True, True]


def test_a_pause_that_is_over_opens_nothing_and_the_next_one_begins_anew() -> None:
    detection = fed([SLOW_S] * 10, LatencyPolicy(enabled=True, baseline_s=0.1, slow_for_s=2.0))
    assert detection.trips(0.0) is None
    for _ in range(3):
        detection.record(FAST_S, 1.0)
    assert detection.trips(1.0) is None
    detection.record_many([SLOW_S] * 10, 2.5)
    assert detection.trips(2.5) is None
    assert detection.trips(4.499) is None
    assert detection.trips(4.5) is not None


def test_off_it_never_trips() -> None:
    assert fed([SLOW_S] * 10, LatencyPolicy(baseline_s=0.1)).trips(0.0) is None


def test_the_share_is_told_however_few_points_there_are() -> None:
    assert LatencyDetection(GIVEN).slow_share() == 0.0
    assert fed([SLOW_S]).slow_share() == 1.0
    assert fed([SLOW_S] + [FAST_S] * 9).slow_share() == 0.1
    assert fed([SLOW_S] + [FAST_S] * 10).slow_share() == 0.0


def test_nothing_is_slow_before_a_baseline_is_learned() -> None:
    detection = fed([0.1] * 9, LEARNED)
    detection.learn(0.0)
    assert (detection.threshold_s(), detection.trips(0.0), detection.slow_share()) == (None, None, 0.0)
    detection.record(0.1, 0.0)
    detection.learn(0.0)
    assert detection.threshold_s() == pytest.approx(0.3)


def test_a_few_wild_first_calls_are_not_the_baseline() -> None:
    detection = fed([9.0] * 4 + [0.1] * 6, LEARNED)
    detection.learn(0.0)
    assert detection.baseline_s() == 0.1


def test_the_threshold_changes_only_when_it_learns() -> None:
    detection = fed([0.1] * 10, LEARNED)
    detection.learn(0.0)
    detection.record_many([0.2] * 50, 10.0)
    assert detection.threshold_s() == pytest.approx(0.3)
    detection.learn(300.0)
    assert detection.threshold_s() == pytest.approx(3 * (0.1 + 0.1 * 0.6321206))


def learned_after(latency_s: float, *, seconds: int) -> float:
    """What a baseline of 0.1 s has become when every second one call took so long."""
    detection = fed([0.1] * 10, LEARNED)
    detection.learn(0.0)
    for now in range(1, seconds + 1):
        detection.record(latency_s, float(now))
        detection.learn(float(now))
    baseline_s = detection.baseline_s()
    assert baseline_s is not None
    return baseline_s


def test_a_fault_of_a_minute_does_not_become_the_baseline() -> None:
    assert learned_after(1.0, seconds=60) < 0.12


def test_a_shift_for_good_is_taken_in_at_last() -> None:
    assert learned_after(0.4, seconds=600) * 3.0 > 0.4


def test_a_clock_that_sees_no_time_pass_teaches_no_threshold_of_nothing() -> None:
    detection = fed([0.0] * 10, LEARNED)
    detection.learn(0.0)
    assert detection.baseline_s() == BASELINE_S_MIN


def test_learning_without_points_changes_nothing() -> None:
    detection = fed([0.1] * 10, LEARNED)
    detection.learn(0.0)
    detection.learn(1000.0)
    assert detection.baseline_s() == 0.1


def test_time_that_nobody_called_in_gives_the_next_point_no_weight() -> None:
    detection = fed([0.1] * 10, LEARNED)
    detection.learn(0.0)
    detection.learn(10_000.0)
    detection.record(0.2, 10_000.5)
    detection.learn(10_001.0)
    assert detection.baseline_s() == pytest.approx(0.1, rel=0.01)


@given(st.lists(st.floats(0.0, 10.0), max_size=POINTS_MAX + 50))
def test_many_at_once_are_as_many_alone(latencies_s: list[float]) -> None:
    one_by_one, at_once = fed(latencies_s), LatencyDetection(GIVEN)
    at_once.record_many(latencies_s, 0.0)
    one_by_one.learn(5.0)
    at_once.learn(5.0)
    for name in ("_points", "_unlearned", "_learned_s"):
        assert getattr(one_by_one, name) == getattr(at_once, name)


def test_cleared_points_are_gone_and_the_baseline_stays() -> None:
    detection = fed([0.1] * 10, LEARNED)
    detection.learn(0.0)
    detection.record_many([1.0] * 10, 1.0)
    assert detection.trips(1.0) is not None
    detection.clear()
    assert detection._slow_since is None
    assert (detection.trips(1.0), detection.slow_share()) == (None, 0.0)
    assert detection.baseline_s() == 0.1


def test_another_policy_keeps_points_and_baseline() -> None:
    detection = fed([0.1] * 10, LEARNED)
    detection.learn(0.0)
    detection.record_many([0.25] * 10, 1.0)
    assert detection.trips(1.0) is None
    detection.adopt(LatencyPolicy(enabled=True, multiplier=2.0))
    assert detection.trips(1.0) is not None


@pytest.mark.parametrize("name", ["last", "points_min"])
def test_more_points_than_are_kept_cannot_be_asked_for(name: str) -> None:
    if name == "points_min":
        LatencyDetection(LatencyPolicy(points_min=POINTS_MAX))
        with pytest.raises(ConfigError, match="101; up to 100"):
            LatencyDetection(LatencyPolicy(points_min=POINTS_MAX + 1))
    else:
        with pytest.raises(ConfigError, match="101; up to 100"):
            LatencyDetection(GIVEN).adopt(LatencyPolicy(last=POINTS_MAX + 1))
