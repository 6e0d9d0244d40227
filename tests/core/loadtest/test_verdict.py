"""Thresholds: read with their units, judged by what was measured; and whether the generator was the limit."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.loadtest.recording import Latency, Totals
from sprint.core.loadtest.verdict import METRICS, Hindrances, check_generator, judge, parse_threshold


def latency(p99: float = 9.0, count: int = 1_000) -> Latency:
    return Latency(
        count=count, ms_min=0.5, ms_mean=2.0, ms_p50=1.5, ms_p90=4.0, ms_p95=6.0, ms_p99=p99,
        ms_p99_9=2 * p99, ms_max=3 * p99,
    )  # fmt: skip


TOTALS = Totals(
    duration_s=10.0,
    asked=1_000,
    begun=1_000,
    answered=999,
    successes=980,
    failures=10,
    limited=6,
    rejected=3,
    unanswered=1,
    never_sent=0,
    rate_asked_per_s=100.0,
    rate_begun_per_s=100.0,
    rate_answered_per_s=99.9,
    rate_success_per_s=98.0,
    error_share=0.02,
    bytes_in=5_000,
    bytes_out=300,
    state_changes=2,
    response=latency(),
    service=latency(7.0),
    failed=latency(1.0),
    schedule_error=msgspec.structs.replace(latency(0.02), ms_p50=0.01, ms_p90=0.01, ms_p95=0.02),
)


def with_totals(**changes: object) -> Totals:
    return msgspec.structs.replace(TOTALS, **changes)


@pytest.mark.parametrize(
    ("text", "limit", "unit", "met"),
    [
        ("p99<50ms", 50.0, "ms", True),
        ("p99 < 9ms", 9.0, "ms", False),
        ("p99<=9ms", 9.0, "ms", True),
        ("p99.9<0.018s", 18.0, "ms", False),
        ("max<=27000us", 27.0, "ms", True),
        ("service_p99<8ms", 8.0, "ms", True),
        ("failed_max<=3ms", 3.0, "ms", True),
        ("schedule_error_p99<1ms", 1.0, "ms", True),
        ("min>0.4ms", 0.4, "ms", True),
        ("mean==2ms", 2.0, "ms", True),
        ("error_rate<0.1%", 0.001, "share", False),
        ("error_rate<=2%", 0.02, "share", True),
        ("error_rate<=0.02", 0.02, "share", True),
        ("success_rate>=98%", 0.98, "share", True),
        ("rps>=990", 990.0, "per_s", False),
        ("rps>=99", 99.0, "per_s", True),
        ("success_rps>98.5", 98.5, "per_s", False),
        ("limited==0", 0.0, "count", False),
        ("never_sent<=0", 0.0, "count", True),
        ("requests>998", 998.0, "count", True),
        ("bytes_in>=5000", 5_000.0, "count", True),
    ],
)
def test_a_threshold_is_read_with_its_unit_and_judged(
    text: str, limit: float, unit: str, *, met: bool
) -> None:
    threshold = parse_threshold(text)
    assert threshold.limit == pytest.approx(limit)
    assert str(threshold.unit) == unit
    (result,) = judge([threshold], TOTALS)
    assert (result.met, result.text) == (met, text.strip())
    assert result.actual is not None


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_a_value(metric: str) -> None:
    units = {"ms": "ms", "share": "%", "per_s": "", "count": ""}
    for unit_text in ("ms", "%", ""):
        try:
            threshold = parse_threshold(f"{metric}>=0{unit_text}")
        except ConfigError:
            continue
        assert units[threshold.unit] == unit_text or (threshold.unit, unit_text) == ("share", "")
        (result,) = judge([threshold], with_totals(worker_wait=latency()))
        assert result.actual is not None
        assert result.met


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p99", "no threshold"),
        ("p99<", "no threshold"),
        ("p99<fast", "no threshold"),
        ("p99<-5ms", "no threshold"),
        ("p99<5ms and more", "no threshold"),
        ("p99=5ms", "no threshold"),
        ("p99<50", "unit 'none' of p99; it is ns, us, µs, ms, s"),
        ("p99<50%", "unit '%' of p99"),
        ("error_rate<5ms", "unit 'ms' of error_rate; it is %, none"),
        ("rps>5%", "unit '%' of rps; it is none"),
        ("p999<5ms", "did you mean p99"),
        ("eror_rate<1%", "did you mean error_rate?"),
        ("nothing<1", "no metric 'nothing'"),
        ("p99<" + "9" * 16 + "ms", "no threshold"),
    ],
)
def test_what_is_no_threshold_is_refused_with_what_it_should_be(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_threshold(text)
    assert words in str(refused.value)
    assert repr(text) in str(refused.value)


@given(st.text(max_size=30))
def test_any_text_is_a_threshold_or_refused(text: str) -> None:
    try:
        threshold = parse_threshold(text)
    except ConfigError:
        return
    assert threshold.metric in METRICS


@pytest.mark.parametrize("text", ["p99<50ms", "service_p50>0ms", "error_rate<100%", "success_rate>=0%"])
def test_what_could_not_be_measured_is_not_met(text: str) -> None:
    empty = with_totals(response=None, service=None, answered=0, unanswered=0, successes=0)
    (result,) = judge([parse_threshold(text)], empty)
    assert (result.met, result.actual) == (False, None)


def test_a_generator_that_kept_up_was_not_the_limit() -> None:
    check = check_generator(TOTALS, {})
    assert (check.limited, check.workers_short, check.reasons) == (False, False, ())
    assert check.begun_share == 1.0


def test_a_generator_that_did_not_come_to_its_requests_was_the_limit() -> None:
    assert not check_generator(with_totals(begun=995), {}).limited
    check = check_generator(with_totals(begun=994), {"the run was over": 6})
    assert check.limited
    assert "994 of 1,000" in check.reasons[0]
    assert "6 were never sent: the run was over" in check.reasons[-1]


@pytest.mark.parametrize(
    ("error_p99", "measured_p99", "limited"),
    [(0.9, 1.0, False), (1.1, 1.0, True), (1.1, 50.0, False), (5.1, 50.0, True)],
)
def test_a_late_generator_is_the_limit_where_its_lateness_shows_in_what_was_measured(
    error_p99: float, measured_p99: float, *, limited: bool
) -> None:
    quick = msgspec.structs.replace(latency(error_p99), ms_p50=0.1, ms_p90=0.2, ms_p95=0.3)
    totals = with_totals(schedule_error=quick, response=latency(measured_p99))
    assert check_generator(totals, {}).limited == limited


def test_lateness_that_a_long_tail_hides_shows_at_another_percentile() -> None:
    late = msgspec.structs.replace(latency(10.0), ms_p50=1.2)
    totals = with_totals(schedule_error=late, response=latency(900.0))
    check = check_generator(totals, {})
    assert check.limited
    assert "p95 6 ms" in check.reasons[0]
    quick = msgspec.structs.replace(late, ms_p50=0.1, ms_p90=0.3, ms_p95=0.5)
    assert not check_generator(with_totals(schedule_error=quick, response=latency(900.0)), {}).limited


def test_requests_that_waited_for_workers_are_told_and_are_not_the_generators_fault() -> None:
    few = check_generator(with_totals(worker_wait=latency(count=5)), {})
    many = check_generator(with_totals(worker_wait=latency(count=6)), {})
    assert (few.workers_short, many.workers_short) == (False, True)
    assert not many.limited
    assert "--workers" in many.reasons[0]


def test_a_generator_is_not_late_for_what_never_succeeds() -> None:
    """It was the limit where a target only failed, with 'p99 0 ms' for the response times it was in."""
    late = latency(5.0)
    check = check_generator(with_totals(response=None, service=None, successes=0, schedule_error=late), {})
    assert (check.limited, check.reasons) == (False, ())


def test_what_hindered_the_load_is_told_and_makes_the_generator_the_limit() -> None:
    known = Hindrances(lost=("generator 1 died",), held_up=("the proxy was busy",))
    check = check_generator(TOTALS, {}, known)
    assert (check.limited, check.sent_the_load) == (True, True)
    assert check.reasons == ("generator 1 died", "the proxy was busy")
    nothing_asked = with_totals(asked=0, begun=0, schedule_error=None)
    assert not check_generator(nothing_asked, {}, known).sent_the_load
    assert check_generator(nothing_asked, {}, Hindrances(held_up=known.held_up)).sent_the_load


def test_a_load_that_was_not_sent_is_said_as_that() -> None:
    assert check_generator(with_totals(begun=995), {}).sent_the_load
    assert not check_generator(with_totals(begun=994), {}).sent_the_load


def test_nothing_scheduled_cannot_be_missed() -> None:
    assert not check_generator(with_totals(asked=0, begun=0, schedule_error=None), {}).limited
