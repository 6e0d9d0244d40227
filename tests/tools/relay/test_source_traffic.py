"""What sources count of their traffic is what the metrics say, by chain and source."""

from __future__ import annotations

from typing import cast

import msgspec
from prometheus_client import CollectorRegistry

from sprint.core.relay.source_url import parse_source
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.intake import Intake
from sprint.tools.relay.source_traffic import SourceTraffic
from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.sources.view import Source, SourceView
from sprint.tools.relay.view import ServedChain

CHAIN = "bitcoin-regtest"
IDLE = SourceView(
    name="", url="", provider="", state="ready", reason="", user_agent="", connects=2, blocks_received=0,
    retry_in_s=0.0, awaited_s=0.0, faults={},
)  # fmt: skip


class ShownSource:
    """A source that shows what it is given."""

    def __init__(self, url: str, **counts: dict[str, int]) -> None:
        self.spec = parse_source(f"{url.partition(':')[0]}@bitcoin:regtest={url}")
        self._view = msgspec.structs.replace(IDLE, name=self.spec.name, **counts)

    def view(self) -> SourceView:
        return self._view


def registry_of(*sources: ShownSource) -> CollectorRegistry:
    registry = CollectorRegistry()
    network = ChainCatalog.installed().find_id(CHAIN)
    intake = cast("Intake", _Key())
    P2pChain.of(intake, network.parameters).pool.evicted = 3
    chain = ServedChain(network, intake, [cast("Source", each) for each in sources])
    registry.register(SourceTraffic({CHAIN: chain}))
    return registry


class _Key:
    """Stands where a chain's intake does: what its sources share is found by it."""


def a_source_of_each_kind() -> list[ShownSource]:
    compact = {
        "received": 9,
        "rebuilt": 7,
        "rebuilt_after_asking": 2,
        "asked_whole": 2,
        "round_trips": 3,
        "bytes_saved": 1_000,
    }
    return [
        ShownSource("p2p://127.0.0.1:1?mempool=true", compact=compact),
        ShownSource("rpc://127.0.0.1:2", requests={"tip": 5, "bodies": 1}),
        ShownSource("zmq://127.0.0.1:3", published={"messages": 8, "messages_lost": 4}),
    ]


def test_what_sources_count_is_what_the_metrics_say() -> None:
    registry = registry_of(*a_source_of_each_kind())

    def value(name: str, source: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"chain": CHAIN, "source": source, **labels})

    assert [value("sprint_source_connects_total", each) for each in ("p2p", "rpc", "zmq")] == [2, 2, 2]
    assert value("sprint_compact_blocks_received_total", "p2p") == 9
    assert value("sprint_compact_blocks_rebuilt_total", "p2p", round_trips="0") == 5
    assert value("sprint_compact_blocks_rebuilt_total", "p2p", round_trips="1") == 2
    assert value("sprint_compact_blocks_failed_total", "p2p") == 2
    assert value("sprint_compact_round_trips_total", "p2p") == 3
    assert value("sprint_compact_transactions_missing_total", "p2p") == 0
    assert value("sprint_compact_saved_bytes_total", "p2p") == 1_000
    assert value("sprint_rpc_requests_total", "rpc", lane="tip") == 5
    assert value("sprint_zmq_messages_total", "zmq") == 8
    assert value("sprint_zmq_messages_lost_total", "zmq") == 4
    assert value("sprint_zmq_messages_total", "rpc") is None
    assert value("sprint_compact_blocks_received_total", "zmq") is None
    assert registry.get_sample_value("sprint_mempool_evicted_total", {"chain": CHAIN}) == 3


def test_a_chain_without_relayed_transactions_has_no_mempool_to_show() -> None:
    registry = registry_of(ShownSource("p2p://127.0.0.1:1"))
    assert registry.get_sample_value("sprint_mempool_transactions", {"chain": CHAIN}) is None
