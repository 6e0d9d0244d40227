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
HEAD_SIZE_MAX = 64 * 1024  # of an answer, with those that came before it to say that it will come
KNOWN_MAX = 64
_HEAD_END = b"\r\n\r\n"
_ERROR_FROM = 400
_STATUS_AT = len(b"HTTP/1.1 ")
_FINAL = 200  # statuses below it come before the answer itself
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class KnownAnswers:
    """The heads of successes that were read before, by the size of the whole answer.

    One that comes in one piece, of the same size and with the same bytes up to the end of its headers, a
    length among them, is complete and a success too: it needn't be parsed again.
    """

    def __init__(self) -> None:
        self.by_size: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"KnownAnswers({len(self.by_size)})"

    def learn(self, answer: bytes) -> None:
        """Remember a success that was parsed, where its head says how long it is."""
        head, end, _ = answer.partition(_HEAD_END)
        lower = head.lower()
        if b"\r\ncontent-length:" not in lower or b"\r\ntransfer-encoding:" in lower:
            return
        if len(self.by_size) >= KNOWN_MAX:
            self.by_size.clear()
        self.by_size[len(answer)] = head + end


class ConnectionOwner(Protocol):
    """Who is told what became of a request, and when a connection can take another or is no more."""

    def answered(self, connection: HttpConnection, status: int, done_ns: int) -> None: ...
    def broken(self, connection: HttpConnection, kind: str) -> None: ...
    def gone(self, connection: HttpConnection) -> None: ...


