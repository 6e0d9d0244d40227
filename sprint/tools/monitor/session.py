"""One connection to the monitor's `/ws`: it is told everything and is asked for nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.web.outgoing import FlushWindow
from sprint.tools.web.websocket import SLOW, WebSocketConnection, encode_text_frame

# What is told while a snapshot of many parts is still going out waits for it; at some 500 bytes each 1 MB.
WAITING_MAX = 2_048


class FleetSession:
    """Hands what the feed tells to its connection, within that one's bounds.

    One that doesn't read is closed as slow, with the last `seq` that was sent as the reason.
    """

    window: FlushWindow | None = None

    def __init__(self, feed: FleetFeed) -> None:
        self._feed = feed
        self._connection: WebSocketConnection | None = None
        self._waiting: deque[tuple[bytes, int]] | None = None
        self._introduction: asyncio.Task[None] | None = None

    def opened(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self._feed.watch(self)

    def message(self, _text: str) -> None:
        self.malformed()

    def malformed(self) -> None:
        """Refuse a message; orders are given over HTTP, where each has its answer."""
        if self._connection is not None:
            said = "this WebSocket takes no messages; orders are POST /api/breakers/{name}/state"
            self._connection.send(msgspec.json.encode({"type": "error", "code": "bad_op", "message": said}))
            self._connection.count_malformed()

    def closed(self) -> None:
        self._connection = None
        self._feed.leave(self)
        if self._introduction is not None:
            self._introduction.cancel()

    def introduce(self, parts: Sequence[bytes], seq: int) -> None:
        """Send a snapshot; each part of several when the one before it is out."""
        self._waiting = deque()
        self._introduction = asyncio.create_task(self._introduce(parts, seq))

    def tell(self, payload: bytes, seq: int) -> None:
        """Send a message, or keep it until the snapshot before it is out."""
        if self._connection is None:
            return
        if self._waiting is None:
            self._connection.outgoing.offer(encode_text_frame(payload), str(seq))
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append((payload, seq))
        else:
            self._connection.close(SLOW, str(self._waiting[0][1] - 1))

    async def _introduce(self, parts: Sequence[bytes], seq: int) -> None:
        connection = self._connection
        if connection is None:
            return
        for part in parts:
            connection.outgoing.offer(encode_text_frame(part), str(seq))
            if not await connection.outgoing.drained():
                return
        while self._waiting:
            connection.outgoing.offer(encode_text_frame(self._waiting[0][0]), str(self._waiting[0][1]))
            self._waiting.popleft()
            if not await connection.outgoing.drained():
                return
        self._waiting = None
