"""What is kept of figures and transitions: the newest, as they were, and never more than the bound."""

from __future__ import annotations

from sprint.core.breaker.outcomes import Evidence
from sprint.core.monitor import history
from sprint.core.monitor.history import (
    KEPT_MIN,
    POINTS_PER_BREAKER_MAX,
    TRANSITIONS_PER_BREAKER_MAX,
    MetricsHistory,
    TransitionHistory,
)
from sprint.core.monitor.rows import MetricsPoint, TransitionRow, rfc3339

EVIDENCE = Evidence(detector="operator", text="why")


def point(number: int, *, p95: float | None = 2.5) -> MetricsPoint:
    return MetricsPoint(
        at=rfc3339(float(number)),
        state="force_open",
        calls=number,
        failures=1,
        rejected=2,
        failure_rate=0.25,
        slow_rate=0.5,
        calls_per_s=3.5,
        latency_ms_mean=1.5,
        latency_ms_p50=None,
        latency_ms_p95=p95,
        latency_ms_p99=4.5,
        health=None,
    )


def transition(number: int, breaker: str = "a") -> TransitionRow:
    return TransitionRow(
        number=number,
        breaker=breaker,
        from_state="closed",
        to_state="force_open",
        reason="forced_open",
        at="",
        evidence=EVIDENCE,
        shadow=False,
    )


def test_points_come_back_as_they_were_the_newest_last() -> None:
    kept = MetricsHistory()
    points = [point(1), point(2, p95=None)]
    for number, each in enumerate(points, 1):
        kept.add("a", float(number), each)
    assert kept.points("a") == points
    assert kept.points("a", 1) == points[1:]
    assert kept.points("b") == []


def test_the_oldest_points_go_at_the_bound() -> None:
    kept = MetricsHistory()
    for number in range(POINTS_PER_BREAKER_MAX + 3):
        kept.add("a", float(number), point(number))
    found = kept.points("a")
    assert len(found) == POINTS_PER_BREAKER_MAX
    assert (found[0], found[-1]) == (point(3), point(POINTS_PER_BREAKER_MAX + 2))


def test_of_many_breakers_less_is_kept_of_each(monkeypatch: object) -> None:
    kept = MetricsHistory()
    bound, breakers = history.POINTS_MAX, 5_000
    for number in range(60):
        for breaker in range(breakers):
            if breaker < 2 or number == 0:
                kept.add(str(breaker), float(number), point(number))
    assert len(kept.points("0")) == bound // breakers


def test_transitions_are_found_by_number_and_bounded() -> None:
    kept = TransitionHistory()
    for number in range(1, TRANSITIONS_PER_BREAKER_MAX + 11):
        kept.add(transition(number))
    kept.add(transition(1_000, "b"))
    rows = kept.rows("a")
    assert [row.number for row in rows] == list(range(11, TRANSITIONS_PER_BREAKER_MAX + 11))
    assert [row.number for row in kept.rows("a", after=264)] == [265, 266]
    assert [row.number for row in kept.rows("a", after=250, limit=2)] == [265, 266]
    assert kept.number == 1_000
    assert kept.rows("c") == []


def test_breakers_that_are_gone_are_forgotten() -> None:
    figures, transitions = MetricsHistory(), TransitionHistory()
    for name in ("a", "b"):
        figures.add(name, 0.0, point(0))
        transitions.add(transition(1, name))
    figures.keep_only({"b"})
    transitions.keep_only({"b"})
    assert (figures.points("a"), transitions.rows("a")) == ([], [])
    assert (len(figures.points("b")), len(transitions.rows("b"))) == (1, 1)


def test_some_is_kept_of_each_however_many_there_are() -> None:
    kept = TransitionHistory()
    for breaker in range(history.TRANSITIONS_MAX // KEPT_MIN + 2):
        kept.add(transition(breaker + 1, str(breaker)))
    for number in range(10):
        kept.add(transition(number, "0"))
    assert len(kept.rows("0")) == KEPT_MIN
