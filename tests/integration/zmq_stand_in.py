"""A stand-in for a node's ZMQ publisher: no packaged node has one built in.

It publishes what a real litecoind tells it over P2P, in the frames and the order of Bitcoin Core: `sequence`
for each block that joins the best branch, then `hashblock` and `rawblock` for the newest one alone. Blocks
are the node's own bytes; that a real publisher behaves so is taken from Core's documentation, not shown here.

    with ZmqStandIn(node) as publisher:
        relay = RelayProcess(tmp_path, "--source", node.source_url, "--source", publisher.source_url)
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Self

import zmq

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.chains.litecoin import REGTEST
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import BlockReceived, BlocksAnnounced, HeadersReceived, Ready
from sprint.core.protocols.bitcoin_p2p.framing import HEADERS_MAX
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.protocols.zmq.frames import (
    CONNECTED,
    HASHBLOCK,
    RAWBLOCK,
    SEQUENCE,
    encode_message,
    hash_payload,
    sequence_payload,
)
from tests.integration.real_servers import HOST, Litecoind

POLL_INTERVAL_S = 0.02
TIMEOUT_S = 10.0
READ_SIZE = 1 << 16
SEND_BUFFER_SIZE = 4_096
SETTINGS = SessionSettings(user_agent="/zmq-stand-in/", unix_time_offset_s=time.time() - time.monotonic())


class ZmqStandIn:
    """One publisher beside one node. `published` are the tips it has told of, in wire order."""

    def __init__(
        self,
        node: Litecoind,
        parameters: NetworkParameters = REGTEST,
        *,
        port: int = 0,
        queue_max: int | None = None,
    ) -> None:
        """A port of 0 takes a free one.

        `queue_max`: messages that may wait for a subscriber, the system's buffer kept small as well.
        """
        self.port = port
        self._queue_max = queue_max
        self.published: list[bytes] = []
        self.numbers: Counter[str] = Counter()
        self._node = node
        self._parameters = parameters
        self._known = [parameters.genesis_hash]
        self._fresh: list[bytes] = []  # above what was published last
        self._dropping = threading.Event()
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ZmqStandIn", daemon=True)

    def __repr__(self) -> str:
        return f"ZmqStandIn(port={self.port}, {len(self.published)} published)"

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(TIMEOUT_S):
            raise TimeoutError(f"{self!r} has no connection to its node after {TIMEOUT_S:g} s")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(TIMEOUT_S)

    @property
    def source_url(self) -> str:
        """What `sprint relay --source` takes."""
        return f"zmq@litecoin:regtest=zmq://{HOST}:{self.port}"

    def wait(self) -> None:
        """Return when it has ended, as it does when its node has gone."""
        self._thread.join()

    def drop(self, *, dropping: bool) -> None:
        """Number messages and send none, as a publisher does whose queue to a subscriber is full."""
        if dropping:
            self._dropping.set()
        else:
            self._dropping.clear()

    def _run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
            publisher.linger = 0
            if self._queue_max is not None:
                publisher.sndhwm = self._queue_max
                publisher.setsockopt(zmq.SNDBUF, SEND_BUFFER_SIZE)
            if self.port:
                publisher.bind(f"tcp://{HOST}:{self.port}")
            else:
                self.port = publisher.bind_to_random_port(f"tcp://{HOST}")
            with socket.create_connection((HOST, self._node.p2p_port), timeout=TIMEOUT_S) as connected:
                connected.settimeout(POLL_INTERVAL_S)
                session = PeerSession(self._parameters, SETTINGS, nonce=1, now=time.monotonic())
                while not self._stopping.is_set() and session.closed is None:
                    self._step(session, connected, publisher)

    def _step(self, session: PeerSession, connected: socket.socket, publisher: zmq.Socket[bytes]) -> None:
        while data := session.data_to_send():
            connected.sendall(data)
        with suppress(TimeoutError):
            data = connected.recv(READ_SIZE)
            if not data:
                session.close("the node closed the connection")
            for event in session.receive_data(data, time.monotonic()):
                self._take(event, session, publisher)

    def _take(self, event: object, session: PeerSession, publisher: zmq.Socket[bytes]) -> None:
        match event:
            case Ready() | BlocksAnnounced():
                self._ask_for_headers(session)
            case HeadersReceived(headers=headers):
                self._learn([sha256d(header[:HEADER_SIZE]) for header in headers])
                if len(headers) == HEADERS_MAX:
                    self._ask_for_headers(session)
                    return
                if self._fresh and self._started.is_set():
                    session.request_blocks(self._fresh[-1:], time.monotonic())
                self._started.set()  # what the node had before is not published
            case BlockReceived(raw=raw):
                self._publish(raw, publisher)

    def _ask_for_headers(self, session: PeerSession) -> None:
        newest_first = self._known[::-1]
        locator = newest_first[:20] + newest_first[20:2_000:40] + self._known[:1]
        session.request_headers(locator, time.monotonic())

    def _learn(self, hashes: list[bytes]) -> None:
        known = set(self._known)
        new = [block_hash for block_hash in hashes if block_hash not in known]
        self._known += new
        if self._started.is_set():
            self._fresh += new

    def _publish(self, raw: bytes, publisher: zmq.Socket[bytes]) -> None:
        tip = sha256d(raw[:HEADER_SIZE])
        if tip not in self._fresh:
            return
        count = self._fresh.index(tip) + 1
        for block_hash in self._fresh[:count]:
            self._send(SEQUENCE, sequence_payload(block_hash, CONNECTED), publisher)
        self._send(HASHBLOCK, hash_payload(tip), publisher)
        self._send(RAWBLOCK, raw, publisher)
        del self._fresh[:count]
        self.published.append(tip)

    def _send(self, topic: str, payload: bytes, publisher: zmq.Socket[bytes]) -> None:
        number = self.numbers[topic]
        self.numbers[topic] += 1
        if not self._dropping.is_set():
            publisher.send_multipart(encode_message(topic, payload, number))
