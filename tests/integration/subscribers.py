"""Subscribers that read a relay in threads of their own and keep what they were given, in order.

`Listener` is `sprint.Client`'s event stream: a WebSocket that resumes by itself. `LineReader` is the NDJSON
stream of one connection. `blocks_of` is what a test compares with the node's own list.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Self
from urllib.parse import urlsplit

from sprint import Client
from sprint.core.errors import ClientError, SprintError
from sprint.core.model import BlockEvent, Event, decode_event
from sprint.tools.client import ClientSettings
from tests.integration.real_servers import wait_until

WAIT_S = 30.0
JOIN_TIMEOUT_S = 10.0
HEARTBEAT = b'{"type":"heartbeat"}'
# Back at once after a kill, and as often as a long proof kills.
SETTINGS = ClientSettings(connect_attempts_max=10_000, backoff_first_s=0.02, backoff_longest_s=0.1)


class _Reader(ABC):
    """Takes events in a thread until it is closed. `error` is what ended it before that."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self._arrived = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.events)} events, error={self.error!r})"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._close()
        self._thread.join(JOIN_TIMEOUT_S)
        if self._thread.is_alive():
            raise RuntimeError(f"{self!r} did not end within {JOIN_TIMEOUT_S:g} s")

    def wait_for(
        self, condition: Callable[[Sequence[Event]], bool], what: str, timeout_s: float = WAIT_S
    ) -> None:
        """Return when the events so far meet a condition; AssertionError with the last ones if never."""
        deadline = time.monotonic() + timeout_s
        with self._arrived:
            while not condition(self.events):
                if self.error is not None:
                    raise AssertionError(f"the subscriber ended before {what}: {self.error!r}")
                if not self._arrived.wait(deadline - time.monotonic()):
                    shown = "\n".join(map(repr, self.events[-8:]))
                    raise AssertionError(f"not within {timeout_s:g} s: {what}; the last events:\n{shown}")

    def wait_for_block(self, block_hash: str, timeout_s: float = WAIT_S) -> None:
        self.wait_for(lambda events: has_block(events, block_hash), f"block {block_hash}", timeout_s)

    def _run(self) -> None:
        try:
            for event in self._read():
                with self._arrived:
                    self.events.append(event)
                    self._arrived.notify_all()
        except (SprintError, OSError, EOFError, http.client.HTTPException) as error:
            if not self._closing:
                self.error = error
        else:
            if not self._closing:
                self.error = EOFError("the stream ended")
        finally:
            with self._arrived:
                self._arrived.notify_all()

    @abstractmethod
    def _read(self) -> Iterator[Event]:
        """Yield events until the end."""

    @abstractmethod
    def _close(self) -> None:
        """Let a thread that waits for the next event see the end."""


class Listener(_Reader):
    """Reads over WebSocket, across kills and restarts of the relay."""

    def __init__(self, url: str, *, types: Sequence[str] | None = None, start: str = "earliest") -> None:
        super().__init__()
        self.client = Client(url, settings=SETTINGS)
        self._stream = self.client.events(types=types, start=start)

    def _read(self) -> Iterator[Event]:
        return self._stream

    def _close(self) -> None:
        self.client.close()


class LineReader(_Reader):
    """Reads the NDJSON stream of one connection."""

    def __init__(self, url: str, *, start: str = "earliest") -> None:
        super().__init__()
        self._path = f"/api/v1/events?from={start}"
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_S)
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock

    def _read(self) -> Iterator[Event]:
        self._connection.request("GET", self._path)
        with self._connection.getresponse() as response:
            if response.status != http.HTTPStatus.OK:
                raise EOFError(f"{self._path} was answered with {response.status}")
            while line := response.readline():
                if line.strip() != HEARTBEAT:
                    yield decode_event(line)

    def _close(self) -> None:
        # Wakes the thread that reads; closing alone would leave it there.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(JOIN_TIMEOUT_S)
        self._connection.close()


def wait_until_delivered(url: str, chain: str, block_hash: str) -> None:
    """Return when the relay's newest block of a chain is this one."""
    with Client(url) as client:
        wait_until(lambda: latest_hash(client, chain) == block_hash, f"{chain} is at {block_hash}")


def latest_hash(client: Client, chain: str) -> str | None:
    """Return the hash of the newest delivered block, None before there is one."""
    try:
        return client.latest(chain).hash
    except ClientError as error:
        if error.code != "block_not_found":
            raise
        return None


def has_block(events: Sequence[Event], block_hash: str) -> bool:
    """Tell whether a block was delivered; the newest events are looked at first."""
    return any(isinstance(e, BlockEvent) and e.data.hash == block_hash for e in reversed(events))


def blocks_of(events: Sequence[Event]) -> list[str]:
    """Return the hashes of the delivered blocks, in the order of delivery."""
    return [event.data.hash for event in events if isinstance(event, BlockEvent)]


def kinds_of(events: Sequence[Event]) -> list[str]:
    """Return what a reader of the chain sees: `block HASH`, `reorg`, `gap`; statuses and headers left out."""
    kept = [event for event in events if event.__struct_config__.tag in ("block", "reorg", "gap")]
    return [
        f"block {e.data.hash}" if isinstance(e, BlockEvent) else str(e.__struct_config__.tag) for e in kept
    ]
