"""A source that a node's ZMQ publisher is: subscribing sockets around a `ZmqSession`.

The one file that wraps pyzmq for sources. It only listens: headers and bodies are asked of other sources.
Messages are read from the socket's own descriptor, many in a turn of the loop, which costs a third of what
pyzmq's asyncio sockets do. libzmq's own reconnecting is off: when to try again is the source's gate to say.
Blocks have a socket of their own, so that few of them are kept waiting while many of the small messages may.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec
import zmq
from zmq.utils.monitor import recv_monitor_message

from sprint.core.errors import UpstreamError
from sprint.core.protocols.announcements import Announcement, BlockArrived
from sprint.core.protocols.bitcoin_p2p.framing import payload_sizes_max
from sprint.core.protocols.zmq.frames import PARTS, RAWBLOCK
from sprint.core.protocols.zmq.session import ZmqSession
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainNetwork
from sprint.tools.relay.intake import Sink, Upstream
from sprint.tools.relay.sources.connecting import CONNECT_TIMEOUT_S, STOPS, ConnectingSource
from sprint.tools.relay.sources.publisher_watch import PublisherWatch
from sprint.tools.relay.sources.view import Probe, SourceView
from sprint.tools.relay.stages import Stage, StageObserver
from sprint.tools.runtime import clock

SMALL_MESSAGES_WAITING_MAX = 10_000  # of `hashblock` and `sequence`; each has 41 bytes or less
BLOCKS_WAITING_MAX = 16  # of `rawblock`; each may have 4 MB, and 20 MB more where it has an extension block
SMALL_MESSAGE_SIZE_MAX = 1_024
MESSAGES_PER_TURN_MAX = 256  # of a socket, before others have their turn of the loop
HEARTBEAT_INTERVAL_MS = 10_000
HEARTBEAT_TIMEOUT_MS = 30_000
NONE_HINT = "a node that was asked for ZMQ but has none?"

_WATCHED = (
    zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class ZmqSource(ConnectingSource):
    """One publisher, subscribed to again and again until it is cancelled."""

    def __init__(
        self, spec: SourceSpec, network: ChainNetwork, intake: Sink, observer: StageObserver
    ) -> None:
        super().__init__(spec, intake)
        self.observer = observer
        self.block_size_max = payload_sizes_max(network.parameters)["block"]
        self.session = ZmqSession(spec.name)
        self.publishers = PublisherWatch.of(intake)
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None

    async def run(self) -> None:
        self.publishers.wanted(self.spec)
        try:
            await super().run()
        finally:
            self.publishers.unwanted(self.spec.name)
            self.close()

    def close(self) -> None:
        """Give back libzmq's threads; a later `open` starts them again."""
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def view(self) -> SourceView:
        view = super().view()
        notes = tuple(filter(None, (*view.notes, self.publishers.note_of(self.spec.name))))
        published = {"messages": self.session.messages, "messages_lost": self.session.lost}
        return msgspec.structs.replace(view, notes=notes, published=published)

    async def open(self) -> ZmqConnection:
        """Subscribe; UpstreamError where no publisher answers in time."""
        try:
            connection = await self._subscribe()
        except UpstreamError:
            self.publishers.unreachable(self.spec.name, self.intake)
            raise
        self.publishers.reached(self.spec.name)
        return connection

    async def _subscribe(self) -> ZmqConnection:
        if self._context is None:
            self._context = zmq.Context()
        connection = ZmqConnection(self, self._context)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.subscribed
        except BaseException as error:
            connection.abort()
            if isinstance(error, TimeoutError):
                raise UpstreamError(f"no publisher within {CONNECT_TIMEOUT_S:.0f} s: {NONE_HINT}") from error
            raise
        if connection.ended.done():
            raise UpstreamError(connection.ended.result())
        connection.start()
        return connection


