"""What falls due while a WebSocket connection closes."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from sprint.tools.net import bind
from sprint.tools.web.guard import Guard
from sprint.tools.web.outgoing import FlushWindow
from sprint.tools.web.router import Router, Site
from sprint.tools.web.server import serve
from sprint.tools.web.websocket import WebSocketConnection


class Closing:
    """A session whose peer has gone, and whose ping falls due just then."""

    window: FlushWindow | None = None

    def __init__(self, pinged: asyncio.Future[None]) -> None:
        self.pinged = pinged
        self.connection: WebSocketConnection | None = None

    def opened(self, connection: WebSocketConnection) -> None:
        self.connection = connection

    def message(self, text: str) -> None:
        assert self.connection is not None
        try:
            self.connection._protocol.receive_eof()  # the peer has gone without a word
            assert self.connection._protocol.state is State.CLOSED
            self.connection._ping()
        except Exception as error:
            self.pinged.set_exception(error)
            raise
        self.connection._write_protocol()
        self.pinged.set_result(None)

    def malformed(self) -> None:
        raise AssertionError("nothing malformed was sent")

    def closed(self) -> None:
        self.connection = None


def test_a_ping_that_falls_due_while_closing_is_not_sent() -> None:
    async def run() -> None:
        pinged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        router = Router()
        router.add_websocket("/closing", lambda _: Closing(pinged))
        bound = bind("127.0.0.1", 0)
        listener = await serve(Site(router, Guard(bound.getsockname()[1]), connections_max=10), bound)
        async with connect(f"ws://127.0.0.1:{listener.port}/closing") as connection:
            await connection.send("now")
            await asyncio.wait_for(pinged, 5)
            with pytest.raises(ConnectionClosed):
                await connection.recv()
        await listener.stop()

    asyncio.run(run())
