"""Breakers as Prometheus metrics: read from each under its lock when somebody asks.

A breaker is named by what the operator called its source. Some 45 series tell of one, which take 0.4 ms to
read and to write, and no more than `BREAKERS_TOLD_MAX` are told of: that holds the event loop up for 80 ms at
most, and a name for each address that was met would fill Prometheus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome, State, Statistics
from sprint.core.breaker.transitions import TRANSITIONS, Cause
from sprint.tools.breaker import BreakerRegistry, CircuitBreaker
from sprint.tools.breaker.workers import BreakerWorkers

BREAKERS_TOLD_MAX = 200
PERCENTILES = (0.5, 0.95, 0.99)

Family = CounterMetricFamily | GaugeMetricFamily


class Reading(NamedTuple):
    """What one breaker says of itself at one time; None where it is not known."""

    name: str
    state: State
    totals: Mapping[str, int]
    moves: Mapping[tuple[State, Cause], int]
    statistics: Statistics
    percentiles_s: tuple[float | None, ...]
    health: float | None
    failures_in_a_row: int
    failures_to_open: int | None
    retry_after_s: float | None
    withheld: bool
    listener_errors: int
    listener_dropped: int

    @property
    def opened(self) -> int:
        """How often a detector opened it; a trial that failed is not counted again."""
        return sum(count for (_, cause), count in self.moves.items() if cause == "tripped")


class BreakerMetrics(Collector):
    """`sprint_breaker_…{breaker}` of a registry, and the errors of its background work."""

    def __init__(self, registry: BreakerRegistry, workers: BreakerWorkers) -> None:
        self._registry = registry
        self._workers = workers

    def collect(self) -> Iterator[Family]:
        readings = [read(breaker) for breaker in islice(self._registry, BREAKERS_TOLD_MAX)]
        yield GaugeMetricFamily(
            "sprint_breakers",
            f"Breakers there are; the first {BREAKERS_TOLD_MAX} are told of one by one",
            value=len(self._registry),
        )
        yield _states(readings)
        yield _calls(readings)
        yield _transitions(readings)
        for name, text, count in _COUNTS:
            counter = CounterMetricFamily(name, text, labels=("breaker",))
            for each in readings:
                counter.add_metric((each.name,), count(each))
            yield counter
        for name, text, value in _FIGURES:
            gauge = GaugeMetricFamily(name, text, labels=("breaker",))
            for each in readings:
                found = value(each)
                if found is not None:
                    gauge.add_metric((each.name,), found)
            yield gauge
        yield _latencies(readings)
        yield CounterMetricFamily(
            "sprint_breaker_worker_errors",
            "Background works on a breaker that failed and were passed over",
            value=self._workers.errors,
        )


def read(breaker: CircuitBreaker) -> Reading:
    """Return what a breaker says of itself; what time alone changes is done first."""

    def reading(machine: Machine, now: float) -> Reading:
        statistics, window = machine.statistics(now), machine.figures.window
        return Reading(
            name=machine.name,
            state=machine.state,
            totals=dict(machine.totals),
            moves=dict(machine.moves),
            statistics=statistics,
            percentiles_s=tuple(window.percentile(share, now) for share in PERCENTILES),
            health=machine.figures.health_score(),
            failures_in_a_row=machine.figures.failures_in_a_row,
            failures_to_open=machine.figures.failures_limit(),
            retry_after_s=machine.retry_after_s(now),
            withheld=machine.withheld is not None,
            listener_errors=breaker.listeners.errors,
            listener_dropped=breaker.listeners.dropped,
        )

    return breaker.tend(reading)


def _states(readings: list[Reading]) -> Family:
    """Tell the state of each by a 1, and of the others by a 0, as prometheus_client's Enum does."""
    states = GaugeMetricFamily(
        "sprint_breaker_state", "1 for the state that a breaker is in", labels=("breaker", "state")
    )
    for each in readings:
        for state in get_args(State):
            states.add_metric((each.name, state), int(state == each.state))
    return states