class ZmqConnection:
    """The sockets to one publisher; `Upstream` to the intake, though it can be asked for nothing."""

    def __init__(self, source: ZmqSource, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        loop = asyncio.get_running_loop()
        self.source = source
        self.ended: asyncio.Future[str] = loop.create_future()
        self.subscribed: asyncio.Future[None] = loop.create_future()
        self.ready_at: float | None = None
        self.user_agent = ""
        self.misbehaved = False
        self.concerns_provider = False
        self.syncing = ""
        self._invalid: Counter[str] = Counter()
        self._session = source.session
        self._session.connected()
        self._counted_before = Counter(self._session.counts)
        topics = source.spec.topics
        small = [topic for topic in topics if topic != RAWBLOCK]
        blocks = [topic for topic in topics if topic == RAWBLOCK]
        limits = (
            (small, SMALL_MESSAGES_WAITING_MAX, SMALL_MESSAGE_SIZE_MAX),
            (blocks, BLOCKS_WAITING_MAX, source.block_size_max),
        )
        self._sockets = [_Subscriber(self, context, *each) for each in limits if each[0]]

    def __repr__(self) -> str:
        return f"ZmqConnection({self.source.spec.url}, {self._session!r})"

    @property
    def faults(self) -> Counter[str]:
        """What was wrong on this connection, by kind: of the protocol, and `invalid` of what was proved."""
        return Counter(self._session.counts) - self._counted_before + self._invalid

    def awaited_s(self, now: float) -> float:
        del now  # nothing is asked of a publisher
        return 0.0

    def start(self) -> None:
        """Tell the intake, and take what is published from here on."""
        self.ready_at = clock()
        spec = self.source.spec
        self.source.guard.answered("subscribe")  # there is nothing else to ask
        self.source.intake.source_ready(spec.name, self, serves=False, provider=spec.provider)
        for each in self._sockets:
            each.pause(paused=each.paused)

    # What the intake asks of a ready source.

    def request_headers(self, locator: Sequence[bytes]) -> None:
        """A publisher serves none; the pipeline asks others."""

    def request_blocks(self, hashes: Sequence[bytes]) -> None:
        """A publisher serves none; the pipeline asks others."""

    def penalise(self, points: int, reason: str) -> None:
        self._invalid["invalid"] += 1
        self._session.penalise(points, reason)
        self._end_if_closed()

    def overdue(self, seconds: float) -> None:
        """Nothing is asked of a publisher."""

    def pause(self, *, paused: bool) -> None:
        for each in self._sockets:
            each.pause(paused=paused)

    def abort(self, reason: str = STOPS) -> None:
        self._end(reason)

    # What the sockets tell.

    def handshaken(self) -> None:
        if all(each.handshaken for each in self._sockets) and not self.subscribed.done():
            self.subscribed.set_result(None)

    def lost(self, reason: str) -> None:
        if not self.subscribed.done():
            self.subscribed.set_exception(UpstreamError(f"{reason}: {NONE_HINT}"))
            return
        self._end(reason)

    def take(self, parts: Sequence[bytes]) -> None:
        read_at = clock()
        source = self.source
        source.observer.mark("read", source.intake.chain, b"", read_at)
        for announcement in self._session.receive(parts, read_at):
            if isinstance(announcement, BlockArrived):
                source.blocks_received += 1
            source.intake.announce(announcement, clock())
        self._end_if_closed()

    def _end_if_closed(self) -> None:
        if self._session.closed is not None:
            self.misbehaved = True
            self._end(self._session.closed)

    def _end(self, reason: str) -> None:
        for each in self._sockets:
            each.close()
        self.subscribed.cancel()
        if self.ended.done():
            return
        self.ended.set_result(reason)
        if self.ready_at is not None:
            self.source.tell_lost(self, reason)


class _Subscriber:
    """One subscribing socket and its monitor, both read from the loop. Reads nothing until resumed."""

    def __init__(
        self,
        owner: ZmqConnection,
        context: zmq.Context[zmq.Socket[bytes]],
        topics: Sequence[str],
        waiting_max: int,
        size_max: int,
    ) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.handshaken = False
        self.paused = False
        self._reading = False
        self._closed = False
        self._socket = context.socket(zmq.SUB)
        self._monitor = self._socket.get_monitor_socket(_WATCHED)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, waiting_max),
            (zmq.MAXMSGSIZE, size_max),
            (zmq.RECONNECT_IVL, -1),
            (zmq.HEARTBEAT_IVL, HEARTBEAT_INTERVAL_MS),
            (zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS),
            (zmq.IPV6, int(":" in owner.source.spec.host)),
        ):
            self._socket.setsockopt(option, value)
        for topic in topics:
            self._socket.subscribe(topic.encode())
        self._descriptor = int(self._socket.getsockopt(zmq.FD))
        self._monitor_descriptor = int(self._monitor.getsockopt(zmq.FD))
        self._loop.add_reader(self._monitor_descriptor, self._read_monitor)
        self._socket.connect(owner.source.spec.url.replace("zmq://", "tcp://", 1))
        self._soon(self._read_monitor)

    def pause(self, *, paused: bool) -> None:
        self.paused = paused
        if self._closed or self._reading == (not paused):
            return
        self._reading = not paused
        if paused:
            self._loop.remove_reader(self._descriptor)
        else:
            self._loop.add_reader(self._descriptor, self._drain)
            self._soon(self._drain)

    def close(self) -> None:
        """Close both sockets; again is harmless."""
        if self._closed:
            return
        self.pause(paused=True)
        self._closed = True
        self._loop.remove_reader(self._monitor_descriptor)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)

    def _soon(self, read: Callable[[], None]) -> None:
        # The descriptor only tells that something has changed since the socket was last looked at.
        self._loop.call_soon(read)

    def _drain(self) -> None:
        """Read what is there, up to a bound, until the socket says that it is empty."""
        for _ in range(MESSAGES_PER_TURN_MAX):
            if not self._reading:
                return
            try:
                parts = self._receive()
            except zmq.Again:
                return
            self._owner.take(parts)
        self._soon(self._drain)

    def _receive(self) -> list[bytes]:
        """Read one message, part by part, which is cheaper than `recv_multipart`; Again where there is none.

        Of one with too many parts no more is kept than shows that.
        """
        part = self._socket.recv(zmq.NOBLOCK, copy=False)
        parts = [part.bytes]
        while part.more:
            part = self._socket.recv(zmq.NOBLOCK, copy=False)
            if len(parts) <= PARTS:
                parts.append(part.bytes)
        return parts

    def _read_monitor(self) -> None:
        while not self._closed:
            try:
                event = recv_monitor_message(self._monitor, zmq.NOBLOCK)["event"]
            except zmq.Again:
                return
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.handshaken = True
                self._owner.handshaken()
            elif event == zmq.EVENT_CLOSED:
                self._owner.lost("nothing listens there")
            elif event == zmq.EVENT_DISCONNECTED:
                self._owner.lost("the publisher closed the connection")
            else:
                self._owner.lost("what listens there is no ZMQ publisher")


