"""A source that is asked over JSON-RPC: the HTTP connections around an `RpcSession`.

Each of the session's lanes has a connection of its own, opened when there is something to send and again when
the node has closed it. The session decides what is asked; what it tells goes to the chain's intake.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Sequence

import msgspec

from sprint.core.protocols.announcements import BlockArrived
from sprint.core.protocols.json_rpc.lane import Lane, PublishingTold, Ready, RpcEvent, RpcRequest
from sprint.core.protocols.json_rpc.results import Publishing
from sprint.core.protocols.json_rpc.session import RpcSession
from sprint.core.protocols.json_rpc.settings import RpcSettings
from sprint.core.relay.lateness import Late, Lateness
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from sprint.tools.relay.intake import Sink
from sprint.tools.relay.one_timer import OneTimer
from sprint.tools.relay.sources.connecting import CONNECT_TIMEOUT_S, STOPS, ConnectingSource
from sprint.tools.relay.sources.http_connection import HttpAnswer, HttpConnection
from sprint.tools.relay.sources.login import authorization, warnings_of
from sprint.tools.relay.sources.publisher_watch import PublisherWatch
from sprint.tools.relay.sources.view import SourceView
from sprint.tools.relay.stages import StageObserver
from sprint.tools.runtime import clock, log_fields

TLS_PORT = 443
log = logging.getLogger(__name__)


class RpcSource(ConnectingSource):
    """One node that is asked over JSON-RPC."""

    def __init__(
        self,
        spec: SourceSpec,
        network: ChainNetwork,
        intake: Sink,
        observer: StageObserver,
        settings: RpcSettings | None = None,
    ) -> None:
        super().__init__(spec, intake)
        self.network = network
        self.observer = observer
        self.settings = settings or RpcSettings()
        self.publishers = PublisherWatch.of(intake)
        self.requests: Counter[str] = Counter()  # by lane
        for warning in warnings_of(spec):
            log_fields(log, logging.WARNING, warning, chain=intake.chain, source=spec.name)

    def view(self) -> SourceView:
        connection, view = self._connection, super().view()
        notes = connection.notes if isinstance(connection, RpcConnection) else ()
        return msgspec.structs.replace(view, notes=(*view.notes, *notes), requests=dict(self.requests))

    async def open(self) -> RpcConnection:
        """Read the login, open the first connection, greet the node."""
        header = await asyncio.to_thread(authorization, self.spec.login)
        connection = RpcConnection(self, header)
        try:
            await connection.connect()
        except BaseException:
            connection.abort()
            raise
        return connection


class RpcConnection:
    """The lanes to one node; `Upstream` to the intake."""

    def __init__(self, source: RpcSource, header: str) -> None:
        self.source = source
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.publishing: asyncio.Future[Publishing | None] = asyncio.get_running_loop().create_future()
        self.ready_at: float | None = None
        self.misbehaved = False
        self.syncing = ""  # over JSON-RPC a node answers all the same: a note says that it syncs
        self.paused_at: float | None = None
        self._taking = False
        self._lateness = Lateness()
        self._heard_at = clock()
        self._invalid: Counter[str] = Counter()
        self._timer = OneTimer(asyncio.get_running_loop(), self._on_timer)
        self._session = RpcSession(
            source.network.parameters,
            source.settings,
            source=source.spec.name,
            now=clock(),
            owner_of=ChainCatalog.installed().of_genesis,
        )
        self._lanes = {name: _LaneConnection(self, name, header) for name in Lane}

    def __repr__(self) -> str:
        return f"RpcConnection({self.source.spec.url}, {self._session!r})"

    @property
    def user_agent(self) -> str:
        return self._session.user_agent

    @property
    def height(self) -> int:
        return self._session.height

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the node although it is usable."""
        return tuple(filter(None, (self._session.batching.note, self._session.sync.note)))

    @property
    def concerns_provider(self) -> bool:
        """Whether it ended by what the provider's other ways that log in will meet too."""
        return self._session.concerns_provider

    @property
    def faults(self) -> Counter[str]:
        """What was wrong on this connection, by kind: of the protocol, and `invalid` of what was proved."""
        return Counter(self._session.counts) + self._invalid

    def awaited_s(self, now: float) -> float:
        asked_at = self._session.oldest_request_at
        return 0.0 if asked_at is None else now - asked_at

    async def connect(self) -> None:
        """Open the lane that greets the node, and greet it. OSError or TimeoutError where that fails."""
        await self._lanes[Lane.TIP].connect()
        self._flush()

    # What the intake asks of a ready source.

    def request_headers(self, locator: Sequence[bytes]) -> None:
        self._session.request_headers(locator)
        self._flush()

    def request_blocks(self, hashes: Sequence[bytes]) -> None:
        self._session.request_blocks(hashes, clock())
        self._flush()

    def request_publishing(self) -> None:
        """Ask what the node publishes over ZMQ."""
        self._session.request_publishing()
        self._flush()

    def overdue(self, seconds: float) -> None:
        """Count a block that has not come; not while its answer is coming, however slowly."""
        heard_at = self._lanes[Lane.BODIES].read_at
        self._count_late(self._lateness.overdue("getblock", seconds, heard_at, clock()))

    def penalise(self, points: int, reason: str) -> None:
        self._invalid["invalid"] += 1
        self._session.penalise(points, reason)
        self._flush()

    def pause(self, *, paused: bool) -> None:
        if self.ended.done() or paused == (self.paused_at is not None):
            return
        if self.paused_at is None:
            self.paused_at = clock()
            self._timer.cancel()
        else:
            now = clock()
            self._session.stood_still(now - self.paused_at)
            self._heard_at = now
            self.paused_at = None
        for lane in self._lanes.values():
            lane.pause(paused=paused)
        self._flush()

    def abort(self, reason: str = STOPS) -> None:
        self._end(reason)

    # What the lanes tell.

    def answered(self, lane: Lane, answer: HttpAnswer) -> None:
        source = self.source
        source.observer.mark("read", source.intake.chain, b"", answer.read_at)
        asked = self._session.lane(lane).under_way
        events = self._session.receive_answer(lane, answer.status, answer.body, answer.read_at)
        self._count_answer(lane, asked[0].method if asked else "")
        self._take(events, clock())

    def _count_answer(self, lane: Lane, method: str) -> None:
        guard = self.source.guard
        if self._session.closed is not None:
            return  # that its end tells
        if self._session.lane(lane).busy:
            guard.told_nothing(lane)
        elif lane is Lane.TIP:
            guard.heard(method)
        else:
            guard.answered(lane)

    def too_large(self, lane: Lane, size: int) -> None:
        now = clock()
        self._take(self._session.answer_too_large(lane, size, now), now)

    def lane_lost(self, lane: Lane, reason: str, *, malformed: bool) -> None:
        self._session.connection_lost(lane, reason, malformed=malformed)
        self._flush()

    def unreachable(self, reason: str) -> None:
        self._session.close(reason)
        self._flush()

    def _take(self, events: Sequence[RpcEvent], framed_at: float) -> None:
        source = self.source
        self._taking = True  # what they lead to is asked for before the next wait begins
        for event in events:
            if self._session.closed is not None:
                break  # what came with the fault that closed it counts for nothing
            if isinstance(event, Ready):
                self.ready_at = framed_at
                source.intake.source_ready(source.spec.name, self, provider=source.spec.provider)
                source.publishers.serves(source.spec, self.request_publishing)
                continue
            if isinstance(event, PublishingTold):
                self._take_publishing(event.publishing)
                continue
            if isinstance(event, BlockArrived):
                source.blocks_received += 1
            source.intake.announce(event, framed_at)
        self._taking = False
        self._flush()

    def _take_publishing(self, publishing: Publishing | None) -> None:
        if not self.publishing.done():
            self.publishing.set_result(publishing)
        if publishing is not None:
            self.source.publishers.told(self.source.spec.name, publishing)

    def _flush(self) -> None:
        """Send what the session asks for, arm its timer, end where it has closed."""
        session = self._session
        if session.closed is not None:
            self.misbehaved = session.score >= session.settings.score_max
            self._end(session.closed)
            return
        # What has come and is not read yet must not run out of time.
        if self.ended.done() or self.paused_at is not None:
            return
        now = clock()
        for name, lane in self._lanes.items():
            if name is Lane.TIP and self._taking:
                continue
            request = session.data_to_send(name, now)
            if request is not None:
                self.source.requests[name.value] += 1
                if name is not Lane.TIP:  # whose answer waits for a block
                    self.source.guard.asked(name)
                self._lateness.asked(now)
                lane.send(request)
        due = (session.next_timer(), self._lateness.next_timer())
        self._timer.arm(min((at for at in due if at is not None), default=None))

    def _on_timer(self) -> None:
        now = clock()
        self._session.handle_timer(now)
        self._check_lateness(now)
        self._flush()

    def _check_lateness(self, now: float) -> None:
        """Count an answer that has not come."""
        session = self._session
        if session.closed is not None:
            return
        owed = session.owed()
        if owed:
            self._lateness.asked(now)
        heard_at = max(self._heard_at, *(lane.read_at for lane in self._lanes.values()))
        self._count_late(self._lateness.check(owed, heard_at, now))

    def _count_late(self, late: Late | None) -> None:
        if late is not None and self._session.closed is None:
            self.source.guard.late(late, needed=self.source.intake.needs_sources)

    def _end(self, reason: str) -> None:
        self._timer.cancel()
        for lane in self._lanes.values():
            lane.abort()
        if self.ended.done():
            return
        self.ended.set_result(reason)
        self.source.publishers.gone(self.source.spec.name)
        self.source.tell_lost(self, reason)


