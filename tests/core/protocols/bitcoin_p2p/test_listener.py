"""The serving end: answers, their order and bounds, announcements; and both ends wired together."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import dogecoin
from sprint.core.chains.bitcoin import REGTEST
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    BlocksNotFound,
    HeadersReceived,
    SessionEvent,
)
from sprint.core.protocols.bitcoin_p2p.framing import HEADERS_MAX, INVENTORY_MAX
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_MWEB_FLAG,
    MSG_TX,
    MSG_WITNESS_BLOCK,
    NODE_NETWORK,
    NODE_WITNESS,
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    NotFound,
    Ping,
    Version,
)
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from tests.core.protocols.bitcoin_p2p.peers import (
    OWN_NONCE,
    SETTINGS,
    MemoryLedger,
    bare,
    body_of,
    commands,
    drained,
    exchange,
    frame,
    is_open,
    make_headers,
    peer_session,
    ready_serving_session,
    said,
    serving_session,
    taken,
    version,
)
from tests.vectors import bitcoin_family as vectors

HEADERS = make_headers(10)
HASHES = [sha256d(header) for header in HEADERS]


def wired(ledger: MemoryLedger) -> tuple[PeerSession, ServingSession]:
    asking, serving = peer_session(), serving_session(ledger)
    exchange(asking, serving)
    return asking, serving


def getdata(kind: int, *hashes: bytes) -> bytes:
    return frame(GetData(tuple(InventoryItem(kind, digest) for digest in hashes)))


def test_it_says_that_it_serves_blocks_and_how_high_it_is() -> None:
    session = serving_session(MemoryLedger(HEADERS))
    session.receive_data(frame(version(nonce=OWN_NONCE)), 0.0)
    (own,) = said(session)
    assert isinstance(own, Version)
    assert (own.services, own.start_height) == (NODE_NETWORK | NODE_WITNESS, 10)


def test_it_does_not_ask_to_be_announced_to() -> None:
    session = serving_session()
    session.receive_data(frame(version(nonce=OWN_NONCE)) + bare("verack"), 0.0)
    assert commands(session) == ["version", "verack", "ping", "sendcmpct", "sendcmpct"]


# Headers.


def test_headers_after_the_locator_are_given_up_to_the_stop() -> None:
    session = ready_serving_session(MemoryLedger(HEADERS))
    session.receive_data(frame(GetHeaders(70_016, (HASHES[3],), HASHES[5])), 0.0)
    assert said(session) == [Headers(tuple(HEADERS[4:6]))]


def test_a_peer_at_the_tip_is_told_there_is_nothing_more() -> None:
    session = ready_serving_session(MemoryLedger(HEADERS))
    session.receive_data(frame(GetHeaders(70_016, (HASHES[-1],), bytes(32))), 0.0)
    assert said(session) == [Headers(())]


def test_no_more_headers_are_given_than_one_message_holds() -> None:
    class Generous(MemoryLedger):
        """A ledger that does not keep to the limit it is given."""

        def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
            return [*super().headers_after(locator, stop, limit), *[bytes(80)] * (limit + 1)]

    session = ready_serving_session(Generous())
    session.receive_data(frame(GetHeaders(70_016, (), bytes(32))), 0.0)
    assert said(session) == [Headers((bytes(80),) * HEADERS_MAX)]


def test_a_merge_mined_header_is_announced_by_its_hash_where_headers_are_not_wanted() -> None:
    (block,) = vectors.headers("dogecoin/mainnet_371337.hex")
    session = ServingSession(dogecoin.MAIN, MemoryLedger(), SETTINGS, nonce=1, now=0.0)
    session.receive_data(frame(version(), dogecoin.MAIN) + bare("verack", b"", dogecoin.MAIN), 0.0)
    taken(session)
    session.announce([block[:535]], 0.0)
    assert said(session) == [Inventory((InventoryItem(MSG_BLOCK, sha256d(block[:80])),))]


# Blocks.


@pytest.mark.parametrize(
    ("kind", "mark"),
    [(MSG_BLOCK, b"s"), (MSG_WITNESS_BLOCK, b"w"), (MSG_WITNESS_BLOCK | MSG_MWEB_FLAG, b"w")],
)
def test_a_block_is_given_with_witness_data_where_that_is_asked_for(kind: int, mark: bytes) -> None:
    session = ready_serving_session(MemoryLedger(HEADERS))
    session.receive_data(getdata(kind, HASHES[2]), 0.0)
    (answer,) = taken(session)
    assert (answer.command, answer.payload) == ("block", HEADERS[2] + mark * 20)


def test_what_is_not_here_is_said_to_be_missing_as_it_was_asked_for() -> None:
    session = ready_serving_session(MemoryLedger(HEADERS))
    session.receive_data(getdata(MSG_WITNESS_BLOCK, bytes(32)) + getdata(MSG_TX, HASHES[0]), 0.0)
    assert said(session) == [
        NotFound((InventoryItem(MSG_WITNESS_BLOCK, bytes(32)),)),
        NotFound((InventoryItem(MSG_TX, HASHES[0]),)),
    ]


def test_answers_keep_the_order_of_the_questions() -> None:
    session = ready_serving_session(MemoryLedger(HEADERS))
    session.receive_data(getdata(MSG_BLOCK, HASHES[0], bytes(32), HASHES[1]) + frame(Ping(1)), 0.0)
    assert commands(session) == ["block", "notfound", "block", "pong"]


def test_bodies_are_made_only_as_fast_as_they_are_taken() -> None:
    ledger = MemoryLedger(HEADERS, body_size=1_000)
    settings = msgspec.structs.replace(SETTINGS, output_chunk_bytes=2_000, output_bytes_max=2_000)
    session = ready_serving_session(ledger, settings)
    session.receive_data(getdata(MSG_BLOCK, *HASHES), 0.0)
    assert ledger.bodies_made == 0
    first = session.data_to_send()
    assert (ledger.bodies_made, len(first)) == (2, 2 * 1_024)
    assert sum(map(len, drained(session))) == 8 * 1_024
    assert is_open(session)


def test_requested_items_wait_up_to_the_limit_and_one_over_closes() -> None:
    settings = msgspec.structs.replace(SETTINGS, replies_waiting_max=10)
    session = ready_serving_session(MemoryLedger(HEADERS), settings)
    session.receive_data(getdata(MSG_BLOCK, *HASHES), 0.0)
    assert is_open(session)
    session.receive_data(getdata(MSG_BLOCK, HASHES[0]), 0.0)
    assert session.closed == "11 requested items wait, limit 10 (score 100, limit 100)"
    assert session.data_to_send() == b""


def test_a_whole_getdata_fits_the_limit() -> None:
    session = ready_serving_session()
    session.receive_data(getdata(MSG_BLOCK, *(HASHES[:1] * INVENTORY_MAX)), 0.0)
    assert is_open(session)


def test_a_flood_of_getheaders_ends_at_the_output_limit() -> None:
    session = ready_serving_session(MemoryLedger(make_headers(HEADERS_MAX)))
    session.receive_data(frame(GetHeaders(70_016, (), bytes(32))) * 100, 0.0)
    assert session.closed is not None
    assert "wait for a peer that does not read them, limit 8000000" in session.closed


# Announcing.


def test_a_peer_that_asked_for_headers_is_announced_to_by_headers() -> None:
    session = ready_serving_session()
    session.receive_data(bare("sendheaders"), 0.0)
    session.announce(HEADERS[:8], 4.0)
    assert said(session) == [Headers(tuple(HEADERS[:8]))]
    assert session.announced_at == 4.0


def test_others_and_bursts_over_the_limit_are_announced_by_the_last_hash() -> None:
    session = ready_serving_session()
    session.announce(HEADERS[:2], 0.0)
    assert said(session) == [Inventory((InventoryItem(MSG_BLOCK, HASHES[1]),))]
    session.receive_data(bare("sendheaders"), 0.0)
    session.announce(HEADERS[:9], 0.0)
    assert said(session) == [Inventory((InventoryItem(MSG_BLOCK, HASHES[8]),))]


def test_hashes_are_announced_in_messages_that_fit() -> None:
    session = ready_serving_session()
    session.announce_hashes(HASHES[:1] * (INVENTORY_MAX + 1))
    assert [len(each.items) for each in said(session) if isinstance(each, Inventory)] == [INVENTORY_MAX, 1]


def test_nothing_is_announced_before_the_handshake_or_out_of_nothing() -> None:
    session = serving_session()
    session.announce(HEADERS, 0.0)
    session.announce_hashes(HASHES)
    assert session.data_to_send() == b""
    ready = ready_serving_session()
    ready.announce([], 1.0)
    assert (ready.data_to_send(), ready.announced_at) == (b"", None)


# Both ends together.


@given(st.lists(st.integers(1, 200), max_size=200))
def test_a_chain_is_fetched_whole_however_the_bytes_are_cut(cuts: list[int]) -> None:
    asking, serving = wired(MemoryLedger(HEADERS))
    asking.request_headers([REGTEST.genesis_hash], 0.0)
    asking.request_blocks([*HASHES, bytes(32)], 0.0)
    told, _ = exchange(asking, serving, cuts=cuts)
    wanted: list[SessionEvent] = [HeadersReceived(tuple(HEADERS))]
    wanted += [BlockReceived(body_of(header)) for header in HEADERS]
    assert told == [*wanted, BlocksNotFound((bytes(32),))]
    assert (asking.score, serving.score, asking.oldest_request_at) == (0, 0, None)


def test_both_ways_of_announcing_reach_the_asking_end() -> None:
    asking, serving = wired(MemoryLedger(HEADERS))
    serving.announce(HEADERS[-1:], 0.0)
    serving.announce_hashes(HASHES[-1:])
    told, _ = exchange(asking, serving)
    assert told == [HeadersReceived(tuple(HEADERS[-1:])), BlocksAnnounced(tuple(HASHES[-1:]))]


def test_both_ends_keep_each_other_alive_for_a_day() -> None:
    asking, serving = wired(MemoryLedger(HEADERS))
    now = 0.0
    while now < 86_400.0:
        now = min(due for due in (asking.next_timer(), serving.next_timer()) if due is not None)
        asking.handle_timer(now)
        serving.handle_timer(now)
        exchange(asking, serving, now)
    assert (asking.closed, serving.closed) == (None, None)
