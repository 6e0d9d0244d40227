"""Reaches every source once and says what it found: reachable, the right chain, how high, how fast."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from sprint.core.chains import Header, display_hash
from sprint.core.errors import UpstreamError
from sprint.core.protocols.bitcoin_p2p.events import HeadersReceived, Ready
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from sprint.tools.runtime import clock, random_bytes, wall_clock

CHECK_TIMEOUT_S = 10.0
HEADERS_WAIT_S = 3.0
READ_SIZE = 1 << 16


class SourceCheck(msgspec.Struct, frozen=True):
    """What was found of one source. `reason` says why it is not usable, or what to know of it."""

    name: str
    chain: str
    url: str
    usable: bool
    reason: str
    user_agent: str = ""
    height: int | None = None
    latency_ms: float | None = None


async def check_sources(specs: Sequence[SourceSpec]) -> list[SourceCheck]:
    """Reach all at once. ConfigError for a chain that there is not."""
    catalog = ChainCatalog.installed()
    networks = [catalog.find(spec.chain, spec.network) for spec in specs]
    return list(await asyncio.gather(*map(_check_one, specs, networks)))


async def _check_one(spec: SourceSpec, network: ChainNetwork) -> SourceCheck:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            ready, note, latency_ms = await _talk(spec, network)
    except (OSError, UnicodeError, TimeoutError, UpstreamError) as error:
        reason = str(error) or f"no handshake within {CHECK_TIMEOUT_S:.0f} s"
        return SourceCheck(spec.name, network.chain_id, spec.url, usable=False, reason=reason)
    return SourceCheck(
        name=spec.name,
        chain=network.chain_id,
        url=spec.url,
        usable=True,
        reason=note,
        user_agent=ready.user_agent,
        height=ready.start_height,
        latency_ms=latency_ms,
    )


async def _talk(spec: SourceSpec, network: ChainNetwork) -> tuple[Ready, str, float]:
    """Shake hands, ask for headers above genesis and prove the first; say what is odd."""
    settings = SessionSettings(unix_time_offset_s=wall_clock() - clock())
    nonce = int.from_bytes(random_bytes(8), "little")
    started = clock()
    session = PeerSession(network.parameters, settings, nonce=nonce, now=started)
    port = spec.port or network.parameters.default_port
    reader, writer = await asyncio.open_connection(spec.host, port)
    ready: Ready | None = None
    latency_ms = 0.0
    try:
        while True:
            writer.write(session.data_to_send())
            try:
                async with asyncio.timeout(HEADERS_WAIT_S if ready else CHECK_TIMEOUT_S):
                    data = await reader.read(READ_SIZE)
            except TimeoutError:
                if ready is None:
                    raise
                return ready, "answers no getheaders: still in its initial download?", latency_ms
            if not data:
                raise UpstreamError(
                    f"the node closed the connection: does it serve {network.chain_id}, has it a free slot?"
                )
            for event in session.receive_data(data, clock()):
                if isinstance(event, Ready):
                    ready, latency_ms = event, round((clock() - started) * 1000, 2)
                    session.request_headers([network.parameters.genesis_hash], clock())
                elif isinstance(event, HeadersReceived) and ready is not None:
                    return ready, _judge(network, event), latency_ms
            if session.closed is not None:
                raise UpstreamError(session.closed)
    finally:
        writer.close()


def _judge(network: ChainNetwork, event: HeadersReceived) -> str:
    """Check the first header above genesis; UpstreamError if it is of another chain or false.

    Genesis first: where two chains share a magic, half of one's headers meet the other's easiest target.
    """
    if not event.headers:
        return "it has no block above genesis"
    processor = network.processor()
    _, parent = processor.header_of(event.headers[0])
    if parent != network.parameters.genesis_hash:
        owner = ChainCatalog.installed().of_genesis(parent)
        theirs = f"{display_hash(parent)} ({owner})" if owner else display_hash(parent)
        raise UpstreamError(f"its chain begins at {theirs}, not at the genesis of {network.chain_id}")
    verdict = processor.process_header(event.headers[0])
    if not isinstance(verdict, Header):
        raise UpstreamError(f"its first header is refused: {verdict.check}: {verdict.reason}")
    return "ok"
