"""How many are connected to each tier, how many may be, and whom its listener turned away or gave up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.tools.web.router import Site


class ListenerCounts(Collector):
    """Metrics of each tier's listener, read from what it serves."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        for kind, name, text, read in _METRICS:
            family = kind(name, text, labels=("tier",))
            for tier, site in self._sites.items():
                family.add_metric((tier,), read(site))
            yield family


_METRICS: tuple[
    tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str, Callable[[Site], float]], ...
] = (
    (GaugeMetricFamily, "sprint_connections", "Open connections", lambda s: s.connection_count),
    (GaugeMetricFamily, "sprint_connections_max", "Connections allowed", lambda s: s.connections_max),
    (
        CounterMetricFamily,
        "sprint_connections_refused",
        "Requests and handshakes refused because their connection came over the limit",
        lambda s: s.connections_refused,
    ),
    (
        CounterMetricFamily,
        "sprint_subscribers_slow",
        "Subscribers closed because they read too slowly",
        lambda s: s.subscribers_slow,
    ),
)
