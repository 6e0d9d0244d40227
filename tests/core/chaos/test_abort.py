"""A run is stopped at each limit's first passing, and not at the limit."""

from __future__ import annotations

import pytest

from sprint.core.chaos.abort import AbortLimits, Moment, reason_to_abort
from sprint.core.chaos.observation import Sample, SubscriberLoss
from sprint.core.chaos.stream_check import Finding

LIMITS = AbortLimits()


def samples(seconds: float, *, answered: bool = True, health: str = "failing") -> list[Sample]:
    begin = Sample(0.0, answered=True, health="ok")
    return [
        begin,
        *(Sample(1 + n / 5, answered=answered, health=health) for n in range(int(seconds * 5) + 1)),
    ]


@pytest.mark.parametrize(("seconds", "stopped"), [(30.0, False), (30.2, True)])
def test_health_may_be_failing_for_so_long(seconds: float, *, stopped: bool) -> None:
    reason = reason_to_abort(LIMITS, Moment(samples=samples(seconds)))
    assert (reason is not None) is stopped


@pytest.mark.parametrize(("seconds", "stopped"), [(10.0, False), (10.2, True)])
def test_the_relay_may_be_silent_for_so_long(seconds: float, *, stopped: bool) -> None:
    reason = reason_to_abort(LIMITS, Moment(samples=samples(seconds, answered=False)))
    assert (reason is not None) is stopped


def test_health_that_was_well_in_between_counts_anew() -> None:
    seen = [
        *samples(29),
        Sample(31.0, answered=True, health="degraded"),
        Sample(50.0, answered=True, health="failing"),
    ]
    assert reason_to_abort(LIMITS, Moment(samples=seen)) is None


def test_a_stream_that_is_not_whole_stops_a_run_unless_that_is_allowed_for() -> None:
    moment = Moment(finding=Finding(1.0, "litecoin", "lost", "events 3 to 4 did not come"))
    assert "events 3 to 4" in (reason_to_abort(LIMITS, moment) or "")
    assert reason_to_abort(AbortLimits(stream_broken=False), moment) is None


def test_a_subscriber_may_be_dropped_so_often_and_must_be_able_to_come_back() -> None:
    once = Moment(losses=[SubscriberLoss(1.0, "cut")])
    assert reason_to_abort(LIMITS, once) is not None
    assert reason_to_abort(AbortLimits(subscriber_losses_max=1), once) is None
    final = Moment(losses=[SubscriberLoss(1.0, "another log", final=True)])
    assert "another log" in (reason_to_abort(AbortLimits(subscriber_losses_max=None), final) or "")


def test_what_was_hit_beyond_the_limit_and_an_error_of_the_tool_stop_a_run() -> None:
    assert "chains 2, limit 1" in (reason_to_abort(LIMITS, Moment(radius_exceeded="chains 2, limit 1")) or "")
    assert "no keeper" in (reason_to_abort(LIMITS, Moment(tool_error="no keeper")) or "")


def test_nothing_seen_yet_stops_nothing() -> None:
    assert reason_to_abort(LIMITS, Moment()) is None
