"""The asking end: requests, what is told of the answers, and what a peer may not send."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    BlocksNotFound,
    HeadersReceived,
)
from sprint.core.protocols.bitcoin_p2p.framing import HEADERS_MAX, INVENTORY_MAX, LOCATOR_MAX
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_TX,
    MSG_WITNESS_BLOCK,
    MSG_WTX,
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    NotFound,
)
from sprint.core.protocols.bitcoin_p2p.session import NON_CONTINUOUS_PENALTY, UNWANTED_PENALTY
from tests.core.protocols.bitcoin_p2p.peers import (
    SETTINGS,
    bare,
    body_of,
    commands,
    frame,
    is_open,
    make_headers,
    peer_session,
    ready_peer_session,
    said,
)

HEADERS = make_headers(5)
HASHES = [sha256d(header) for header in HEADERS]


def inv(kind: int, *hashes: bytes) -> bytes:
    return frame(Inventory(tuple(InventoryItem(kind, digest) for digest in hashes)))


# Headers.


def test_headers_are_asked_for_by_locator_without_a_stop() -> None:
    session = ready_peer_session()
    session.request_headers(HASHES[:3], 0.0)
    assert said(session) == [GetHeaders(70_016, tuple(HASHES[:3]), bytes(32))]


def test_a_locator_longer_than_the_protocol_allows_is_cut_at_its_far_end() -> None:
    session = ready_peer_session()
    hashes = [number.to_bytes(32, "big") for number in range(LOCATOR_MAX + 1)]
    session.request_headers(hashes, 0.0)
    assert said(session) == [GetHeaders(70_016, tuple(hashes[:LOCATOR_MAX]), bytes(32))]


def test_headers_are_told_raw_and_an_empty_answer_is_told_too() -> None:
    session = ready_peer_session()
    assert session.receive_data(frame(Headers(tuple(HEADERS))), 0.0) == [HeadersReceived(tuple(HEADERS))]
    assert session.receive_data(frame(Headers(())), 0.0) == [HeadersReceived(())]


def test_a_full_message_of_headers_is_told_and_one_over_closes() -> None:
    full = make_headers(HEADERS_MAX + 1)
    session = ready_peer_session()
    assert session.receive_data(frame(Headers(tuple(full[:-1]))), 0.0) == [HeadersReceived(tuple(full[:-1]))]
    assert session.receive_data(frame(Headers(tuple(full))), 0.0) == []
    assert session.closed == "headers of 162084 bytes, limit 162009 (score 100, limit 100)"


def test_headers_that_do_not_follow_one_another_are_dropped_and_cost_points() -> None:
    session = ready_peer_session()
    assert session.receive_data(frame(Headers((HEADERS[0], HEADERS[2]))), 0.0) == []
    assert session.score == NON_CONTINUOUS_PENALTY


def test_an_unanswered_getheaders_closes_at_its_timeout_and_names_the_likely_cause() -> None:
    session = ready_peer_session()
    session.request_headers(HASHES, 30.0)
    session.request_headers(HASHES, 100.0)  # does not put the first one's deadline off
    assert session.next_timer() == 150.0
    session.handle_timer(149.9)
    assert is_open(session)
    session.handle_timer(150.0)
    assert session.closed is not None
    assert session.closed.startswith("no answer to getheaders within 120 s")
    assert "initial block download" in session.closed


def test_an_answer_stops_the_timeout_and_the_next_request_starts_it_anew() -> None:
    session = ready_peer_session()
    session.request_headers(HASHES, 30.0)
    session.receive_data(frame(Headers(())), 31.0)
    session.handle_timer(150.0)
    assert is_open(session)
    session.request_headers(HASHES, 200.0)
    assert session.next_timer() == 320.0


# Blocks.


def test_blocks_are_asked_for_with_witness_data() -> None:
    session = ready_peer_session()
    session.request_blocks(HASHES[:2], 0.0)
    assert said(session) == [
        GetData((InventoryItem(MSG_WITNESS_BLOCK, HASHES[0]), InventoryItem(MSG_WITNESS_BLOCK, HASHES[1])))
    ]


def test_more_blocks_than_one_message_holds_are_asked_for_in_two() -> None:
    session = ready_peer_session()
    hashes = [number.to_bytes(32, "big") for number in range(INVENTORY_MAX + 1)]
    session.request_blocks(hashes, 0.0)
    assert [len(each.items) for each in said(session) if isinstance(each, GetData)] == [INVENTORY_MAX, 1]


def test_a_block_that_was_asked_for_is_told_and_comes_but_once() -> None:
    session = ready_peer_session()
    session.request_blocks(HASHES[:1], 0.0)
    raw = body_of(HEADERS[0])
    assert session.receive_data(bare("block", raw) * 2, 0.0) == [BlockReceived(raw)]
    assert (session.counts, session.score) == ({"unwanted": 1}, 0)


def test_a_block_that_nobody_asked_for_is_dropped_and_counted() -> None:
    session = ready_peer_session()
    assert session.receive_data(bare("block", body_of(HEADERS[0])), 0.0) == []
    assert (session.counts, session.closed) == ({"unwanted": 1}, None)


@pytest.mark.parametrize("size", [0, 79, 80])
def test_a_block_that_is_no_more_than_a_header_closes(size: int) -> None:
    session = ready_peer_session()
    session.request_blocks(HASHES[:1], 0.0)
    assert session.receive_data(bare("block", HEADERS[0][:size]), 0.0) == []
    assert session.closed == f"block of {size} bytes, a header alone has 80 (score 100, limit 100)"


def test_blocks_not_found_are_told_if_they_were_asked_for() -> None:
    session = ready_peer_session()
    session.request_blocks(HASHES[:2], 0.0)
    answer = frame(NotFound(tuple(InventoryItem(MSG_WITNESS_BLOCK, digest) for digest in HASHES[1:3])))
    assert session.receive_data(answer, 0.0) == [BlocksNotFound((HASHES[1],))]
    assert session.receive_data(answer, 0.0) == []


def test_the_time_of_the_oldest_request_is_known_until_it_is_answered() -> None:
    session = ready_peer_session()
    session.request_blocks(HASHES[:1], 1.0)
    session.request_blocks(HASHES[1:2], 2.0)
    assert session.oldest_request_at == 1.0
    session.request_blocks(HASHES[:1], 3.0)
    assert session.oldest_request_at == 2.0
    session.receive_data(bare("block", body_of(HEADERS[1])), 4.0)
    assert session.oldest_request_at == 3.0
    session.receive_data(bare("block", body_of(HEADERS[0])), 5.0)
    assert session.oldest_request_at is None


def test_beyond_the_limit_the_oldest_requests_are_forgotten() -> None:
    session = ready_peer_session(msgspec.structs.replace(SETTINGS, blocks_in_flight_max=2))
    session.request_blocks(HASHES[:2], 0.0)
    blocks = [body_of(header) for header in HEADERS[:3]]
    session.request_blocks(HASHES[2:3], 0.0)
    events = session.receive_data(b"".join(bare("block", raw) for raw in blocks), 0.0)
    assert events == [BlockReceived(blocks[1]), BlockReceived(blocks[2])]


def test_requests_before_the_handshake_is_done_say_nothing() -> None:
    session = peer_session()
    assert commands(session) == ["version"]
    session.request_headers(HASHES, 0.0)
    session.request_blocks(HASHES, 0.0)
    assert commands(session) == []
    assert (session.next_timer(), session.oldest_request_at) == (60.0, None)


# Announcements, and what is asked of a node that serves nothing.


def test_announced_blocks_are_told() -> None:
    session = ready_peer_session()
    assert session.receive_data(inv(MSG_BLOCK, *HASHES[:2]), 0.0) == [BlocksAnnounced(tuple(HASHES[:2]))]
    assert session.receive_data(inv(MSG_BLOCK), 0.0) == []


@pytest.mark.parametrize("kind", [MSG_TX, MSG_WTX])
def test_announced_transactions_cost_points_once_a_message_and_blocks_beside_them_are_told(kind: int) -> None:
    session = ready_peer_session()
    items = (InventoryItem(kind, bytes(32)),) * 3 + (InventoryItem(MSG_BLOCK, HASHES[0]),)
    assert session.receive_data(frame(Inventory(items)), 0.0) == [BlocksAnnounced((HASHES[0],))]
    assert (session.score, session.counts) == (UNWANTED_PENALTY, {"unwanted": 1})


def test_a_peer_that_asks_for_headers_is_told_there_are_none() -> None:
    session = ready_peer_session()
    session.receive_data(frame(GetHeaders(70_016, (HASHES[0],), bytes(32))), 0.0)
    assert said(session) == [Headers(())]


def test_a_peer_that_asks_for_data_is_told_it_is_not_here() -> None:
    session = ready_peer_session()
    items = (InventoryItem(MSG_WITNESS_BLOCK, HASHES[0]), InventoryItem(MSG_TX, HASHES[1]))
    session.receive_data(frame(GetData(items)), 0.0)
    assert said(session) == [NotFound(items)]
