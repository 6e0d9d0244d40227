"""One connection to a `/ws` that tells of breakers: it is told everything and is asked for nothing."""

from __future__ import annotations

import msgspec

from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.web.outgoing import FlushWindow
from sprint.tools.web.websocket import WebSocketConnection, encode_text_frame


class TellingSession:
    """Hands what the feed tells to its connection, within that one's bounds.

    One that doesn't read is closed as slow, with the last `seq` that was sent as the reason.
    """

    window: FlushWindow | None = None

    def __init__(self) -> None:
        self._connection: WebSocketConnection | None = None

    def opened(self, connection: WebSocketConnection) -> None:
        self._connection = connection

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

    def tell(self, payload: bytes, seq: int) -> None:
        """Send a message."""
        if self._connection is not None:
            self._connection.outgoing.offer(encode_text_frame(payload), str(seq))


class BreakerSession(TellingSession):
    """A watcher of one process's breakers."""

    def __init__(self, feed: BreakerFeed) -> None:
        super().__init__()
        self._feed = feed

    def opened(self, connection: WebSocketConnection) -> None:
        super().opened(connection)
        self._feed.watch(self)

    def closed(self) -> None:
        super().closed()
        self._feed.leave(self)