def _calls(readings: list[Reading]) -> Family:
    calls = CounterMetricFamily(
        "sprint_breaker_calls",
        "Calls that ended, by what they say of what was called",
        labels=("breaker", "outcome"),
    )
    for each in readings:
        for outcome in get_args(Outcome):
            calls.add_metric((each.name, outcome), each.totals.get(outcome, 0))
    return calls


def _transitions(readings: list[Reading]) -> Family:
    """Tell of the ways that were gone; the table of transitions bounds them."""
    made = CounterMetricFamily(
        "sprint_breaker_transitions", "Changes of state", labels=("breaker", "from", "to")
    )
    for each in readings:
        ways: dict[tuple[State, State], int] = {}
        for (source, cause), count in each.moves.items():
            way = (source, TRANSITIONS[source, cause])
            ways[way] = ways.get(way, 0) + count
        for (source, target), count in ways.items():
            made.add_metric((each.name, source, target), count)
    return made


def _latencies(readings: list[Reading]) -> Family:
    latencies = GaugeMetricFamily(
        "sprint_breaker_window_latency_seconds",
        "Latency that this share of the window's calls did not exceed",
        labels=("breaker", "share"),
    )
    for each in readings:
        for share, latency_s in zip(PERCENTILES, each.percentiles_s, strict=True):
            if latency_s is not None:
                latencies.add_metric((each.name, str(share)), latency_s)
    return latencies


_COUNTS: tuple[tuple[str, str, Callable[[Reading], int]], ...] = (
    ("sprint_breaker_opens", "Times that a detector opened a breaker", lambda r: r.opened),
    ("sprint_breaker_rejected", "Calls that were not let through", lambda r: r.totals.get("rejected", 0)),
    (
        "sprint_breaker_would_reject",
        "Calls that a breaker in shadow let through and would not have",
        lambda r: r.totals.get("would_reject", 0),
    ),
    (
        "sprint_breaker_leases_ended",
        "Trials whose lease ended before they did",
        lambda r: r.totals.get("lease_ended", 0),
    ),
    (
        "sprint_breaker_void_results",
        "Results that came too late to count",
        lambda r: r.totals.get("void", 0),
    ),
    (
        "sprint_breaker_withheld_opens",
        "Times that a breaker stayed closed as nobody else of its group was left",
        lambda r: r.totals.get("withheld", 0),
    ),
    (
        "sprint_breaker_listener_errors",
        "Errors that listeners to transitions raised, caught",
        lambda r: r.listener_errors,
    ),
    (
        "sprint_breaker_listener_dropped",
        "Transitions that came too fast for the listeners",
        lambda r: r.listener_dropped,
    ),
)

_FIGURES: tuple[tuple[str, str, Callable[[Reading], float | None]], ...] = (
    ("sprint_breaker_health_score", "Health, 0 to 1, as it was scored last", lambda r: r.health),
    ("sprint_breaker_failures_in_a_row", "Failures since the last success", lambda r: r.failures_in_a_row),
    ("sprint_breaker_failures_to_open", "Failures in a row that open it now", lambda r: r.failures_to_open),
    (
        "sprint_breaker_retry_after_seconds",
        "Time until a call may be let through; none while an operator holds it open",
        lambda r: r.retry_after_s,
    ),
    ("sprint_breaker_withheld", "1 where it would be open were it not the last", lambda r: r.withheld),
    (
        "sprint_breaker_window_calls",
        "Calls in the window, failed or not",
        lambda r: r.statistics.calls,
    ),
    (
        "sprint_breaker_window_failure_ratio",
        "Share of failures in the window",
        lambda r: r.statistics.failure_rate if r.statistics.calls else None,
    ),
    (
        "sprint_breaker_window_slow_ratio",
        "Share of slow calls in the window",
        lambda r: r.statistics.slow_rate if r.statistics.calls else None,
    ),
)
