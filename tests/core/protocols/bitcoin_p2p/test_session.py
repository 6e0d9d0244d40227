"""The asking end: requests, what is told of the answers, and what a peer may not send."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from sprint.core.chains import bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.kernels import sha256d
from sprint.core.protocols.announcements import HeadersAnnounced, HistoryLimited
from sprint.core.protocols.bitcoin_p2p.compact_receiver import Relaying
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    BlocksNotFound,
    HeadersReceived,
    OnlyNewestBlocks,
    Ready,
    announcement_of,
)
from sprint.core.protocols.bitcoin_p2p.framing import HEADERS_MAX, INVENTORY_MAX, LOCATOR_MAX
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_TX,
    MSG_WITNESS_BLOCK,
    MSG_WTX,
    NODE_MWEB,
    NODE_NETWORK,
    NODE_NETWORK_LIMITED,
    NODE_WITNESS,
    FeeFilter,
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    NotFound,
    Version,
)
from sprint.core.protocols.bitcoin_p2p.session import (
    FEE_FILTER_VERSION_MIN,
    NEWEST_BLOCKS,
    NON_CONTINUOUS_PENALTY,
    UNWANTED_PENALTY,
    PeerSession,
)
from sprint.core.relay.mempool import Mempool
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
    taken,
    version,
)
from tests.vectors import bitcoin_family as vectors

MERGED_SIZE = 535  # of the first merge-mined header of Dogecoin, with its AuxPoW
HEADERS = make_headers(5)
HASHES = [sha256d(header) for header in HEADERS]


def inv(kind: int, *hashes: bytes) -> bytes:
    return frame(Inventory(tuple(InventoryItem(kind, digest) for digest in hashes)))


# What it says of itself.


@pytest.mark.parametrize("parameters", [bitcoin.REGTEST, litecoin.REGTEST, dogecoin.REGTEST])
@pytest.mark.parametrize("relaying", [False, True])
def test_a_node_is_told_what_a_transaction_has_to_pay_to_be_told_of(
    parameters: NetworkParameters, *, relaying: bool
) -> None:
    """Without relay none is wanted: the filter is the most that a node takes for money (BIP 133)."""
    pool = Relaying(Mempool(parameters), Counter()) if relaying else None
    session = PeerSession(parameters, SETTINGS, nonce=1, now=0.0, relaying=pool)
    taken(session)
    session.receive_data(frame(version(), parameters) + bare("verack", b"", parameters), 0.0)
    (told,) = [each for each in taken(session) if each.command == FeeFilter.command]
    assert FeeFilter.decode(told.payload).fee_rate_min == (1 if relaying else parameters.money_max)


def test_a_node_older_than_fee_filters_is_told_of_none() -> None:
    session = peer_session()
    old = version(protocol_version=FEE_FILTER_VERSION_MIN - 1)
    session.receive_data(frame(old) + bare("verack"), 0.0)
    assert "sendheaders" in commands(session)
    assert FeeFilter.command not in commands(session)


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


def test_an_unanswered_getheaders_closes_at_its_timeout() -> None:
    session = ready_peer_session()
    session.request_headers(HASHES, 30.0)
    session.request_headers(HASHES, 100.0)  # does not put the first one's deadline off
    assert session.next_timer() == 150.0
    session.handle_timer(149.9)
    assert is_open(session)
    session.handle_timer(150.0)
    assert session.closed == "no answer to getheaders within 120 s"


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


@pytest.mark.parametrize(
    ("network", "services", "kind"),
    [
        (bitcoin.REGTEST, NODE_NETWORK | NODE_WITNESS | NODE_MWEB, MSG_WITNESS_BLOCK),
        (litecoin.REGTEST, NODE_NETWORK | NODE_WITNESS | NODE_MWEB, 0x60000002),
        (litecoin.REGTEST, NODE_NETWORK | NODE_WITNESS, MSG_WITNESS_BLOCK),
        (dogecoin.REGTEST, NODE_NETWORK, MSG_BLOCK),
        (dogecoin.REGTEST, NODE_NETWORK | NODE_WITNESS | NODE_MWEB, MSG_BLOCK),
    ],
)
def test_a_block_is_asked_for_whole_as_its_network_and_the_peer_have_it(
    network: NetworkParameters, services: int, kind: int
) -> None:
    if network.chain_id == "litecoin-regtest":
        network = msgspec.structs.replace(network, mweb_height=432)
    session = ready_peer_session(network=network, services=services)
    session.request_blocks(HASHES[:1], 0.0)
    assert said(session) == [GetData((InventoryItem(kind, HASHES[0]),))]


def test_a_network_without_witness_data_neither_demands_nor_offers_it() -> None:
    session = peer_session(network=dogecoin.REGTEST)
    (own,) = said(session)
    assert isinstance(own, Version)
    assert own.services == 0
    session.receive_data(frame(version(services=NODE_NETWORK), dogecoin.REGTEST), 0.0)
    assert is_open(session)


def test_merge_mined_headers_follow_one_another_by_their_first_80_bytes() -> None:
    (block,) = vectors.headers("dogecoin/mainnet_371337.hex")
    merged = block[:MERGED_SIZE]
    child = merged[:4] + sha256d(merged[:80]) + merged[36:]
    session = ready_peer_session(network=dogecoin.MAIN, services=NODE_NETWORK)
    answer = frame(Headers((merged, child)), dogecoin.MAIN)
    assert session.receive_data(answer, 0.0) == [HeadersReceived((merged, child))]
    stranger = merged[:4] + sha256d(merged) + merged[36:]
    session.receive_data(frame(Headers((merged, stranger)), dogecoin.MAIN), 0.0)
    assert session.score == NON_CONTINUOUS_PENALTY


def test_a_full_message_of_merge_mined_headers_is_told() -> None:
    (block,) = vectors.headers("dogecoin/mainnet_371337.hex")
    headers = [block[:MERGED_SIZE]]
    for _ in range(HEADERS_MAX - 1):
        headers.append(block[:4] + sha256d(headers[-1][:80]) + block[36:MERGED_SIZE])
    session = ready_peer_session(network=dogecoin.MAIN, services=NODE_NETWORK)
    (told,) = session.receive_data(frame(Headers(tuple(headers)), dogecoin.MAIN), 0.0)
    assert told == HeadersReceived(tuple(headers))
    announcement = announcement_of(told, "peer", 0.0)
    assert isinstance(announcement, HeadersAnnounced)
    assert announcement.full


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


@pytest.mark.parametrize(
    ("services", "pruned"),
    [
        (NODE_NETWORK_LIMITED | NODE_WITNESS, True),
        (NODE_NETWORK | NODE_WITNESS, False),
        (NODE_NETWORK | NODE_NETWORK_LIMITED | NODE_WITNESS, False),
    ],
)
def test_a_pruned_node_is_told_of_before_it_is_ready(services: int, *, pruned: bool) -> None:
    session = peer_session()
    events = session.receive_data(frame(version(services=services)) + bare("verack"), 0.0)
    before = [OnlyNewestBlocks(NEWEST_BLOCKS, 7)] if pruned else []
    assert events[:-1] == before
    assert isinstance(events[-1], Ready)
    assert session.is_pruned is pruned
    told = announcement_of(OnlyNewestBlocks(NEWEST_BLOCKS, 7), "n", 1.0)
    assert told == HistoryLimited("n", NEWEST_BLOCKS, 7, 1.0)


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
