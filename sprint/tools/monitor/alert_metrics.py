"""What a desk of alerts knows as Prometheus metrics: alerts by level and state, silences, how sinks do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.core.monitor.alerts.rules import LEVELS
from sprint.tools.monitor.alert_desk import Desk
from sprint.tools.monitor.monitor import Monitor

# Of an alert that stands: nobody has said a word of it, somebody has it in hand, it is not sent.
ALERT_STATES = ("unacknowledged", "acknowledged", "silenced")
OUTCOMES = ("sent", "refused", "failed")
PREFIX = "sprint_monitor"

Family = CounterMetricFamily | GaugeMetricFamily


class AlertMetrics(Collector):
    """`sprint_monitor_alert…` of a monitor; nothing while it raises none."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Family]:
        """Yield all families as they are now."""
        desk = self._monitor.alerts
        if not isinstance(desk, Desk):
            return
        figures = desk.figures()
        yield from _of_alerts(figures)
        yield from _of_sinks(figures["sinks"])


def _of_alerts(figures: Mapping[str, Any]) -> Iterator[Family]:
    alerts = GaugeMetricFamily(
        f"{PREFIX}_alerts",
        "Alerts that stand, by level and by what has become of them",
        labels=("level", "state"),
    )
    standing: Counter[tuple[str, str]] = figures["standing"]
    for level in LEVELS:
        for state in ALERT_STATES:
            alerts.add_metric((level, state), standing[level, state])
    yield alerts
    changes = CounterMetricFamily(
        f"{PREFIX}_alert_changes", "Changes of alerts that were kept, since the start", labels=("change",)
    )
    for change, count in figures["changes"].items():
        changes.add_metric((change,), count)
    yield changes
    yield GaugeMetricFamily(f"{PREFIX}_silences", "Silences in force", value=figures["silences"])
    yield CounterMetricFamily(
        f"{PREFIX}_alerts_left_out", "Readings that were too many to stand", value=figures["left_out"]
    )
    yield GaugeMetricFamily(
        f"{PREFIX}_alerts_unwritten", "Changes that the disk has not taken yet", value=figures["unwritten"]
    )


def _of_sinks(sinks: list[dict[str, Any]]) -> Iterator[Family]:
    """Yield how sinks do; two of one kind at one host are one, as their URLs are not told."""
    labels = ("kind", "sink")
    messages = CounterMetricFamily(
        f"{PREFIX}_alert_sink_messages",
        "Alerts that a sink has confirmed or refused, and attempts that failed, since the start",
        labels=(*labels, "outcome"),
    )
    waiting = GaugeMetricFamily(f"{PREFIX}_alert_sink_waiting", "Alerts that wait for a sink", labels=labels)
    failing = GaugeMetricFamily(
        f"{PREFIX}_alert_sink_failing", "1 while the last attempt has failed", labels=labels
    )
    places = dict.fromkeys((each["kind"], each["where"]) for each in sinks)
    for place in places:
        of_place = [each for each in sinks if (each["kind"], each["where"]) == place]
        for outcome in OUTCOMES:
            messages.add_metric((*place, outcome), sum(each[outcome] for each in of_place))
        waiting.add_metric(place, sum(each["waiting"] for each in of_place))
        failing.add_metric(place, int(any(each["failure"] for each in of_place)))
    yield from (messages, waiting, failing)
