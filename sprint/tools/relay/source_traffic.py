"""What passes over the sources, as Prometheus metrics: read from them when somebody asks.

Connections of all kinds; compact blocks and the transactions kept for them of P2P; requests of JSON-RPC by
lane; messages of ZMQ and those that were lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.sources.view import SourceView
from sprint.tools.relay.view import ServedChain

_LABELS = ("chain", "source")
_COMPACT: tuple[tuple[str, str, str], ...] = (
    ("received", "sprint_compact_blocks_received", "Compact blocks that came"),
    ("asked_whole", "sprint_compact_blocks_failed", "Compact blocks whose block was asked for whole"),
    ("round_trips", "sprint_compact_round_trips", "Compact blocks that transactions were asked for"),
    ("transactions_missing", "sprint_compact_transactions_missing", "Transactions asked for"),
    ("bytes_saved", "sprint_compact_saved_bytes", "Bytes that whole blocks would have had more"),
)
_ZMQ: tuple[tuple[str, str, str], ...] = (
    ("messages", "sprint_zmq_messages", "Messages that a publisher sent"),
    ("messages_lost", "sprint_zmq_messages_lost", "Messages that never came, by the jumps in their numbers"),
)


class SourceTraffic(Collector):
    """Counters by chain and source, and the size of each chain's mempool."""

    def __init__(self, chains: Mapping[str, ServedChain]) -> None:
        self._chains = chains

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        views = [
            (chain_id, source.spec.scheme, source.view())
            for chain_id, chain in self._chains.items()
            for source in chain.sources
        ]
        connects = CounterMetricFamily(
            "sprint_source_connects", "Connections that were opened to a source", labels=_LABELS
        )
        requests = CounterMetricFamily(
            "sprint_rpc_requests", "Requests over JSON-RPC; those of lane tip poll", labels=(*_LABELS, "lane")
        )
        for chain_id, _, view in views:
            connects.add_metric((chain_id, view.name), view.connects)
            for lane, count in view.requests.items():
                requests.add_metric((chain_id, view.name, lane), count)
        yield from (connects, requests)
        yield _rebuilt([(chain_id, view) for chain_id, _, view in views if view.compact])
        for key, name, text in _COMPACT:
            yield _counter(name, text, [(c, v.name, v.compact.get(key, 0)) for c, _, v in views if v.compact])
        heard = [(chain_id, view) for chain_id, scheme, view in views if scheme == "zmq"]
        for key, name, text in _ZMQ:
            yield _counter(name, text, [(c, v.name, v.published.get(key, 0)) for c, v in heard])
        yield from self._mempools()

    def _mempools(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        count = GaugeMetricFamily(
            "sprint_mempool_transactions", "Transactions kept to rebuild blocks from", labels=("chain",)
        )
        size = GaugeMetricFamily("sprint_mempool_bytes", "Bytes of these", labels=("chain",))
        evicted = CounterMetricFamily(
            "sprint_mempool_evicted", "Transactions dropped for a bound", labels=("chain",)
        )
        for chain_id, chain in self._chains.items():
            if any(source.spec.mempool for source in chain.sources):
                pool = P2pChain.of(chain.intake, chain.network.parameters).pool
                count.add_metric((chain_id,), len(pool))
                size.add_metric((chain_id,), pool.size_bytes)
                evicted.add_metric((chain_id,), pool.evicted)
        yield from (count, size, evicted)


def _rebuilt(views: list[tuple[str, SourceView]]) -> CounterMetricFamily:
    family = CounterMetricFamily(
        "sprint_compact_blocks_rebuilt",
        "Compact blocks that were made whole, by the round trips that took",
        labels=(*_LABELS, "round_trips"),
    )
    for chain_id, view in views:
        after_asking = view.compact.get("rebuilt_after_asking", 0)
        at_once = view.compact.get("rebuilt", 0) - after_asking
        family.add_metric((chain_id, view.name, "0"), at_once)
        family.add_metric((chain_id, view.name, "1"), after_asking)
    return family


def _counter(name: str, text: str, found: list[tuple[str, str, int]]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=_LABELS)
    for chain_id, source, value in found:
        family.add_metric((chain_id, source), value)
    return family
