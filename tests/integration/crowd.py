"""Hundreds of subscribers read in one thread: who was given what, and who was dropped.

    with Crowd({"free": url, "turbo": url}, of_each=50) as crowd:
        crowd.wait_for_block(block_hash)

Of each tier so many read over WebSocket and as many read NDJSON, all from the earliest event. Each distinct
event is kept and decoded once; a subscriber is a list of their numbers, so that a crowd costs a test little.
None of them comes back by itself: a connection that ends is a subscriber dropped.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Literal, Self
from urllib.parse import urlsplit

from sprint.core.model import BlockEvent, Event, decode_event
from tests.integration.subscribers import JOIN_TIMEOUT_S, WAIT_S

Kind = Literal["websocket", "lines"]
KINDS: tuple[Kind, ...] = ("websocket", "lines")
TYPES = "block,reorg,gap"
READ_SIZE = 1 << 18
POLL_S = 0.05
HEAD_SIZE_MAX = 16 * 1024
TEXT_FRAME, CLOSE_FRAME, PING_FRAME = 0x81, 0x88, 0x89
PONG_HEAD = b"\x8a%c\0\0\0\0"  # masked, as a client's frames are, with zeros
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


class Member:
    """One subscriber: `events` are numbers into the crowd's list, `ended` says why it was dropped."""

    def __init__(self, tier: str, kind: Kind, url: str) -> None:
        self.tier, self.kind = tier, kind
        self.events: list[int] = []
        self.ended = ""
        self.socket, self.rest = _connected(kind, url)

    def __repr__(self) -> str:
        return f"Member({self.tier}, {self.kind}, {len(self.events)} events, ended={self.ended!r})"

    def take(self, data: bytes) -> list[bytes]:
        """Return the bodies that are whole by now."""
        self.rest += data
        take_one = _take_frame if self.kind == "websocket" else _take_line
        bodies = []
        while (taken := take_one(self.rest)) is not None:
            body, size = taken
            self.rest = self.rest[size:]
            if body.startswith(b"ping"):
                self.socket.sendall(PONG_HEAD % (0x80 | len(body[4:])) + body[4:])
            elif body.startswith((b"close", b'{"op":"error"', b'{"type":"error"')):
                self.ended = f"it was told {body[:200]!r}"
            elif body.startswith(b'{"type":') and not body.startswith(b'{"type":"heartbeat"'):
                bodies.append(body)
        return bodies


class Crowd:
    """All subscribers, and the thread that reads them."""

    def __init__(self, urls: Mapping[str, str], of_each: int) -> None:
        self.members = [
            Member(tier, kind, url) for tier, url in urls.items() for kind in KINDS for _ in range(of_each)
        ]
        self.events: list[Event] = []
        self._numbers: dict[bytes, int] = {}
        self._blocks: dict[str, int] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)

    def __repr__(self) -> str:
        return f"Crowd({len(self.members)} members, {len(self.events)} events)"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._thread.join(JOIN_TIMEOUT_S)
        for member in self.members:
            member.socket.close()

    @property
    def dropped(self) -> list[Member]:
        return [member for member in self.members if member.ended]

    def wait_for_block(self, block_hash: str, timeout_s: float = WAIT_S) -> None:
        """Return when every member has a block; AssertionError where one was dropped or never gets it."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._all_have(block_hash):
                assert not self.dropped, f"dropped: {self.dropped[:4]}"
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"not all had {block_hash} within {timeout_s:g} s: {self}"
                self._changed.wait(min(left_s, POLL_S))

    def kinds_of(self, member: Member, last: str) -> list[str]:
        """Return what a member was given up to a block, as `subscribers.kinds_of` does."""
        with self._changed:
            given = member.events[: member.events.index(self._blocks[last]) + 1]
            events: Sequence[Event] = [self.events[number] for number in given]
        return [e.data.hash if isinstance(e, BlockEvent) else str(e.__struct_config__.tag) for e in events]

    def _all_have(self, block_hash: str) -> bool:
        number = self._blocks.get(block_hash)
        return number is not None and all(number in member.events[-256:] for member in self.members)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                self._note(member, member.take(b""))
                selector.register(member.socket, selectors.EVENT_READ, member)
            while not self._closing:
                for key, _ in selector.select(POLL_S):
                    if not self._read(key.data):
                        selector.unregister(key.fileobj)

    def _read(self, member: Member) -> bool:
        try:
            data = member.socket.recv(READ_SIZE)
        except OSError as error:
            member.ended = str(error)
            return False
        if not data:
            member.ended = member.ended or "the connection was closed"
            return False
        self._note(member, member.take(data))
        return True

    def _note(self, member: Member, bodies: list[bytes]) -> None:
        with self._changed:
            for body in bodies:
                number = self._numbers.setdefault(body, len(self._numbers))
                if number == len(self.events):
                    event = decode_event(body)
                    self.events.append(event)
                    if isinstance(event, BlockEvent):
                        self._blocks[event.data.hash] = number
                member.events.append(number)
            self._changed.notify_all()


def _connected(kind: Kind, url: str) -> tuple[socket.socket, bytes]:
    """Return a connection whose answer's head was read, and what came behind it."""
    place = urlsplit(url)
    path = "/ws/v1/events" if kind == "websocket" else "/api/v1/events"
    more = UPGRADE if kind == "websocket" else ""
    peer = socket.create_connection((place.hostname, place.port), WAIT_S)
    peer.sendall(
        f"GET {path}?from=earliest&types={TYPES} HTTP/1.1\r\nHost: {place.netloc}\r\n{more}\r\n".encode()
    )
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(READ_SIZE)
        if not part or len(data) > HEAD_SIZE_MAX:
            raise EOFError(f"{path} was answered with {data[:200]!r}")
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")):
        raise EOFError(f"{path} was answered with {data[:400]!r}")
    return peer, rest


def _take_frame(data: bytes) -> tuple[bytes, int] | None:
    """Return the first frame's text and size; one that is no text says first what it is (RFC 6455, 5.2)."""
    if len(data) < 2:
        return None
    length, start = data[1], 2
    if length >= 126:
        start = 4 if length == 126 else 10
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start])
    if len(data) < start + length:
        return None
    said = {TEXT_FRAME: b"", PING_FRAME: b"ping", CLOSE_FRAME: b"close"}[data[0]]
    return said + data[start : start + length], start + length


def _take_line(data: bytes) -> tuple[bytes, int] | None:
    """Return the first chunk's line and size (RFC 9112, 7.1)."""
    head, found, _ = data.partition(b"\r\n")
    if not found:
        return None
    start, length = len(head) + 2, int(head, 16)
    if len(data) < start + length + 2:
        return None
    return data[start : start + length].rstrip(b"\n"), start + length + 2
