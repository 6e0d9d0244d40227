"""One connection of HTTP/1.1 to the target: a request out, its answer in, and again.

It reads an answer as far as it needs to be counted: its end, its status, how many bytes it had. The one file
of the load tester that wraps `httptools`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from sprint.tools.loadtest.moments import clock_ns

HEAD_SIZE_MAX = 64 * 1024
KNOWN_MAX = 64
_HEAD_END = b"\r\n\r\n"
_ERROR_FROM = 400
_FINAL = 200  # statuses below it come before the answer itself


class KnownAnswers:
    """The heads of answers that were read before, by the size of the whole answer.

    One that comes in one piece, of the same size and with the same bytes up to the end of its headers, a
    length among them, is complete and has the same status: it needn't be parsed again.
    """

    def __init__(self) -> None:
        self.by_size: dict[int, tuple[bytes, int]] = {}

    def __repr__(self) -> str:
        return f"KnownAnswers({len(self.by_size)})"

    def learn(self, answer: bytes, status: int) -> None:
        """Remember an answer that was parsed, where its head says how long it is."""
        head, end, _ = answer.partition(_HEAD_END)
        lower = head.lower()
        if b"\r\ncontent-length:" not in lower or b"\r\ntransfer-encoding:" in lower:
            return
        if len(self.by_size) >= KNOWN_MAX:
            self.by_size.clear()
        self.by_size[len(answer)] = (head + end, status)


class ConnectionOwner(Protocol):
    """Who is told what became of a request, and when a connection can take another or is no more."""

    def answered(self, connection: HttpConnection, status: int, done_ns: int) -> None: ...
    def broken(self, connection: HttpConnection, kind: str) -> None: ...
    def gone(self, connection: HttpConnection) -> None: ...


class HttpConnection(asyncio.Protocol):
    """Holds at most one request. `busy`: it waits for an answer."""

    __slots__ = (
        "_complete", "_headers_done", "_is_head", "_keeps", "_known", "_learn", "_owner", "_parser",
        "_status", "_transport", "busy", "head", "received", "scheduled_ns", "sent_ns",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner, known: KnownAnswers, *, is_head: bool = False) -> None:
        self._owner: ConnectionOwner | None = owner
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._known = known.by_size
        self._learn = known.learn
        self._is_head = is_head
        self._complete = self._headers_done = self._keeps = False
        self._status = 0
        self.busy = False
        self.head = b""  # what the answer begins with
        self.received = 0
        self.scheduled_ns = self.sent_ns = 0

    def __repr__(self) -> str:
        return f"HttpConnection({'closed' if self.closed else 'busy' if self.busy else 'free'})"

    @property
    def used(self) -> bool:
        """Whether a request was sent on it."""
        return self.sent_ns > 0

    @property
    def closed(self) -> bool:
        """Whether it takes no request any more."""
        return self._owner is None

    def send(self, request: bytes, scheduled_ns: int) -> None:
        """Send a request that was due at `scheduled_ns`."""
        transport = self._transport
        if transport is None:
            raise RuntimeError("a connection is handed out once it is made")
        self.busy = True
        self._complete = self._headers_done = False
        self.head = b""
        self.received = 0
        self.scheduled_ns = scheduled_ns
        self.sent_ns = clock_ns()
        transport.write(request)

    def abort(self) -> None:
        """Close at once; the owner is told nothing more."""
        self._owner = None
        self.busy = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, so the type is stated, not tested.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        done_ns = clock_ns()
        owner = self._owner
        if owner is None:
            return
        if not self.busy:
            self._end("bad_answer")
            return
        known = self._known.get(len(data))
        if known is not None and not self.received and data.startswith(known[0]):
            self.received = len(data)
            self.busy = False
            owner.answered(self, known[1], done_ns)
            return
        self.received += len(data)
        if not self._headers_done:
            self.head = self.head + data if self.head else data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("bad_answer")
            return
        if self._complete:
            if (
                self._keeps
                and len(data) == self.received
                and self._status < _ERROR_FROM
                and not self._is_head
            ):
                self._learn(data, self._status)
            self._finish(owner, done_ns)
        elif not self._headers_done and len(self.head) > HEAD_SIZE_MAX:
            self._end("bad_answer")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._headers_done = status >= _FINAL
        if self._is_head and self._headers_done:
            self._end_of(self._parser)

    def on_message_complete(self) -> None:
        # What the parser knows of a message it knows until the next one begins, not beyond this call.
        self._end_of(self._parser)

    def _end_of(self, parser: httptools.HttpResponseParser) -> None:
        self._status = parser.get_status_code()
        self._keeps = parser.should_keep_alive()
        self._complete = self._status >= _FINAL

    def connection_lost(self, exc: Exception | None) -> None:
        owner = self._owner
        if owner is None:
            return
        ends_by_closing = self._headers_done and b"content-length:" not in self.head.lower()
        if self.busy and exc is None and ends_by_closing and b"chunked" not in self.head.lower():
            # The answer ends where the connection does (RFC 9112, 6.3).
            self._owner = None
            self.busy = False
            owner.answered(self, self._parser.get_status_code(), clock_ns())
            owner.gone(self)
            return
        self._end("reset" if isinstance(exc, ConnectionError) else "closed")

    def _finish(self, owner: ConnectionOwner, done_ns: int) -> None:
        keeps, status = self._keeps, self._status
        self.busy = False
        if self._is_head:
            # What says how long a body would be is in the answer, the body isn't: the parser waits for it.
            self._parser = httptools.HttpResponseParser(self)
        if not keeps:
            self.abort()
        owner.answered(self, status, done_ns)
        if not keeps:
            owner.gone(self)

    def _end(self, kind: str) -> None:
        owner, was_busy = self._owner, self.busy
        self.abort()
        if owner is None:
            return
        if was_busy:
            owner.broken(self, kind)
        owner.gone(self)
