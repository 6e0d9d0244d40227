"""What a monitor knows as Prometheus metrics: read from its board when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.core.breaker.outcomes import State
from sprint.core.monitor.board import Key
from sprint.core.monitor.rows import BreakerRow
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor

# Some 8 series tell of one; the relays' own metrics tell of them too, and of more.
BREAKERS_TOLD_MAX = 200

Family = CounterMetricFamily | GaugeMetricFamily


class MonitorMetrics(Collector):
    """`sprint_monitor_…` of a monitor and its feed."""

    def __init__(self, monitor: Monitor, feed: FleetFeed) -> None:
        self._monitor = monitor
        self._feed = feed

    def collect(self) -> Iterator[Family]:
        """Yield all families as they are now."""
        board = self._monitor.board
        yield self._connected()
        yield from self._heard()
        yield self._counts()
        yield from _told_one_by_one(dict(islice(board.rows.items(), BREAKERS_TOLD_MAX)))
        yield GaugeMetricFamily(
            "sprint_monitor_watchers", "Pages and files that are told everything", value=self._feed.watchers
        )
        yield GaugeMetricFamily(
            "sprint_monitor_rows_left_out", "Rows that were too many to be kept", value=board.left_out
        )

    def _connected(self) -> Family:
        connected = GaugeMetricFamily(
            "sprint_monitor_relay_connected", "1 while the relay is heard", labels=("relay",)
        )
        for name, seen in self._monitor.board.relays.items():
            connected.add_metric((name,), int(seen.connection == "live"))
        return connected

    def _heard(self) -> Iterator[Family]:
        connections = CounterMetricFamily(
            "sprint_monitor_relay_connections", "Connections that came about", labels=("relay",)
        )
        messages = CounterMetricFamily(
            "sprint_monitor_relay_messages", "Messages after the snapshots", labels=("relay",)
        )
        for name, probe in self._monitor.probes.items():
            connections.add_metric((name,), probe.connections)
            messages.add_metric((name,), probe.messages)
        yield connections
        yield messages

    def _counts(self) -> Family:
        counts = GaugeMetricFamily(
            "sprint_monitor_breakers", "Breakers of a relay that are in a state", labels=("relay", "state")
        )
        found = Counter((key.relay, row.state) for key, row in self._monitor.board.rows.items())
        for relay in self._monitor.board.relays:
            for state in get_args(State):
                counts.add_metric((relay, state), found[relay, state])
        return counts


def _told_one_by_one(rows: dict[Key, BreakerRow]) -> Iterator[Family]:
    state = GaugeMetricFamily(
        "sprint_monitor_breaker_state",
        f"1 for the state that a breaker is in; of the first {BREAKERS_TOLD_MAX} breakers",
        labels=("relay", "breaker", "state"),
    )
    health = GaugeMetricFamily(
        "sprint_monitor_breaker_health_score",
        "Health, 0 to 1, as it was scored last",
        labels=("relay", "breaker"),
    )
    failures = GaugeMetricFamily(
        "sprint_monitor_breaker_failure_ratio", "Share of failures in the window", labels=("relay", "breaker")
    )
    for key, row in rows.items():
        for each in get_args(State):
            state.add_metric((*key, each), int(each == row.state))
        if row.health is not None:
            health.add_metric(key, row.health)
        if row.calls:
            failures.add_metric(key, row.failure_rate)
    yield from (state, health, failures)
