"""One connection of HTTP/1.1 to a node: POSTs out, answers in, one at a time, kept alive.

The one file of the sources that wraps `httptools`. An answer is read up to the size that its request allows
and no further; a node that does not speak HTTP ends the connection.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol, cast

import httptools

from sprint.tools.runtime import clock

HEADERS_SIZE_MAX = 64 * 1024
CONTENT_LENGTH_DIGITS_MAX = 18
_FINAL = 200  # statuses below it come before the answer itself


class HttpAnswer(NamedTuple):
    """`keeps`: the connection takes another request."""

    status: int
    body: bytes
    keeps: bool
    read_at: float


class HttpOwner(Protocol):
    """Who is told what comes of a connection. After `too_large` and `ended` nothing more is told."""

    def answered(self, answer: HttpAnswer) -> None: ...
    def too_large(self, size: int) -> None: ...
    def ended(self, reason: str, *, malformed: bool) -> None: ...


class HttpConnection(asyncio.Protocol):
    """Posts to one node. After `abort` the owner is told nothing."""

    def __init__(self, host: str, authorization: str, owner: HttpOwner, *, path: str = "/") -> None:
        login = f"Authorization: {authorization}\r\n" if authorization else ""
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{login}"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode("latin-1")
        self._owner: HttpOwner | None = owner
        self._transport: asyncio.Transport | None = None
        self._answer = _Answer()
        self._waiting = False
        self.read_at = 0.0  # when a part of an answer came last

    def __repr__(self) -> str:
        return f"HttpConnection({'waiting' if self._waiting else 'idle'})"

    def post(self, body: bytes, answer_size_max: int) -> None:
        """Send a request; its answer, or the connection's end, is told to the owner."""
        if self._transport is None:
            return
        self._waiting = True
        self._answer.expect(answer_size_max)
        self._transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def abort(self) -> None:
        self._owner = None
        if self._transport is not None:
            self._transport.abort()

    def pause(self, *, paused: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, so the type is stated, not tested.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        read_at = self.read_at = clock()
        owner, answer = self._owner, self._answer
        if not self._waiting or owner is None:
            self._end("the node sends what was not asked for", malformed=True)
            return
        fault = answer.feed(data)
        if fault is not None:
            self._end(fault, malformed=True)
        elif answer.too_large:
            self.abort()
            owner.too_large(answer.size)
        elif answer.complete:
            self._waiting = False
            keeps = answer.keeps
            if not keeps:
                self.abort()
            owner.answered(HttpAnswer(answer.status, answer.take(), keeps, read_at))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "the node closed the connection")

    def _end(self, reason: str, *, malformed: bool = False) -> None:
        owner = self._owner
        self.abort()
        if owner is not None:
            owner.ended(reason, malformed=malformed)


class _Answer:
    """What the parser calls while it reads; the answers of one connection, one after the other."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._size_max = 0
        self._headers_size = 0
        self._in_headers = True
        self.size = 0
        self.status = 0
        self.keeps = False
        self.complete = False
        self.too_large = False
        self._excess = False

    def expect(self, size_max: int) -> None:
        """Get ready for the next answer."""
        self._size_max = size_max
        self._headers_size = self.size = 0
        self.complete = False
        self._in_headers = True

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def feed(self, data: bytes) -> str | None:
        """Read on; return what is wrong, if anything is."""
        if self._in_headers:
            self._headers_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            return f"what answers does not speak HTTP ({error}): is the port the RPC one?"
        if self._in_headers and self._headers_size > HEADERS_SIZE_MAX:
            return f"headers of {self._headers_size} bytes, limit {HEADERS_SIZE_MAX}"
        return "the node sends more than one answer to a request" if self._excess else None

    def on_message_begin(self) -> None:
        self._excess = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-length" and value.isdigit():
            # A number longer than any size is too large without being read as one.
            size = int(value[:CONTENT_LENGTH_DIGITS_MAX])
            if size > self._size_max:
                self.size, self.too_large = size, True

    def on_headers_complete(self) -> None:
        self._in_headers = False

    def on_body(self, part: bytes) -> None:
        if self.too_large:
            return
        self.size += len(part)
        if self.size > self._size_max:
            self.too_large = True
            self._parts.clear()
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.keeps = self._parser.should_keep_alive()
        self.complete = self.status >= _FINAL
        self._in_headers = not self.complete
