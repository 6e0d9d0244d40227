"""A session on a plain blocking socket to a real node: bytes are carried until enough was told."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.protocols.bitcoin_p2p.compact_receiver import Relaying
from sprint.core.protocols.bitcoin_p2p.events import SessionEvent
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from tests.integration.real_servers import HOST

READ_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.05
READ_SIZE = 1 << 16
SETTINGS = SessionSettings(user_agent="/sprint-test/", unix_time_offset_s=time.time() - time.monotonic())
NONCES = itertools.count(1_000)


class BlockingWire:
    """Carries the bytes of one session; `bytes_read` counts what the node sent."""

    def __init__(self, session: PeerSession, connected: socket.socket) -> None:
        self.session = session
        self.bytes_read = 0
        self._events: list[SessionEvent] = []
        self._socket = connected
        self._socket.settimeout(POLL_INTERVAL_S)

    def run(self, until: Callable[[list[SessionEvent]], bool]) -> list[SessionEvent]:
        """Carry bytes until what was told since the call is enough; TimeoutError if it never is."""
        begun = len(self._events)
        deadline = time.monotonic() + READ_TIMEOUT_S
        self._flush()
        while not until(self._events[begun:]):
            if self.session.closed or time.monotonic() > deadline:
                raise TimeoutError(f"{self.session!r} told {self._events[begun:]}")
            self._read()
        return self._events[begun:]

    def _read(self) -> None:
        with suppress(TimeoutError):
            data = self._socket.recv(READ_SIZE)
            if not data:
                self.session.close("the node closed the connection")
            self.bytes_read += len(data)
            self._events += self.session.receive_data(data, time.monotonic())
            self._flush()

    def _flush(self) -> None:
        while data := self.session.data_to_send():
            self._socket.sendall(data)


@contextmanager
def connected_to(
    port: int,
    parameters: NetworkParameters,
    relaying: Relaying | None = None,
    settings: SessionSettings = SETTINGS,
) -> Iterator[BlockingWire]:
    """A session that is ready, on a socket to a node."""
    with socket.create_connection((HOST, port), timeout=READ_TIMEOUT_S) as connected:
        session = PeerSession(
            parameters, settings, nonce=next(NONCES), now=time.monotonic(), relaying=relaying
        )
        wire = BlockingWire(session, connected)
        wire.run(bool)
        yield wire
