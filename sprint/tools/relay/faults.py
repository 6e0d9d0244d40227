"""What sources did wrong, as a Prometheus counter: read from the sources when somebody asks.

A source adds up its connections' faults by kind. The kinds are those of the protocol's errors; a bound
stands here all the same, since a label's values must never be the peer's choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from sprint.tools.relay.view import ServedChain

KINDS_MAX = 16


class SourceFaults(Collector):
    """`sprint_source_faults_total{chain,source,kind}`."""

    def __init__(self, chains: Mapping[str, ServedChain]) -> None:
        self._chains = chains

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "sprint_source_faults",
            "What a source sent that was not as it should be",
            labels=("chain", "source", "kind"),
        )
        for chain_id, chain in self._chains.items():
            for source in chain.sources:
                for kind, count in bounded(source.faults()).items():
                    family.add_metric((chain_id, source.spec.name, kind), count)
        yield family


def bounded(faults: Mapping[str, int]) -> dict[str, int]:
    """Return the first KINDS_MAX kinds by name, and what is beyond them as `other`."""
    names = sorted(faults)
    kept = {name: faults[name] for name in names[:KINDS_MAX]}
    if len(names) > KINDS_MAX:
        kept["other"] = sum(faults[name] for name in names[KINDS_MAX:])
    return kept
