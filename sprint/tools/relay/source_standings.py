"""How sources are and stand in their race, as Prometheus metrics: read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.tools.relay.sources.view import SourceState
from sprint.tools.relay.view import ServedChain

_LABELS = ("chain", "source")


class SourceStandings(Collector):
    """`sprint_source_state`, `…_wins_total`, `…_timeouts_total`, `…_lag_seconds`, `…_demoted`."""

    def __init__(self, chains: Mapping[str, ServedChain]) -> None:
        self._chains = chains

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        yield self._states()
        yield from self._standings()

    def _states(self) -> GaugeMetricFamily:
        """Tell of each source the state that it is in, by a 1, and of the others by a 0."""
        states = GaugeMetricFamily(
            "sprint_source_state", "1 for the state that a source is in", labels=(*_LABELS, "state")
        )
        for chain_id, chain in self._chains.items():
            for source in chain.sources:
                present = source.view().state
                for state in get_args(SourceState):
                    states.add_metric((chain_id, source.spec.name, state), int(state == present))
        return states

    def _standings(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
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
