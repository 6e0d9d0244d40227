"""One connection of HTTP/1.1 to the target: a request out, its answer in, and again.

It reads an answer as far as it needs to be counted: its end, its status, how many bytes it had. The one file
of the load tester that wraps `httptools`.
"""

from __future__ import annotations

import socket
import ssl
from typing import Protocol

import httptools

from sprint.tools.loadtest.moments import clock_ns
from sprint.tools.loadtest.ready_set import WRITABLE, ReadySet

# At a time: what is asked for is allocated each time. A record of TLS has no more (RFC 8446, 5.1), so that
# nothing is left within TLS, of which the system wouldn't tell again.
READ_SIZE = 16 * 1024
HEAD_SIZE_MAX = 64 * 1024
KNOWN_MAX = 64
_HEAD_END = b"\r\n\r\n"
_ERROR_FROM = 400
_FINAL = 200  # statuses below it come before the answer itself
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


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


class HttpConnection:
    """Holds at most one request, and owns its socket, which never blocks.

    `busy`: it waits for an answer. `closed`: it takes no request any more.
    """

    __slots__ = (
        "_answers", "_complete", "_error", "_headers_done", "_is_head", "_keeps", "_known", "_learn",
        "_owner", "_parser", "_receive", "_socket", "_status", "_unsent", "_write", "busy",
        "closed", "head", "received", "scheduled_ns", "sent_ns",
    )  # fmt: skip

    def __init__(
        self,
        owner: ConnectionOwner,
        opened: socket.socket,
        answers: ReadySet,
        known: KnownAnswers,
        *,
        is_head: bool = False,
    ) -> None:
        self._owner: ConnectionOwner | None = owner
        self._socket = opened
        self._write = opened.send
        self._receive = opened.recv
        self._answers = answers
        self._parser = httptools.HttpResponseParser(self)
        self._known = known.by_size
        self._learn = known.learn
        self._is_head = is_head
        self._complete = self._headers_done = self._keeps = False
        self._status = 0
        self._unsent = b""
        self._error: OSError | None = None
        self.busy = self.closed = False
        self.head = b""  # what the answer begins with
        self.received = 0
        self.scheduled_ns = self.sent_ns = 0
        answers.add(opened.fileno(), self._ready)

    def __repr__(self) -> str:
        return f"HttpConnection({'closed' if self.closed else 'busy' if self.busy else 'free'})"

    @property
    def used(self) -> bool:
        """Whether a request was sent on it."""
        return self.sent_ns > 0

    def send(self, request: bytes, scheduled_ns: int) -> None:
        """Send a request that was due at `scheduled_ns`."""
        self.busy = True
        self.received = 0
        self.scheduled_ns = scheduled_ns
        self.sent_ns = clock_ns()
        if self._unsent:
            self._unsent += request  # the answer before came while its request was still on its way out
            return
        try:
            count = self._write(request)
        except _NOT_NOW:
            count = 0
        except OSError as error:
            # Reading shows it too, and the owner isn't told within its own call.
            self._error = error
            return
        if count != len(request):
            self._unsent = request[count:]
            self._answers.watch_writing(self._socket.fileno(), also=True)

    def abort(self) -> None:
        """Close at once; the owner is told nothing more."""
        self._owner = None
        self.busy = False
        self.closed = True
        self._answers.remove(self._socket.fileno())
        self._socket.close()

    def _ready(self, ready_for: int) -> None:
        if ready_for & WRITABLE:
            self._send_rest()
            if ready_for == WRITABLE:
                return
        try:
            data = self._receive(READ_SIZE)
        except _NOT_NOW:
            return
        except OSError as error:
            self._lost(error)
            return
        if not data:
            self._lost(self._error)
            return
        done_ns = clock_ns()
        known = self._known.get(len(data))
        owner = self._owner
        if (
            known is not None
            and owner is not None
            and self.busy
            and not self.received
            and data.startswith(known[0])
        ):
            self.received = len(data)
            self.busy = False
            owner.answered(self, known[1], done_ns)
        else:
            self._received(data, done_ns)

    def _send_rest(self) -> None:
        try:
            self._unsent = self._unsent[self._write(self._unsent) :]
        except _NOT_NOW:
            return
        except OSError as error:
            self._error, self._unsent = error, b""
        if not self._unsent:
            self._answers.watch_writing(self._socket.fileno(), also=False)

    def _received(self, data: bytes, done_ns: int) -> None:
        owner = self._owner
        if owner is None:
            return
        if not self.busy:
            self._end("bad_answer")
            return
        self._parse(owner, data, done_ns)

    def _parse(self, owner: ConnectionOwner, data: bytes, done_ns: int) -> None:
        if not self.received:
            self._complete = self._headers_done = False
            self.head = b""
        self.received += len(data)
        if not self._headers_done:
            self.head = self.head + data if self.head else data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("bad_answer")
            return
        if self._complete:
            is_plain = self._keeps and self._status < _ERROR_FROM and not self._is_head
            if is_plain and len(data) == self.received:
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

    def _lost(self, error: OSError | None) -> None:
        owner = self._owner
        if owner is None:
            return
        begun = self.received > 0 and self._headers_done
        ends_by_closing = begun and b"content-length:" not in self.head.lower()
        if self.busy and error is None and ends_by_closing and b"chunked" not in self.head.lower():
            # The answer ends where the connection does (RFC 9112, 6.3).
            self.abort()
            owner.answered(self, self._parser.get_status_code(), clock_ns())
            owner.gone(self)
            return
        self._end("reset" if isinstance(error, ConnectionError) else "closed")

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