async def probe_zmq(spec: SourceSpec, network: ChainNetwork) -> Probe:
    """Subscribe once; UpstreamError where no publisher is. Which chain it is of shows in its blocks only."""
    source = ZmqSource(spec, network, _ProbeSink(network.chain_id), _NoObserver())
    started_at = clock()
    try:
        (await source.open()).abort()
    finally:
        source.close()
    note = "it only announces: a p2p or rpc source of the chain has to serve beside it"
    return Probe("", None, note, round((clock() - started_at) * 1000, 2))


class _ProbeSink:
    """Takes what the source says to nobody."""

    needs_sources = paused = False

    def __init__(self, chain: str) -> None:
        self.chain = chain

    def heeded(self, changed: Callable[[], object]) -> AbstractContextManager[None]:
        del changed  # nothing of it changes
        return nullcontext()

    def source_ready(
        self, name: str, upstream: Upstream, *, serves: bool = True, provider: str | None = None
    ) -> None:
        """Nothing is asked of it."""

    def source_lost(self, name: str, reason: str, *, blocked: bool = False) -> None:
        """It ends because the probe does."""

    def source_noted(self, name: str, reason: str) -> None:
        """Nobody is asked beside it."""

    def announce(self, announcement: Announcement, framed_at: float) -> None:
        """What it publishes meanwhile is not looked at."""


class _NoObserver:
    def mark(self, stage: Stage, chain: str, block: bytes, at: float) -> None:
        """Nobody asks for times here."""
