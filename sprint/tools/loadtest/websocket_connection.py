"""One WebSocket of a client that only listens (RFC 6455): opened, messages read, pings answered.

It does no more than a held connection of a load test needs, in little memory: there may be ten thousand. What
comes is not checked for UTF-8, and no extension is offered, so none may be used.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import NamedTuple, Protocol, cast

from sprint.core.loadtest.arrivals import Listener
from sprint.tools.loadtest.assignment import StreamWork
from sprint.tools.loadtest.moments import clock_ns
from sprint.tools.loadtest.request_template import RandomBytes, filled, headers_of

MESSAGE_SIZE_MAX = 64 * 1024 * 1024
HEAD_SIZE_MAX = 64 * 1024
DIGEST_SIZE = 16
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD_END = b"\r\n\r\n"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING = 0, 1, 2, 8, 9
_MASK = b"\0\0\0\0"  # a mask that leaves bytes as they are: it guards proxies, and what is sent is ours
_SMALL = 126


class Opening(NamedTuple):
    """What opens a connection: the request's bytes, what has to be accepted, and the first message."""

    request: bytes
    accept: bytes
    hello: bytes
    ignores: bytes


class SocketOwner(Protocol):
    """Who is told of a connection. After `ended` nothing more is told."""

    def opened(self, connection: WebSocketConnection, done_ns: int) -> None: ...
    def delivered(self, connection: WebSocketConnection, digest: bytes, size: int, done_ns: int) -> None: ...
    def ended(self, connection: WebSocketConnection, kind: str) -> None: ...


class WebSocketConnection(asyncio.Protocol):
    """One connection. `begun_ns` is when it was begun, `asked_ns` when the target was there to be asked to
    open it; `listener` is its owner's.
    """

    __slots__ = (
        "_buffer", "_message", "_opening", "_owner", "_transport", "asked_ns", "begun_ns", "is_open",
        "listener",
    )  # fmt: skip

    def __init__(self, owner: SocketOwner, opening: Opening) -> None:
        self._owner: SocketOwner | None = owner
        self._opening = opening
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._message = bytearray()  # of a message in several frames
        self.begun_ns = self.asked_ns = clock_ns()
        self.is_open = False
        self.listener: Listener | None = None

    def __repr__(self) -> str:
        return f"WebSocketConnection({'open' if self.is_open else 'not open'})"

    def abort(self) -> None:
        """Close at once; the owner is told nothing more."""
        self._owner = None
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, so the type is stated, not tested.
        self._transport = cast("asyncio.Transport", transport)
        self.asked_ns = clock_ns()
        self._transport.write(self._opening.request)

    def data_received(self, data: bytes) -> None:
        done_ns = clock_ns()
        self._buffer += data
        if not self.is_open and not self._take_answer(done_ns):
            return
        while self._take_frame(done_ns):
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("reset" if isinstance(exc, ConnectionError) else "closed")

    def _take_answer(self, done_ns: int) -> bool:
        """Read the answer to the request to open; False while it isn't whole, or is not an acceptance."""
        head, found, rest = bytes(self._buffer).partition(_HEAD_END)
        if not found:
            if len(head) > HEAD_SIZE_MAX:
                self._end("bad_answer")
            return False
        words = head.split(b"\r\n", 1)[0].split(b" ", 2)
        status = words[1].decode("latin-1") if len(words) > 1 else ""
        if status != "101" or self._opening.accept not in head:
            self._end(status if status.isdigit() and status != "101" else "bad_answer")
            return False
        self._buffer = bytearray(rest)
        self.is_open = True
        if self._owner is not None:
            self._owner.opened(self, done_ns)
        if self._opening.hello and self._transport is not None:
            self._transport.write(_frame(_TEXT, self._opening.hello))
        return True

    def _take_frame(self, done_ns: int) -> bool:
        """Take one frame out of the buffer, if it is whole there."""
        buffer = self._buffer
        if len(buffer) < 2 or self._owner is None:
            return False
        size, start = buffer[1] & 0x7F, 2
        if size >= _SMALL:
            start = 4 if size == _SMALL else 10
            if len(buffer) < start:
                return False
            size = int.from_bytes(buffer[2:start], "big")
        if buffer[0] & 0x70 or buffer[1] & 0x80 or size > MESSAGE_SIZE_MAX:
            self._end("bad_answer")
            return False
        if len(buffer) < start + size:
            return False
        first, payload = buffer[0], bytes(buffer[start : start + size])
        del buffer[: start + size]
        self._handle(first & 0x0F, payload, done_ns, is_last=bool(first & 0x80))
        return True

    def _handle(self, opcode: int, payload: bytes, done_ns: int, *, is_last: bool) -> None:
        if opcode == _PING and self._transport is not None:
            self._transport.write(_frame(0x0A, payload))
        elif opcode == _CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self._end(f"closed {code}" if code else "closed")
        elif opcode in {_TEXT, _BINARY, _CONTINUATION}:
            self._message += payload
            if len(self._message) > MESSAGE_SIZE_MAX:
                self._end("bad_answer")
            elif is_last and self._opening.ignores and self._message.startswith(self._opening.ignores):
                self._message.clear()
            elif is_last and self._owner is not None:
                digest = hashlib.blake2b(self._message, digest_size=DIGEST_SIZE).digest()
                self._owner.delivered(self, digest, len(self._message), done_ns)
                self._message.clear()

    def _end(self, kind: str) -> None:
        owner = self._owner
        self.abort()
        if owner is not None:
            owner.ended(self, kind)


def opening_of(work: StreamWork, key: bytes, number: int, random_bytes: RandomBytes) -> Opening:
    """Return how the connection of a number is opened with a key of 16 random bytes (RFC 6455, 4.1)."""
    url = work.url
    encoded = base64.b64encode(key)
    lines = [
        f"GET {url.path} HTTP/1.1",
        f"Host: {url.host_header}",
        "Upgrade: websocket",
        "Connection: Upgrade",
    ]
    lines += [f"Sec-WebSocket-Key: {encoded.decode()}", "Sec-WebSocket-Version: 13"]
    lines += [f"{name}: {value}" for name, value in headers_of(work.headers, url)]
    # SHA-1 is what the protocol asks for; it proves that the other side speaks it, and guards nothing.
    digest = hashlib.sha1(encoded + _GUID, usedforsecurity=False).digest()
    request = filled("\r\n".join([*lines, "", ""]).encode("latin-1"), number, random_bytes)
    hello = filled(work.hello.encode(), number, random_bytes)
    return Opening(request, base64.b64encode(digest), hello, work.ignores.encode())


def _frame(opcode: int, payload: bytes) -> bytes:
    """Return a masked frame, as a client's have to be (RFC 6455, 5.3)."""
    size = len(payload)
    if size < _SMALL:
        length = bytes((0x80 | size,))
    elif size < 1 << 16:
        length = bytes((0x80 | _SMALL,)) + size.to_bytes(2, "big")
    else:
        length = bytes((0xFF,)) + size.to_bytes(8, "big")
    return bytes((0x80 | opcode,)) + length + _MASK + payload
