"""One socket of a devnet node and its serving session, on the event loop.

What a session has to say is taken only as fast as the peer reads, and as the line lets it out; how much of
it may wait is the session's own limit.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.tools.devnet.line import Line, LineConditions
from sprint.tools.devnet.node import DevnetNode


class ServingNode(Protocol):
    """The node that connections are made to. It is told of each that begins and ends."""

    core: DevnetNode
    connections: set[Connection]
    line: LineConditions

    def open_session(self) -> ServingSession | None:
        """Start serving a connection; None if there are too many, or it came while stopping."""


class Connection(asyncio.Protocol):
    """One socket and its serving session; the session is None until connected and after the end."""

    def __init__(self, node: ServingNode) -> None:
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._session: ServingSession | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._line = Line(node.line)
        self._paused = False
        self._lost = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a TCP server makes no other kind
        self._node.connections.add(self)
        self._session = self._node.open_session()
        if self._session is None:
            self._transport.abort()
        self.flush()

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._session.receive_data(data, self._loop.time())
            self.flush()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()
        if self._session is not None:
            self._node.core.close_session(self._session)
        self._session = self._transport = self._timer = None
        self._node.connections.discard(self)
        self._lost.set_result(None)

    def flush(self) -> None:
        """Write what the session has to say, arm its timer, and end the connection if the session ended."""
        session, transport = self._session, self._transport
        if session is None or transport is None:
            return
        now = self._loop.time()
        while not self._paused and (data := self._line.send(session.data_to_send, now)):
            transport.write(data)
        if session.closed is None:
            due = (session.next_timer(), self._line.next_timer(now))
            self._arm(min((at for at in due if at is not None), default=None))
        else:
            transport.abort()

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """End the connection at once and wait until it is gone."""
        if self._transport is not None:
            self._transport.abort()
            await self._lost

    def _arm(self, due: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._timer_due)

    def _timer_due(self) -> None:
        if self._session is not None:
            self._session.handle_timer(self._loop.time())
            self.flush()
