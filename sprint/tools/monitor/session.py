"""One connection to the monitor's `/ws`: it is told everything and is asked for nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from sprint.tools.breaker_api.session import TellingSession
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.web.websocket import SLOW, WebSocketConnection, encode_text_frame

# What is told while a snapshot of many parts is still going out waits for it; at some 500 bytes each 1 MB.
WAITING_MAX = 2_048


class FleetSession(TellingSession):
    """A watcher of all relays' breakers. A snapshot comes in parts, and what is told meanwhile after it."""

    def __init__(self, feed: FleetFeed) -> None:
        super().__init__()
        self._feed = feed
        self._waiting: deque[tuple[bytes, int]] | None = None
        self._introduction: asyncio.Task[None] | None = None

    def opened(self, connection: WebSocketConnection) -> None:
        super().opened(connection)
        self._feed.watch(self)

    def closed(self) -> None:
        super().closed()
        self._feed.leave(self)
        if self._introduction is not None:
            self._introduction.cancel()

    def introduce(self, parts: Sequence[bytes], seq: int) -> None:
        """Send a snapshot; each part of several when the one before it is out."""
        if self._introduction is not None:
            self._introduction.cancel()
        self._waiting = deque()
        self._introduction = asyncio.create_task(self._introduce(parts, seq))

    def tell(self, payload: bytes, seq: int) -> None:
        """Send a message, or keep it until the snapshot before it is out."""
        if self._connection is None:
            return
        if self._waiting is None:
            super().tell(payload, seq)
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
