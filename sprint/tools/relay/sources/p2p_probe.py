"""Reaches a P2P source once: shakes hands, asks for headers above genesis, proves the first."""

from __future__ import annotations

import asyncio

from sprint.core.errors import UpstreamError
from sprint.core.protocols.bitcoin_p2p.events import HeadersPassedOver, HeadersReceived, Ready
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainNetwork
from sprint.tools.relay.peer_store import PeerStore
from sprint.tools.relay.sources.genesis import judge_first_header
from sprint.tools.relay.sources.view import Probe
from sprint.tools.runtime import clock, random_bytes, wall_clock

HANDSHAKE_WAIT_S = 10.0
HEADERS_WAIT_S = 3.0
READ_SIZE = 1 << 16


async def probe_p2p(spec: SourceSpec, network: ChainNetwork) -> Probe:
    """Shake hands, ask for headers above genesis and prove the first; say what is odd."""
    settings = SessionSettings(unix_time_offset_s=wall_clock() - clock())
    nonce = int.from_bytes(random_bytes(8), "little")
    started = clock()
    session = PeerSession(network.parameters, settings, nonce=nonce, now=started)
    host, port = spec.host, spec.port or network.parameters.default_port
    if not host:
        chosen = await PeerStore(network.chain_id, port).choose()
        host, port = chosen.host, chosen.port
    reader, writer = await asyncio.open_connection(host, port)
    ready: Ready | None = None
    latency_ms = 0.0
    try:
        while True:
            writer.write(session.data_to_send())
            try:
                async with asyncio.timeout(HEADERS_WAIT_S if ready else HANDSHAKE_WAIT_S):
                    data = await reader.read(READ_SIZE)
            except TimeoutError:
                if ready is None:
                    raise
                silent = f"{ready.user_agent} answers no getheaders: does the node hang?"
                raise UpstreamError(silent) from None
            if not data:
                raise UpstreamError(
                    f"the node closed the connection: does it serve {network.chain_id}, has it a free slot?"
                )
            for event in session.receive_data(data, clock()):
                if isinstance(event, Ready):
                    ready, latency_ms = event, round((clock() - started) * 1000, 2)
                    session.request_headers([network.parameters.genesis_hash], clock())
                elif isinstance(event, HeadersReceived) and ready is not None:
                    return _probe(ready, judge_first_header(network, event.headers), latency_ms)
                elif isinstance(event, HeadersPassedOver) and ready is not None:
                    return _probe(ready, session.syncing, latency_ms)
            if session.closed is not None:
                raise UpstreamError(session.closed)
    finally:
        writer.close()


def _probe(ready: Ready, note: str, latency_ms: float) -> Probe:
    return Probe(ready.user_agent, ready.start_height, note, latency_ms)
