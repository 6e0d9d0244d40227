"""A source that speaks the Bitcoin family's P2P protocol: the socket around a `PeerSession`.

It hands what the session tells to the chain's intake, writes what the
session has to send, and arms the session's timer. It decides nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import cast

import msgspec

from sprint import __version__
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.errors import UpstreamError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact_receiver import Relaying
from sprint.core.protocols.bitcoin_p2p.events import (
    AddressesReceived,
    BlockReceived,
    BlocksNotFound,
    HeadersPassedOver,
    HeadersReceived,
    Ready,
    SessionEvent,
    announcement_of,
)
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import NEWEST_BLOCKS, PeerSession
from sprint.core.relay.gate import Ending
from sprint.core.relay.lateness import Late, Lateness
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.relay.intake import Sink
from sprint.tools.relay.one_timer import OneTimer
from sprint.tools.relay.sources.connecting import CONNECT_TIMEOUT_S, STOPS, ConnectingSource
from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.sources.view import SourceView
from sprint.tools.relay.stages import StageObserver
from sprint.tools.runtime import clock, random_bytes, wall_clock

WRITE_BUFFER_BYTES_MAX = 1 << 20
# A node that is asked for nothing, as others announce sooner, shows by its pongs that it is there.
PING_INTERVAL_S = 30.0
PRUNED_NOTE = f"its node is pruned: of it only the newest {NEWEST_BLOCKS} blocks are asked"
# Of what one read brought: looked at before the clock is, and in one turn of the loop. A node that is far
# ahead sends hundreds of blocks in one piece, and nobody else would be answered for a second.
FRAMES_AT_ONCE = 2
TURN_S_MAX = 0.001


class P2pSource(ConnectingSource):
    """One upstream over P2P: a host that is named, or one after another of the nodes that are known."""

    def __init__(
        self,
        spec: SourceSpec,
        parameters: NetworkParameters,
        intake: Sink,
        observer: StageObserver,
        *,
        chain: P2pChain | None = None,
    ) -> None:
        """Without `chain` blocks come whole, and a host has to be named."""
        super().__init__(spec, intake)
        self.parameters = parameters
        self.observer = observer
        self.sharing = chain
        self.peers = chain.peers if chain is not None and not spec.host else None
        self.compact: Counter[str] = Counter()
        self._host, self._port = spec.host, spec.port or parameters.default_port

    async def open(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, loop), self._host, self._port
                )
        except OSError as error:
            if self.spec.port is None and not isinstance(error, TimeoutError):
                # Its URL, which stands beside the reason, doesn't say where that was.
                raise UpstreamError(f"{self._host} port {self._port}: {error}") from error
            raise
        return connection

    async def connect_once(self) -> tuple[Ending, float]:
        """Serve one connection to the host that is named, or to one of the known nodes."""
        if self.peers is None:
            return await super().connect_once()
        try:
            address = await self.peers.choose()
        except UpstreamError as error:
            self._note(str(error), was_ready=False)
            self.guard.ended(str(error))
            return "failed", 0.0
        self._host, self._port = address.host, address.port
        try:
            ending, held_s = await super().connect_once()
        except BaseException:  # the relay stops: that says nothing of the node
            self.peers.released(address)
            raise
        await self.peers.ended(address, served=held_s > 0, misbehaved=ending == "misbehaved")
        # The node is not asked again, so another need not wait as long as this one would have to.
        return ("lost" if ending == "misbehaved" else ending), held_s

    def shut_out_says(self, held_s: float) -> str:
        """Say what is done about a node that misbehaved: one that no config names is not waited for."""
        return super().shut_out_says(held_s) if self.peers is None else "another node is asked"

    def view(self) -> SourceView:
        view, connection = super().view(), self._connection
        pruned = isinstance(connection, _Connection) and connection.is_pruned
        notes = (*view.notes, PRUNED_NOTE) if pruned else view.notes
        return msgspec.structs.replace(view, notes=notes, compact=dict(self.compact))


class _Connection(asyncio.Protocol):
    """One connection of a source; `Upstream` to the intake."""

    def __init__(self, source: P2pSource, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop
        self.ended: asyncio.Future[str] = loop.create_future()
        self.ready_at: float | None = None
        self.user_agent = ""
        self.misbehaved = False
        self.concerns_provider = False
        self._lateness = Lateness()
        self._heard_at = clock()  # of what was asked for, the last part that came
        self._pongs = 0
        self._invalid: Counter[str] = Counter()
        self._transport: asyncio.Transport | None = None
        self._timer = OneTimer(loop, self._on_timer)
        self._writable = True
        self._paused_at: float | None = None
        settings = SessionSettings(
            user_agent=_user_agent(),
            unix_time_offset_s=wall_clock() - clock(),
            addresses_wanted=source.peers is not None,
            ping_interval_s=PING_INTERVAL_S,
        )
        nonce = int.from_bytes(random_bytes(8), "little")
        relaying = None
        if source.sharing is not None:
            relaying = Relaying(source.sharing.pool, source.compact, source.spec.mempool)
        self._read_at = clock()
        self._held = False
        self._taking = False
        self._rebuilt: list[SessionEvent] = []
        self._session = PeerSession(source.parameters, settings, nonce=nonce, now=clock(), relaying=relaying)

    @property
    def faults(self) -> Counter[str]:
        """What was wrong on this connection, by kind: of the protocol, and `invalid` of what was proved."""
        return Counter(self._session.counts) + self._invalid

    @property
    def syncing(self) -> str:
        """Why the node gives nothing yet although it is well; empty where it gives."""
        return self._session.syncing

    @property
    def is_pruned(self) -> bool:
        return self._session.is_pruned

    def awaited_s(self, now: float) -> float:
        asked_at = self._session.oldest_request_at
        return 0.0 if asked_at is None else now - asked_at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, so the type is stated, not tested.
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        self._lateness.asked(clock())
        stream.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._read_at = clock()
        self._source.observer.mark("read", self._source.intake.chain, b"", self._read_at)
        self._take_turn(data)

    def _take_turn(self, data: bytes = b"") -> None:
        """Take messages for a bounded time; what is left, and reading on, waits for the next turn."""
        ends_at = clock() + TURN_S_MAX
        while True:
            self._take_some(self._session.receive_data(data, self._read_at, frames_max=FRAMES_AT_ONCE))
            data = b""
            if not self._session.more_waits or self.ended.done():
                self._hold(held=False)
                break
            if clock() >= ends_at:
                self._hold(held=True)
                break
        self._flush()

    def _take_some(self, events: Sequence[SessionEvent]) -> None:
        self._taking = True
        self._take_all(events, self._read_at)
        self._taking = False
        # A block that came with its header is taken in the same turn, before anybody else has the processor.
        while self._rebuilt:
            rebuilt, self._rebuilt = self._rebuilt, []
            self._take_all(rebuilt)

    def _hold(self, *, held: bool) -> None:
        """Read no more until what was read is looked at; it is gone on with after the others' turn."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if held:
            self._loop.call_soon(self._go_on)
        if held != self._held and self._paused_at is None:
            (transport.pause_reading if held else transport.resume_reading)()
        self._held = held

    def _go_on(self) -> None:
        if self._held and self._paused_at is None and not self.ended.done():
            self._take_turn()

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
        now = clock()
        self._session.request_headers(locator, now)
        self._source.guard.asked("getheaders")
        self._lateness.asked(now)
        self._flush()

    def request_blocks(self, hashes: Sequence[bytes]) -> None:
        for block_hash in hashes:
            self._source.guard.asked(block_hash)
        rebuilt = self._session.request_blocks(hashes, clock())
        # The one who asks is not done yet with what it acts on.
        if rebuilt and self._taking:
            self._rebuilt += rebuilt
        elif rebuilt:
            self._loop.call_soon(self._take_all, rebuilt)
        self._flush()

    def overdue(self, seconds: float) -> None:
        """Count a block that has not come; not while one is coming, however slowly."""
        now = clock()
        heard_at = self._read_at if self._session.mid_message else 0.0
        self._count_late(self._lateness.overdue("getdata", seconds, heard_at, now))

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
            if not self._held:
                transport.pause_reading()
            self._paused_at = clock()
            self._timer.cancel()
        elif not paused and self._paused_at is not None:
            now = clock()
            self._session.stood_still(now - self._paused_at)
            self._heard_at = now
            self._paused_at = None
            if self._held:
                self._loop.call_soon(self._go_on)
            else:
                transport.resume_reading()
            self._flush()

    def abort(self, reason: str = STOPS) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

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
            source.intake.source_ready(source.spec.name, self, provider=source.spec.provider)
            return
        if isinstance(event, AddressesReceived) and source.peers is not None:
            source.peers.learned(event.addresses)
        if isinstance(event, HeadersReceived):
            source.guard.answered("getheaders")
        elif isinstance(event, HeadersPassedOver):
            source.guard.passed_over("getheaders")
        elif isinstance(event, BlockReceived):
            source.blocks_received += 1
            self._heard_at = framed_at
            block_hash = sha256d(event.raw[:HEADER_SIZE])
            source.guard.answered(block_hash)
            if source.sharing is not None:
                source.sharing.delivered(source.spec.name, block_hash)
        elif isinstance(event, BlocksNotFound):
            for block_hash in event.hashes:
                source.guard.answered(block_hash)
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
            due = (self._session.next_timer(), self._lateness.next_timer())
            self._timer.arm(min((at for at in due if at is not None), default=None))

    def _on_timer(self) -> None:
        now = clock()
        self._session.handle_timer(now)
        self._check_lateness(now)
        self._flush()

    def _check_lateness(self, now: float) -> None:
        """Count an answer that has not come, and a pong that has."""
        session, guard = self._session, self._source.guard
        if session.pongs != self._pongs:
            self._pongs = session.pongs
            guard.heard("ping")
        owed = session.owed()
        if owed:
            self._lateness.asked(now)
        heard_at = max(self._heard_at, self._read_at) if session.mid_message else self._heard_at
        self._count_late(self._lateness.check(owed, heard_at, now))

    def _count_late(self, late: Late | None) -> None:
        if late is not None and self._session.closed is None:
            self._source.guard.late(late, needed=self._source.intake.needs_sources)

    def _end(self, reason: str) -> None:
        self._timer.cancel()
        if self.ended.done():
            return
        self.ended.set_result(reason)
        if self._source.sharing is not None:
            self._source.sharing.left(self._source.spec.name)
        self._source.tell_lost(self, reason)


def _user_agent() -> str:
    return f"/sprint:{__version__}/"
