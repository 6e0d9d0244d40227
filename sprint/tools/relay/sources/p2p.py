"""A source that speaks the Bitcoin family's P2P protocol: the socket around a `PeerSession`.

It connects when its gate lets it, hands what the session tells to the chain's intake, writes what the
session has to send, and arms the session's timer. It decides nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import cast

from sprint import __version__
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.errors import UpstreamError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact_receiver import Relaying
from sprint.core.protocols.bitcoin_p2p.events import (
    AddressesReceived,
    BlockReceived,
    Ready,
    SessionEvent,
    announcement_of,
)
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.relay.gate import Ending, SourceGate
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.relay.intake import Sink
from sprint.tools.relay.one_timer import OneTimer
from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.sources.view import SourceState, SourceView
from sprint.tools.relay.stages import StageObserver
from sprint.tools.runtime import clock, jitter, log_fields, random_bytes, wall_clock

CONNECT_TIMEOUT_S = 10.0
WRITE_BUFFER_BYTES_MAX = 1 << 20
log = logging.getLogger(__name__)


class P2pSource:
    """One upstream, connected to again and again until it is cancelled."""

    def __init__(
        self,
        spec: SourceSpec,
        parameters: NetworkParameters,
        intake: Sink,
        observer: StageObserver,
        *,
        chain: P2pChain | None = None,
    ) -> None:
        """`chain` is needed where transactions are wanted or no host is named."""
        self.spec = spec
        self.parameters = parameters
        self.intake = intake
        self.observer = observer
        self.sharing = chain if spec.mempool else None
        self.peers = chain.peers if chain is not None and not spec.host else None
        self.blocks_received = 0
        self.compact: Counter[str] = Counter()
        self._gate = SourceGate()
        self._connection: _Connection | None = None
        self._reason = "not tried yet"
        self._connects = 0
        self._blocked = False
        # Of connections that have ended; the kinds are those of the protocol's errors, so they are few.
        self._faults: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"P2pSource({self.spec.name}, {self.spec.url})"

    async def run(self) -> None:
        """Connect, serve until the connection ends, wait as the gate says; for ever."""
        while True:
            await asyncio.sleep(self._gate.admit(clock()))
            try:
                outcome, held_s = await self._connect_once()
            except Exception as error:  # a task that ended over a mistake of ours would never try again
                log.exception("source %s failed", self.spec.name)
                self._reason = repr(error)
                outcome, held_s = "failed", 0.0
            self._blocked = outcome == "misbehaved"
            self._gate.record(outcome, held_s=held_s, now=clock(), jitter=jitter())

    async def _connect_once(self) -> tuple[Ending, float]:
        """Connect to the host that is named, or to one of the known nodes."""
        if self.peers is None:
            return await self._connect_to(self.spec.host, self.spec.port or self.parameters.default_port)
        try:
            address = await self.peers.choose()
        except UpstreamError as error:
            self._cannot_be_reached(str(error))
            return "failed", 0.0
        try:
            ending, held_s = await self._connect_to(address.host, address.port)
        except BaseException:  # the relay stops: that says nothing of the node
            self.peers.released(address)
            raise
        await self.peers.ended(address, served=held_s > 0, misbehaved=ending == "misbehaved")
        # The node is not asked again, so another need not wait as long as this one would have to.
        return ("lost" if ending == "misbehaved" else ending), held_s

    async def _connect_to(self, host: str, port: int) -> tuple[Ending, float]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(lambda: _Connection(self, loop), host, port)
        except (OSError, TimeoutError) as error:
            self._cannot_be_reached(str(error) or f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
            return "failed", 0.0
        self._connection = connection
        self._connects += 1
        try:
            self._reason = await connection.ended
        finally:
            self._connection = None
            connection.abort()
            self._faults.update(connection.faults)
        held_s = clock() - connection.ready_at if connection.ready_at is not None else 0.0
        return ("misbehaved" if connection.misbehaved else "lost"), held_s

    def _cannot_be_reached(self, reason: str) -> None:
        if reason != self._reason:
            log_fields(
                log,
                logging.WARNING,
                "source cannot be reached",
                chain=self.intake.chain,
                source=self.spec.name,
                url=self.spec.url,
                reason=reason,
            )
        self._reason = reason

    def view(self) -> SourceView:
        connection = self._connection
        ready = connection is not None and connection.ready_at is not None
        return SourceView(
            name=self.spec.name,
            url=self.spec.url,
            provider=self.spec.provider,
            state=self._state(ready=ready),
            reason="" if ready else self._reason,
            user_agent=connection.user_agent if connection is not None else "",
            connects=self._connects,
            blocks_received=self.blocks_received,
            retry_in_s=round(self._gate.admit(clock()), 3) if connection is None else 0.0,
            awaited_s=round(connection.awaited_s(clock()), 3) if connection is not None else 0.0,
            faults=dict(self.faults()),
            compact=dict(self.compact),
        )

    def faults(self) -> Counter[str]:
        """Count by kind what was wrong in all connections so far."""
        return self._faults + self._connection.faults if self._connection is not None else self._faults

    def _state(self, *, ready: bool) -> SourceState:
        if self._connection is not None:
            return "ready" if ready else "connecting"
        return "blocked" if self._blocked else "waiting"


class _Connection(asyncio.Protocol):
    """One connection of a source; `Upstream` to the intake."""

    def __init__(self, source: P2pSource, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop
        self.ended: asyncio.Future[str] = loop.create_future()
        self.ready_at: float | None = None
        self.user_agent = ""
        self.misbehaved = False
        self._invalid: Counter[str] = Counter()
        self._transport: asyncio.Transport | None = None
        self._timer = OneTimer(loop, self._on_timer)
        self._writable = True
        self._paused_at: float | None = None
        settings = SessionSettings(
            user_agent=_user_agent(),
            unix_time_offset_s=wall_clock() - clock(),
            addresses_wanted=source.peers is not None,
        )
        nonce = int.from_bytes(random_bytes(8), "little")
        relaying = None if source.sharing is None else Relaying(source.sharing.pool, source.compact)
        self._session = PeerSession(source.parameters, settings, nonce=nonce, now=clock(), relaying=relaying)

    @property
    def faults(self) -> Counter[str]:
        """What was wrong on this connection, by kind: of the protocol, and `invalid` of what was proved."""
        return Counter(self._session.counts) + self._invalid

    def awaited_s(self, now: float) -> float:
        asked_at = self._session.oldest_request_at
        return 0.0 if asked_at is None else now - asked_at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, so the type is stated, not tested.
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        stream.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self._flush()

    def data_received(self, data: bytes) -> None:
        now = clock()
        self._source.observer.mark("read", self._source.intake.chain, b"", now)
        events = self._session.receive_data(data, now)
        self._take_all(events, now)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        reason = self._session.closed or (str(exc) if exc else "the node closed the connection")
        self._end(reason)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._flush()

    # What the intake asks of a ready source.

    def request_headers(self, locator: Sequence[bytes]) -> None:
        self._session.request_headers(locator, clock())
        self._flush()

    def request_blocks(self, hashes: Sequence[bytes]) -> None:
        rebuilt = self._session.request_blocks(hashes, clock())
        if rebuilt:
            # The one who asks is not done yet with what it acts on.
            self._loop.call_soon(self._take_all, rebuilt)
        self._flush()

    def _prefer_compact(self, *, high_bandwidth: bool) -> None:
        self._session.prefer_compact(high_bandwidth=high_bandwidth)
        self._flush()

    def penalise(self, points: int, reason: str) -> None:
        self._invalid["invalid"] += 1
        self._session.penalise(points, reason)
        self._flush()

    def pause(self, *, paused: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if paused and self._paused_at is None:
            transport.pause_reading()
            self._paused_at = clock()
            self._timer.cancel()
        elif not paused and self._paused_at is not None:
            self._session.stood_still(clock() - self._paused_at)
            self._paused_at = None
            transport.resume_reading()
            self._flush()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end("the relay stops")

    def _take_all(self, events: Sequence[SessionEvent], read_at: float | None = None) -> None:
        framed_at = clock()
        for event in events:
            if self._session.closed is not None or self.ended.done():
                break  # what came with the fault that closed it counts for nothing
            self._take(event, framed_at if read_at is None else read_at, framed_at)

    def _take(self, event: SessionEvent, read_at: float, framed_at: float) -> None:
        source = self._source
        if isinstance(event, Ready):
            self.ready_at = framed_at
            self.user_agent = event.user_agent
            if source.sharing is not None:
                source.sharing.joined(source.spec.name, self._prefer_compact)
            source.intake.source_ready(source.spec.name, self)
            return
        if isinstance(event, AddressesReceived) and source.peers is not None:
            source.peers.learned(event.addresses)
        if isinstance(event, BlockReceived):
            source.blocks_received += 1
            if source.sharing is not None:
                source.sharing.delivered(source.spec.name, sha256d(event.raw[:HEADER_SIZE]))
        announcement = announcement_of(event, source.spec.name, read_at)
        if announcement is not None:
            source.intake.announce(announcement, framed_at)

    def _flush(self) -> None:
        """Write what the session has to send, arm its timer, end where it has closed."""
        transport = self._transport
        if transport is None:
            return
        while self._writable and (data := self._session.data_to_send()):
            transport.write(data)
        if self._session.closed is not None:
            self.misbehaved = self._session.score >= self._session.settings.score_max
            self._end(self._session.closed)
            transport.abort()
            return
        # What has come and is not read yet must not run out of time.
        if self._paused_at is None:
            self._timer.arm(self._session.next_timer())

    def _on_timer(self) -> None:
        self._session.handle_timer(clock())
        self._flush()

    def _end(self, reason: str) -> None:
        self._timer.cancel()
        if self.ended.done():
            return
        self.ended.set_result(reason)
        if self._source.sharing is not None:
            self._source.sharing.left(self._source.spec.name)
        self._source.intake.source_lost(self._source.spec.name, reason, blocked=self.misbehaved)


def _user_agent() -> str:

    return f"/sprint:{__version__}/"
