"""What was judged and what was refused, as Prometheus metrics: read from the pipelines when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.core.relay.tally import Tally
from sprint.tools.relay.view import ServedChain

_COUNTERS: tuple[tuple[str, str, Callable[[Tally], int]], ...] = (
    ("sprint_headers_processed", "Headers that passed their checks", lambda t: t.headers_accepted),
    ("sprint_headers_failed", "Headers that were refused", lambda t: t.headers_refused),
    ("sprint_blocks_processed", "Bodies that passed their checks", lambda t: t.blocks_accepted),
    ("sprint_blocks_failed", "Bodies that were refused", lambda t: t.blocks_refused),
    ("sprint_verdict_hits", "Bodies that came and were judged already", lambda t: t.verdicts_known),
    ("sprint_verdict_misses", "Bodies that came and had to be judged", lambda t: t.verdicts_missed),
)


class ValidationCounts(Collector):
    """The counters above by chain, `sprint_validation_errors_total{chain,check}`, blocks in work."""

    def __init__(self, chains: Mapping[str, ServedChain]) -> None:
        self._chains = chains

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        states = {chain_id: chain.intake.pipeline.state for chain_id, chain in self._chains.items()}
        for name, text, read in _COUNTERS:
            counter = CounterMetricFamily(name, text, labels=("chain",))
            for chain_id, state in states.items():
                counter.add_metric((chain_id,), read(state.tally))
            yield counter
        errors = CounterMetricFamily(
            "sprint_validation_errors", "Headers and bodies refused, by check", labels=("chain", "check")
        )
        in_work = GaugeMetricFamily(
            "sprint_blocks_in_work", "Bodies that are being proved", labels=("chain",)
        )
        for chain_id, state in states.items():
            in_work.add_metric((chain_id,), len(state.book.proving_bodies))
            for check, count in sorted(state.tally.refusals.items()):
                errors.add_metric((chain_id, check), count)
        yield errors
        yield in_work