class HttpConnection:
    """Holds at most one request, and owns its socket, which never blocks.

    `busy`: it waits for an answer. `closed`: it takes no request any more. `receive` reads of its socket.
    """

    __slots__ = (
        "_answers", "_complete", "_error", "_has_more", "_head_size", "_headers_done", "_is_head",
        "_keeps", "_learn", "_owner", "_parser", "_socket", "_status", "_unsent", "_write", "busy",
        "closed", "descriptor", "head", "receive", "received", "scheduled_ns", "sent_ns",
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
        self.receive = opened.recv
        self._answers = answers
        self._parser = httptools.HttpResponseParser(self)
        self._learn = known.learn
        self._is_head = is_head
        self._complete = self._headers_done = self._keeps = self._has_more = False
        self._status = self._head_size = 0
        self._unsent = b""
        self._error: OSError | None = None
        self.busy = self.closed = False
        self.head = b""  # of the answer, once its headers are whole; before that what has come of it
        self.received = 0
        self.scheduled_ns = self.sent_ns = 0
        self.descriptor = opened.fileno()
        answers.add(self.descriptor, self.ready)

    def __repr__(self) -> str:
        return f"HttpConnection({'closed' if self.closed else 'busy' if self.busy else 'free'})"

    @property
    def used(self) -> bool:
        """Whether a request was sent on it."""
        return self.sent_ns > 0

    def send(self, request: bytes, scheduled_ns: int, now_ns: int) -> None:
        """Send a request that was due at `scheduled_ns`, now."""
        self.busy = True
        self.received = 0
        self.scheduled_ns = scheduled_ns
        self.sent_ns = now_ns
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
            self._answers.watch_writing(self.descriptor, also=True)

    def abort(self) -> None:
        """Close at once; the owner is told nothing more."""
        self._owner = None
        self.busy = False
        self.closed = True
        self._answers.remove(self.descriptor)
        self._socket.close()

    def ready(self, ready_for: int) -> None:
        """Do what the socket is ready for: bits of epoll(7)."""
        if ready_for & WRITABLE:
            self._send_rest()
            if ready_for == WRITABLE:
                return
        try:
            data = self.receive(READ_SIZE)
        except OSError as error:
            self.unread(error)
            return
        self.take(data, clock_ns())

    def unread(self, error: OSError) -> None:
        """Take note that nothing could be read, and why."""
        if not isinstance(error, _NOT_NOW):
            self._lost(error)

    def take(self, data: bytes, done_ns: int) -> None:
        """Take what was read; nothing is the end of the stream."""
        owner = self._owner
        if owner is None:
            return
        if not data:
            self._lost(self._error)
        elif not self.busy:
            self._end("bad_answer")
        else:
            self._parse(owner, data, done_ns)

    def _send_rest(self) -> None:
        try:
            self._unsent = self._unsent[self._write(self._unsent) :]
        except _NOT_NOW:
            return
        except OSError as error:
            self._error, self._unsent = error, b""
        if not self._unsent:
            self._answers.watch_writing(self.descriptor, also=False)

    def _parse(self, owner: ConnectionOwner, data: bytes, done_ns: int) -> None:
        if not self.received:
            self._complete = self._headers_done = self._has_more = False
            self._head_size = 0
            self.head = b""
        self.received += len(data)
        if not self._headers_done:
            self.head = self.head + data if self.head else data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # What follows an answer that is whole doesn't make it less so; nobody asked for another protocol.
            self._has_more = True
            if not self._complete:
                self._end("bad_answer")
                return
        if not self._is_head_fit():
            self._end("bad_answer")
        elif self._complete:
            keeps = self._keeps = self._keeps and not self._has_more
            if keeps and self._status < _ERROR_FROM and not self._is_head and len(data) == self.received:
                self._learn(data)
            self._finish(owner, done_ns)

    def _is_head_fit(self) -> bool:
        """Cut what has come to the answer's own head, once that is whole; False where it is too large."""
        if not self._headers_done:
            return len(self.head) <= HEAD_SIZE_MAX
        if not self._head_size:
            start, size = head_within(self.head)
            # Of HEAD all that follows is no answer to it.
            self._has_more = self._has_more or (self._is_head and self.received > size)
            self.head, self._head_size = self.head[start:size], size
        return self._head_size <= HEAD_SIZE_MAX

    def on_message_begin(self) -> None:
        # Nobody has asked for a second answer: what comes on the connection from here on can't be trusted.
        self._has_more = self._has_more or self._complete

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        status = self._parser.get_status_code()
        self._headers_done = status >= _FINAL
        self._status = status
        if self._is_head and self._headers_done:
            self._end_of(self._parser)

    def on_message_complete(self) -> None:
        # What the parser knows of a message it knows until the next one begins, not beyond this call.
        self._end_of(self._parser)

    def _end_of(self, parser: httptools.HttpResponseParser) -> None:
        if self._complete:
            return
        self._status = parser.get_status_code()
        self._keeps = parser.should_keep_alive()
        self._complete = self._status >= _FINAL

    def _lost(self, error: OSError | None) -> None:
        owner = self._owner
        if owner is None:
            return
        has_begun = self.received > 0 and self._headers_done
        if self.busy and error is None and has_begun and ends_by_closing(self.head):
            # The answer ends where the connection does (RFC 9112, 6.3).
            self.abort()
            owner.answered(self, self._status, clock_ns())
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


def head_within(data: bytes) -> tuple[int, int]:
    """Return where the head of an answer begins and ends, those before it that are not final left out.

    `data` begins with an answer and has all of its head (RFC 9110, 15.2: those below 200 have no body).
    """
    start, end = 0, data.find(_HEAD_END)
    while end >= 0 and data[start + _STATUS_AT : start + _STATUS_AT + 1] == b"1":
        start = end + len(_HEAD_END)
        end = data.find(_HEAD_END, start)
    return start, len(data) if end < 0 else end + len(_HEAD_END)


def ends_by_closing(head: bytes) -> bool:
    """Whether an answer with this head ends where its connection does (RFC 9112, 6.3)."""
    fields = [line.lower().partition(b":") for line in head.split(b"\r\n")[1:]]
    return not any(
        name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value)
        for name, _, value in fields
    )
