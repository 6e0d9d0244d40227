"""Both ends of the P2P core against a real litecoind, over plain blocking sockets."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from sprint.core.chains import display_hash, internal_hash
from sprint.core.chains.bitcoin import REGTEST as BITCOIN_REGTEST
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE
from sprint.core.chains.litecoin import REGTEST
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    HeadersReceived,
    Ready,
    SessionEvent,
)
from sprint.core.protocols.bitcoin_p2p.link import Link, SessionSettings
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from tests.integration.real_servers import HOST, Litecoind

pytestmark = pytest.mark.real("litecoind")

READ_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.05
READ_SIZE = 1 << 16
SETTINGS = SessionSettings(user_agent="/sprint-test/", unix_time_offset_s=time.time() - time.monotonic())
NONCES = itertools.count(1)

Until = Callable[[list[SessionEvent]], bool]


class Wire:
    """A session on a blocking socket; `events` is all it has told."""

    def __init__(self, session: Link, connected: socket.socket) -> None:
        self.session = session
        self.events: list[SessionEvent] = []
        self._socket = connected
        self._socket.settimeout(POLL_INTERVAL_S)

    def flush(self) -> None:
        while data := self.session.data_to_send():
            self._socket.sendall(data)

    def run(self, until: Until) -> list[SessionEvent]:
        """Carry bytes until what was told since the call is enough; TimeoutError if it never is."""
        begun = len(self.events)
        deadline = time.monotonic() + READ_TIMEOUT_S
        self.flush()
        while not until(self.events[begun:]):
            if self.session.closed or time.monotonic() > deadline:
                raise TimeoutError(f"{self.session!r} told {self.events[begun:]}")
            self._read()
        return self.events[begun:]

    def _read(self) -> None:
        """Take in what is there, or comes within a poll interval: the node may act without a word."""
        with suppress(TimeoutError):
            data = self._socket.recv(READ_SIZE)
            if not data:
                self.session.close("the node closed the connection")
            self.events += self.session.receive_data(data, time.monotonic())
            self.flush()


@contextmanager
def asking(node: Litecoind) -> Iterator[tuple[PeerSession, Wire]]:
    """A session that is ready, on a socket to the node."""
    with socket.create_connection((HOST, node.p2p_port), timeout=READ_TIMEOUT_S) as connected:
        session = PeerSession(REGTEST, SETTINGS, nonce=next(NONCES), now=time.monotonic())
        wire = Wire(session, connected)
        wire.run(bool)
        yield session, wire


def announced(events: Sequence[SessionEvent]) -> list[str]:
    """Hashes of all that was announced, by headers or by inv."""
    hashes: list[bytes] = []
    for event in events:
        if isinstance(event, HeadersReceived):
            hashes += map(sha256d, event.headers)
        elif isinstance(event, BlocksAnnounced):
            hashes += event.hashes
    return [display_hash(digest) for digest in hashes]


def bodies(events: Sequence[SessionEvent]) -> list[bytes]:
    return [event.raw for event in events if isinstance(event, BlockReceived)]


def test_the_handshake_tells_who_the_node_is_and_a_pong_comes_back(litecoind: Litecoind) -> None:
    with asking(litecoind) as (session, wire):
        (ready,) = wire.events
        assert isinstance(ready, Ready)
        assert ready.user_agent.startswith("/LitecoinCore:0.21")
        assert ready.start_height == 1
        session.request_headers([REGTEST.genesis_hash], time.monotonic())
        wire.run(bool)  # the pong was sent before it
        assert session.ping_latency_ms is not None
        (peer,) = litecoind.rpc("getpeerinfo")
        assert (peer["subver"], peer["relaytxes"]) == ("/sprint-test/", False)
        assert abs(peer["timeoffset"]) <= 2
        assert (session.score, session.counts) == (0, {})


def test_headers_and_blocks_are_the_nodes_own_bytes(litecoind: Litecoind) -> None:
    hashes = litecoind.mine(20)
    with asking(litecoind) as (session, wire):
        session.request_headers([internal_hash(litecoind.rpc("getblockhash", 1))], time.monotonic())
        told = wire.run(bool)
        assert announced(told) == hashes
        session.request_blocks([internal_hash(each) for each in hashes], time.monotonic())
        told = wire.run(lambda told: len(told) >= len(hashes))
        assert [raw.hex() for raw in bodies(told)] == [litecoind.rpc("getblock", each, 0) for each in hashes]
        assert (session.oldest_request_at, session.score) == (None, 0)


def test_a_peer_at_the_tip_is_told_by_an_empty_answer(litecoind: Litecoind) -> None:
    with asking(litecoind) as (session, wire):
        session.request_headers([internal_hash(litecoind.tip)], time.monotonic())
        assert wire.run(bool) == [HeadersReceived(())]


def test_new_blocks_are_announced_by_headers_once_the_parent_is_known(litecoind: Litecoind) -> None:
    with asking(litecoind) as (session, wire):
        session.request_headers([internal_hash(litecoind.tip)], time.monotonic())
        wire.run(bool)
        for _ in range(3):
            (mined,) = litecoind.mine(1)
            told = wire.run(bool)
            assert announced(told) == [mined]
            assert isinstance(told[0], HeadersReceived)


def test_a_burst_is_announced_to_its_last_block(litecoind: Litecoind) -> None:
    with asking(litecoind) as (session, wire):
        session.request_headers([internal_hash(litecoind.tip)], time.monotonic())
        wire.run(bool)
        mined = litecoind.mine(20)
        wire.run(lambda told: mined[-1] in announced(told))
        assert session.closed is None


def test_a_branch_that_takes_over_is_announced(litecoind: Litecoind) -> None:
    old = litecoind.mine(3)
    with asking(litecoind) as (session, wire):
        session.request_headers([internal_hash(litecoind.tip)], time.monotonic())
        wire.run(bool)
        litecoind.rpc("invalidateblock", old[0])
        new = litecoind.mine(4)
        wire.run(lambda told: new[-1] in announced(told))
        session.request_headers([internal_hash(old[-1]), internal_hash(old[0])], time.monotonic())
        told = wire.run(bool)
        assert announced(told)[-1] == new[-1]


def test_the_node_passes_over_a_block_it_never_heard_of_without_a_word(litecoind: Litecoind) -> None:
    with asking(litecoind) as (session, wire):
        session.request_blocks([bytes(range(32)), internal_hash(litecoind.tip)], time.monotonic())
        told = wire.run(bool)
        assert [raw.hex() for raw in bodies(told)] == [litecoind.rpc("getblock", litecoind.tip, 0)]
        session.request_headers([internal_hash(litecoind.tip)], time.monotonic())
        assert wire.run(bool) == [HeadersReceived(())]  # so no notfound came before it
        assert session.oldest_request_at is not None


def test_a_locator_of_another_chain_is_answered_from_the_nodes_own_genesis(litecoind: Litecoind) -> None:
    assert BITCOIN_REGTEST.magic == REGTEST.magic  # so only the genesis block tells the two apart
    with asking(litecoind) as (session, wire):
        session.request_headers([BITCOIN_REGTEST.genesis_hash], time.monotonic())
        (answer,) = wire.run(bool)
        assert isinstance(answer, HeadersReceived)
        assert answer.headers[0][4:36] == REGTEST.genesis_hash


class RecordedLedger:
    """Blocks of one node, to be served to another."""

    def __init__(self, bodies_in_order: Sequence[bytes]) -> None:
        self._bodies = {sha256d(raw[:HEADER_SIZE]): raw for raw in bodies_in_order}
        self._order = list(self._bodies)

    def height(self) -> int:
        return len(self._order)

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        start = next((self._order.index(each) + 1 for each in locator if each in self._bodies), 0)
        end = self._order.index(stop) + 1 if stop in self._bodies else len(self._order)
        return [self._bodies[digest][:HEADER_SIZE] for digest in self._order[start:end][:limit]]

    def body(self, digest: bytes, *, witness: bool) -> bytes | None:
        return self._bodies.get(digest) if witness else None


def test_a_real_node_takes_a_chain_from_the_serving_end(
    litecoind_factory: Callable[[], Litecoind],
) -> None:
    first, second = litecoind_factory(), litecoind_factory()
    first.mine(30)
    hashes = [first.rpc("getblockhash", height) for height in range(1, 32)]
    ledger = RecordedLedger([bytes.fromhex(first.rpc("getblock", each, 0)) for each in hashes])
    with socket.create_server((HOST, 0)) as listening:
        listening.settimeout(READ_TIMEOUT_S)
        second.rpc("addnode", f"{HOST}:{listening.getsockname()[1]}", "onetry")
        connected, _ = listening.accept()
        with connected:
            session = ServingSession(REGTEST, ledger, SETTINGS, nonce=next(NONCES), now=time.monotonic())
            wire = Wire(session, connected)
            wire.run(lambda _: second.tip == hashes[-1])
            assert (session.closed, session.score) == (None, 0)
    assert second.height == 31
