"""One file per kind of source: what is connected to, read, and handed to the chain's intake.

`new_source` and `probe_source` choose the kind by the scheme of the source's URL.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sprint.core.errors import ConfigError
from sprint.core.protocols.bitcoin_p2p.address_book import DNS_SEEDS
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainNetwork
from sprint.tools.relay.intake import Sink
from sprint.tools.relay.sources.p2p import P2pSource
from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.sources.p2p_probe import probe_p2p
from sprint.tools.relay.sources.rpc import RpcSource
from sprint.tools.relay.sources.rpc_probe import probe_rpc
from sprint.tools.relay.sources.view import Probe, Source
from sprint.tools.relay.sources.zmq import ZmqSource, probe_zmq
from sprint.tools.relay.stages import StageObserver


class SourceKind(NamedTuple):
    """How a source of a scheme is made, and how it is reached once to see what it is."""

    new: Callable[[SourceSpec, ChainNetwork, Sink, StageObserver], Source]
    probe: Callable[[SourceSpec, ChainNetwork], Awaitable[Probe]]


def _new_p2p(spec: SourceSpec, network: ChainNetwork, intake: Sink, observer: StageObserver) -> Source:
    if not spec.host and network.chain_id not in DNS_SEEDS:
        raise ConfigError(f"source {spec.name}: {network.chain_id} has no DNS seeds; name a host in p2p://")
    chain = P2pChain.of(intake, network.parameters)
    return P2pSource(spec, network.parameters, intake, observer, chain=chain)


SOURCE_KINDS: dict[str, SourceKind] = {
    "p2p": SourceKind(_new_p2p, probe_p2p),
    "rpc": SourceKind(RpcSource, probe_rpc),
    "rpcs": SourceKind(RpcSource, probe_rpc),
    "zmq": SourceKind(ZmqSource, probe_zmq),
}


def new_source(spec: SourceSpec, network: ChainNetwork, intake: Sink, observer: StageObserver) -> Source:
    """Make the source that a spec names; it connects when its `run` is awaited."""
    return SOURCE_KINDS[spec.scheme].new(spec, network, intake, observer)


async def probe_source(spec: SourceSpec, network: ChainNetwork) -> Probe:
    """Reach a source once; OSError, TimeoutError or UpstreamError where it is not usable."""
    return await SOURCE_KINDS[spec.scheme].probe(spec, network)