class _LaneConnection:
    """The HTTP connection of one lane, opened again when the node has closed it."""

    def __init__(self, owner: RpcConnection, name: Lane, header: str) -> None:
        self._owner = owner
        self._name = name
        self._header = header
        self._http: HttpConnection | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def read_at(self) -> float:
        """When a part of an answer came last; 0 before any."""
        return 0.0 if self._http is None else self._http.read_at

    async def connect(self) -> None:
        spec = self._owner.source.spec
        tls = ssl.create_default_context() if spec.scheme == "rpcs" else None
        port = spec.port or TLS_PORT
        host = f"[{spec.host}]" if ":" in spec.host else spec.host
        named = host if spec.port is None else f"{host}:{port}"
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, self._http = await asyncio.get_running_loop().create_connection(
                lambda: HttpConnection(named, self._header, self, path=spec.path.text),
                spec.host,
                port,
                ssl=tls,
            )
        if self._owner.ended.done():
            self.abort()
        elif self._owner.paused_at is not None:
            self._http.pause(paused=True)

    def send(self, request: RpcRequest) -> None:
        if self._http is None:
            self._opening = asyncio.create_task(self._open_and_send(request))
        else:
            self._http.post(request.body, request.answer_size_max)

    async def _open_and_send(self, request: RpcRequest) -> None:
        try:
            await self.connect()
        except (OSError, TimeoutError) as error:
            self._owner.unreachable(str(error) or f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
            return
        if self._http is not None:
            self._http.post(request.body, request.answer_size_max)

    def pause(self, *, paused: bool) -> None:
        if self._http is not None:
            self._http.pause(paused=paused)

    def abort(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._http is not None:
            self._http.abort()
            self._http = None

    # What the HTTP connection tells.

    def answered(self, answer: HttpAnswer) -> None:
        if not answer.keeps:
            self._http = None
        self._owner.answered(self._name, answer)

    def too_large(self, size: int) -> None:
        self._http = None
        self._owner.too_large(self._name, size)

    def ended(self, reason: str, *, malformed: bool) -> None:
        self._http = None
        self._owner.lane_lost(self._name, reason, malformed=malformed)
