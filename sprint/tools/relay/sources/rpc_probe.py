"""Reaches an RPC source once: greets it, asks for headers above genesis, proves the first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from sprint.core.errors import UpstreamError
from sprint.core.protocols.announcements import Announcement, HeadersAnnounced
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainNetwork
from sprint.tools.relay.intake import Upstream
from sprint.tools.relay.sources.genesis import judge_first_header
from sprint.tools.relay.sources.rpc import RpcSource
from sprint.tools.relay.sources.view import Probe
from sprint.tools.relay.stages import Stage
from sprint.tools.runtime import clock

NOTHING_ODD = "ok"


async def probe_rpc(spec: SourceSpec, network: ChainNetwork) -> Probe:
    """Ask once; UpstreamError where the node refuses, is of another chain, or answers falsely."""
    sink = _ProbeSink(network)
    source = RpcSource(spec, network, sink, _NoObserver())
    connection = await source.open()
    connection.request_publishing()
    try:
        note = await sink.verdict()
        await asyncio.wait((connection.publishing, connection.ended), return_when=asyncio.FIRST_COMPLETED)
        notes = connection.notes
    finally:
        connection.abort()
    latency_ms = round((sink.ready_at - sink.started_at) * 1000, 2)
    said = [*([] if notes and note == NOTHING_ODD else [note]), *notes]
    publishing = connection.publishing.result() if connection.publishing.done() else None
    return Probe(connection.user_agent, connection.height, "; ".join(said), latency_ms, publishing)


class _ProbeSink:
    """Takes what the source says until the first headers are judged."""

    needs_sources = paused = False

    def __init__(self, network: ChainNetwork) -> None:
        self.chain = network.chain_id
        self._found: str | UpstreamError | None = None
        self._told = asyncio.Event()
        self.started_at = self.ready_at = clock()
        self._network = network

    async def verdict(self) -> str:
        """Wait for what there is to know of the source; UpstreamError where it is not usable."""
        await self._told.wait()
        if isinstance(self._found, UpstreamError):
            raise self._found
        return self._found or NOTHING_ODD

    def heeded(self, changed: Callable[[], object]) -> AbstractContextManager[None]:
        del changed  # nothing of it changes
        return nullcontext()

    def source_ready(
        self, name: str, upstream: Upstream, *, serves: bool = True, provider: str | None = None
    ) -> None:
        del name, serves, provider  # there is one source only, and it serves
        self.ready_at = clock()
        upstream.request_headers([self._network.parameters.genesis_hash])

    def source_lost(self, name: str, reason: str, *, blocked: bool = False) -> None:
        del name, blocked
        self._tell(UpstreamError(reason))

    def source_noted(self, name: str, reason: str) -> None:
        """It is of publishers, and none is heard beside."""

    def announce(self, announcement: Announcement, framed_at: float) -> None:
        del framed_at
        if not isinstance(announcement, HeadersAnnounced):
            return
        try:
            self._tell(judge_first_header(self._network, announcement.headers))
        except UpstreamError as error:
            self._tell(error)

    def _tell(self, found: str | UpstreamError) -> None:
        if self._found is None:
            self._found = found
            self._told.set()


class _NoObserver:
    def mark(self, stage: Stage, chain: str, block: bytes, at: float) -> None:
        """Nobody asks for times here."""
