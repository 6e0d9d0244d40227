"""How sources stand in their race, as Prometheus metrics: read from the pipelines when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.tools.relay.view import ServedChain

_LABELS = ("chain", "source")


class SourceStandings(Collector):
    """`sprint_source_wins_total`, `…_timeouts_total`, `…_lag_seconds`, `…_demoted`, by chain and source."""

    def __init__(self, chains: Mapping[str, ServedChain]) -> None:
        self._chains = chains

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        wins = CounterMetricFamily(
            "sprint_source_wins", "Blocks that a source was the first to announce", labels=_LABELS
        )
        timeouts = CounterMetricFamily(
            "sprint_source_timeouts", "Bodies that a source did not send in time", labels=_LABELS
        )
        lag = GaugeMetricFamily(
            "sprint_source_lag_seconds", "Average time after the first announcement", labels=_LABELS
        )
        demoted = GaugeMetricFamily(
            "sprint_source_demoted", "1 where a source lags and is asked last", labels=_LABELS
        )
        for chain_id, chain in self._chains.items():
            for source in chain.sources:
                standing = chain.intake.pipeline.state.board.standing(source.spec.name)
                if standing is None:
                    continue
                labels = (chain_id, source.spec.name)
                wins.add_metric(labels, standing.wins)
                timeouts.add_metric(labels, standing.timeouts)
                demoted.add_metric(labels, int(bool(standing.demoted)))
                if standing.lag_ms is not None:
                    lag.add_metric(labels, standing.lag_ms / 1000)
        yield from (wins, timeouts, lag, demoted)
