"""Processes that watch nodes and relays from outside, and say when they saw what.

    with Watcher("p2p", HOST, port, "litecoin-regtest") as bare:
        ...
        seen = bare.take()["seen"]

Each does one thing in a process of its own, so that what it does to its own interpreter delays nobody else:
`p2p` reads a node's announcements from a blocking socket, `rpc` waits for a node's new tip, `subscribers`
reads the events of many WebSocket connections, `stalled` holds one that it does not read. All times are
seconds of the machine's one monotonic clock, taken when `recv` has returned.
"""

from __future__ import annotations

import array
import base64
import fcntl
import gc
import http.client
import json
import os
import secrets
import select
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from typing import IO, Any, Self
from urllib.parse import urlsplit

from sprint.core.chains import display_hash
from sprint.core.protocols.bitcoin_p2p.events import BlocksAnnounced, HeadersReceived, Ready
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.tools.plugins import ChainCatalog

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 10.0
READ_SIZE = 1 << 16
HANDSHAKE_SIZE_MAX = 1 << 14
STALLED_RECEIVE_BUFFER_BYTES = 4096  # so that the relay's own bounds are what is reached
STALLED_READ_TIMEOUT_S = 10.0
TIP_WAIT_MS = 1000

_CONTINUED, _CLOSE, _PING = 0x0, 0x8, 0x9


class Watcher:
    """One watching process. Making it waits until it watches; leaving the `with` block ends it."""

    def __init__(self, kind: str, *arguments: object, module: str = "tests.integration.watchers") -> None:
        self._what = " ".join(map(str, (kind, *arguments)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, kind, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._read()

    def __repr__(self) -> str:
        return f"Watcher({self._what}, pid={self._process.pid})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _pipe(self._process.stdin).close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
        _pipe(self._process.stdout).close()

    def take(self) -> dict[str, Any]:
        """Return what it saw since the last time."""
        return self.ask("take")

    def ask(self, command: str) -> dict[str, Any]:
        stdin = _pipe(self._process.stdin)
        stdin.write(command.encode() + b"\n")
        stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        stdout = _pipe(self._process.stdout)
        if not select.select([stdout], [], [], READY_TIMEOUT_S)[0]:
            raise TimeoutError(f"{self!r} says nothing within {READY_TIMEOUT_S:g} s")
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{self!r} ended with {self._process.wait(STOP_TIMEOUT_S)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("standard input and output are pipes from the start")
    return pipe


class Sightings:
    """When each hash was first seen."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}

    def add(self, displayed_hash: str, at: float) -> None:
        self._times.setdefault(displayed_hash, at)

    def take(self) -> dict[str, Any]:
        times, self._times = self._times, {}
        return {"seen": times}


def watch_announcements(host: str, port: str, chain_id: str) -> None:
    """Shake hands with a node and read what it announces; nothing is fetched."""
    connected = socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S)
    connected.settimeout(None)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    network = ChainCatalog.installed().find_id(chain_id)
    settings = SessionSettings(unix_time_offset_s=time.time() - time.monotonic())
    session = PeerSession(network.parameters, settings, nonce=secrets.randbits(64), now=time.monotonic())
    connected.sendall(session.data_to_send())
    sightings, watching = Sightings(), False
    while data := connected.recv(READ_SIZE):
        now = time.monotonic()
        for event in session.receive_data(data, now):
            if isinstance(event, HeadersReceived):
                hashes = [network.processor().header_of(raw)[0] for raw in event.headers]
            elif isinstance(event, BlocksAnnounced):
                hashes = list(event.hashes)
            else:
                hashes = []
            if isinstance(event, Ready):
                # A node announces headers only to those that it knows to have the ones before.
                session.request_headers((network.parameters.genesis_hash,), now)
            for block_hash in hashes:
                sightings.add(display_hash(block_hash), now)
            if isinstance(event, HeadersReceived) and not watching:
                watching = True
                answer_commands({"take": sightings.take})
        if out := session.data_to_send():
            connected.sendall(out)


def watch_tip(host: str, port: str, user: str, password: str) -> None:
    """Wait for each new tip by the node's own long poll."""
    login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    body = json.dumps({"id": 0, "method": "waitfornewblock", "params": [TIP_WAIT_MS]})
    sightings = Sightings()
    answer_commands({"take": sightings.take})
    while True:
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("POST", "/", body, {"Authorization": login, "Connection": "close"})
        text = connection.getresponse().read()
        now = time.monotonic()
        connection.close()
        sightings.add(json.loads(text)["result"]["hash"], now)


class Subscription:
    """One WebSocket connection on a bare socket, subscribed to all events of a chain."""

    def __init__(self, url: str, chain_id: str, *, receive_buffer_bytes: int = 0) -> None:
        address = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(CONNECT_TIMEOUT_S)
        self.socket.connect((address.hostname, address.port))
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        request = (
            f"GET /ws/v1/events?chains={chain_id} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n"
        )
        self.socket.sendall(request.encode())
        self._buffer = b""
        self._seq = 0
        self.faults = 0
        self.close_code: int | None = None
        self.close_reason = ""
        self._wait_until_subscribed()
        self.socket.settimeout(None)

    def _wait_until_subscribed(self) -> None:
        while b"\r\n\r\n" not in self._buffer:
            data = self.socket.recv(READ_SIZE)
            if not data or len(self._buffer) > HANDSHAKE_SIZE_MAX:
                raise ConnectionError(f"no handshake: {self._buffer[:200]!r}")
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(f"refused: {head[:200]!r}")
        texts = self.feed(b"")
        while not texts:
            texts = self.feed(self.socket.recv(READ_SIZE))
        if b'"subscribed"' not in texts[0]:
            raise ConnectionError(f"not subscribed: {texts[0]!r}")
        for text in texts[1:]:
            self.note(text)

    def feed(self, data: bytes) -> list[bytes]:
        """Cut frames; answer pings; return the texts."""
        buffer = self._buffer + data if self._buffer else data
        position, size, texts = 0, len(buffer), []
        while size - position >= 2:
            length, start = buffer[position + 1], position + 2
            if length == 126:
                length, start = int.from_bytes(buffer[start : start + 2], "big"), start + 2
            elif length == 127:
                length, start = int.from_bytes(buffer[start : start + 8], "big"), start + 8
            if start + length > size:
                break
            opcode, payload = buffer[position] & 0x0F, buffer[start : start + length]
            position = start + length
            if opcode == _PING:
                self.socket.sendall(bytes((0x8A, 0x80 | length)) + bytes(4) + payload)
            elif opcode == _CLOSE:
                self.close_code, self.close_reason = int.from_bytes(payload[:2], "big"), payload[2:].decode()
            else:
                texts.append(payload)
        self._buffer = buffer[position:]
        return texts

    def note(self, event: bytes) -> tuple[str, str] | None:
        """Check that an event follows the one before; return type and hash of one that has a hash."""
        at = event.find(b'"seq":') + 6
        seq = int(event[at : event.index(b",", at)])
        if self._seq and seq != self._seq + 1:
            self.faults += 1
        self._seq = seq
        at = event.find(b'"hash":"')
        return None if at < 0 else (event.split(b'"', 4)[3].decode(), event[at + 8 : at + 72].decode())


class Crowd:
    """Many subscriptions, and when each of them was given which event."""

    def __init__(self, url: str, chain_id: str, count: int) -> None:
        self._times: dict[str, dict[str, list[float]]] = {}
        self._subscriptions = {
            s.socket.fileno(): s for s in (Subscription(url, chain_id) for _ in range(count))
        }

    def take(self) -> dict[str, Any]:
        times, self._times = self._times, {}
        faults = sum(subscription.faults for subscription in self._subscriptions.values())
        return {"seen": times, "faults": faults, "open": len(self._subscriptions)}

    def read_one(self) -> None:
        """Read the only connection with plain blocking calls."""
        (subscription,) = self._subscriptions.values()
        while data := subscription.socket.recv(READ_SIZE):
            self._note(subscription, data, time.monotonic())

    def read_all(self, pause_s: float) -> None:
        """Read what has come, as it comes or, to take no processor time from others, after each pause."""
        poll = select.epoll()
        for descriptor in self._subscriptions:
            poll.register(descriptor, select.EPOLLIN)
        while self._subscriptions:
            time.sleep(pause_s)
            for descriptor, _ in poll.poll():
                subscription = self._subscriptions[descriptor]
                data = subscription.socket.recv(READ_SIZE)
                if data:
                    self._note(subscription, data, time.monotonic())
                else:
                    poll.unregister(descriptor)
                    del self._subscriptions[descriptor]

    def _note(self, subscription: Subscription, data: bytes, now: float) -> None:
        for text in subscription.feed(data):
            if found := subscription.note(text):
                kind, block_hash = found
                self._times.setdefault(kind, {}).setdefault(block_hash, []).append(now)


def read_events(url: str, chain_id: str, count: str, pause_ms: str = "0") -> None:
    """Subscribe `count` times and read everything, one connection with blocking calls."""
    crowd = Crowd(url, chain_id, int(count))
    answer_commands({"take": crowd.take})
    if count == "1":
        crowd.read_one()
    else:
        crowd.read_all(float(pause_ms) / 1000)


class Stalled:
    """A subscription that is not read until `finish`."""

    def __init__(self, url: str, chain_id: str) -> None:
        self._subscription = Subscription(url, chain_id, receive_buffer_bytes=STALLED_RECEIVE_BUFFER_BYTES)

    def where(self) -> dict[str, Any]:
        return {"port": self._subscription.socket.getsockname()[1], "waiting_bytes": self._waiting_bytes()}

    def hang_up(self) -> dict[str, Any]:
        """Wait, still reading nothing, until the relay resets the connection."""
        poll = select.poll()
        poll.register(self._subscription.socket, 0)
        found = poll.poll(STALLED_READ_TIMEOUT_S * 1000)
        return {"reset": bool(found), "at": time.monotonic()}

    def finish(self) -> dict[str, Any]:
        """Read all that was queued, to the end of the connection. Sizes are of whole frames of text."""
        sizes: list[int] = []
        total, reset = 0, False
        self._subscription.socket.settimeout(STALLED_READ_TIMEOUT_S)
        try:
            while data := self._subscription.socket.recv(READ_SIZE):
                total += len(data)
                for text in self._subscription.feed(data):
                    self._subscription.note(text)
                    sizes.append(len(text) + (2 if len(text) < 126 else 4))
        except ConnectionResetError:
            reset = True
        return {
            "sizes": sizes,
            "bytes": total,
            "reset": reset,
            "code": self._subscription.close_code,
            "reason": self._subscription.close_reason,
            "faults": self._subscription.faults,
        }

    def _waiting_bytes(self) -> int:
        waiting = array.array("i", [0])
        fcntl.ioctl(self._subscription.socket, termios.FIONREAD, waiting)
        return waiting[0]


def stall(url: str, chain_id: str) -> None:
    """Hold one subscription without reading it."""
    held = Stalled(url, chain_id)
    commands = {"where": held.where, "hang_up": held.hang_up, "finish": held.finish}
    answer_commands(commands).join()


def answer_commands(commands: dict[str, Callable[[], dict[str, Any]]]) -> threading.Thread:
    """Say that the watching has begun, then answer lines in a thread until standard input ends."""

    def answer() -> None:
        for line in sys.stdin:
            _say(commands[line.strip()]())
        os._exit(0)

    thread = threading.Thread(target=answer)
    thread.start()
    _say({"watching": True})
    return thread


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


PROGRAMS: dict[str, Callable[..., None]] = {
    "p2p": watch_announcements,
    "rpc": watch_tip,
    "subscribers": read_events,
    "stalled": stall,
}

if __name__ == "__main__":
    gc.disable()
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
