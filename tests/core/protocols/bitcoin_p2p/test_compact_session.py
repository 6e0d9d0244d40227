"""A session that has transactions relayed to it: what it asks for, rebuilds, and asks for whole instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from sprint.core.chains import litecoin
from sprint.core.chains.bitcoin_family.transaction import Transaction
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact import (
    MSG_CMPCT_BLOCK,
    BlockTransactions,
    GetBlockTransactions,
    SendCompact,
)
from sprint.core.protocols.bitcoin_p2p.compact_receiver import PARTIAL_BLOCKS_MAX, CompactReceiver, Relaying
from sprint.core.protocols.bitcoin_p2p.events import BlockReceived, HeadersReceived, SessionEvent
from sprint.core.protocols.bitcoin_p2p.framing import Frame, encode_frame
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_TX,
    MSG_WITNESS_BLOCK,
    MSG_WITNESS_FLAG,
    MSG_WTX,
    NODE_BLOOM,
    NODE_NETWORK,
    NODE_WITNESS,
    GetData,
    Inventory,
    InventoryItem,
    NotFound,
    Version,
)
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.relay.mempool import Mempool
from tests.core.protocols.bitcoin_p2p.compact_blocks import (
    PARAMETERS,
    block_of,
    coinbase,
    compact_of,
    pool_of,
    spend,
)
from tests.core.protocols.bitcoin_p2p.peers import OWN_NONCE, SETTINGS, bare, commands, frame, taken, version

BLOCK = [coinbase(), *map(spend, range(10))]
RAW = block_of(BLOCK)
HASH = sha256d(RAW[:80])


class Peer:
    """A node's side by hand, and the session that it talks to."""

    def __init__(
        self, pool: Mempool, *, offer: int | None = 2, services: int = 0, transactions: bool = True
    ) -> None:
        self.counts = Counter[str]()
        relaying = Relaying(pool, self.counts, transactions)
        self.session = PeerSession(PARAMETERS, SETTINGS, nonce=OWN_NONCE, now=0.0, relaying=relaying)
        first = taken(self.session)[0]
        self.relay_asked_for = Version.decode(first.payload).relay
        offered = services | NODE_NETWORK | NODE_WITNESS
        self.session.receive_data(frame(version(services=offered)) + bare("verack"), 0.0)
        self.first_said = commands(self.session)
        if offer is not None:
            self.says("sendcmpct", SendCompact(announce=False, version=offer).encode())
            (answer,) = taken(self.session)
            assert SendCompact.decode(answer.payload) == SendCompact(announce=False, version=offer)

    def says(self, command: str, payload: bytes, now: float = 1.0) -> list[SessionEvent]:
        return self.session.receive_data(encode_frame(PARAMETERS.magic, command, payload), now)

    def sends_compact(self, transactions: Sequence[Transaction] = BLOCK) -> list[SessionEvent]:
        return self.says("cmpctblock", compact_of(transactions).encode())

    def hears(self) -> Frame:
        (only,) = taken(self.session)
        return only

    def hears_request(self) -> tuple[InventoryItem, ...]:
        return GetData.decode(self.hears().payload).items


def test_what_came_unasked_is_a_header_first_and_a_block_when_it_is_asked_for() -> None:
    peer = Peer(pool_of(BLOCK))
    assert peer.sends_compact() == [HeadersReceived((RAW[:80],))]
    assert peer.session.request_blocks([HASH], 5.0) == [BlockReceived(RAW, read_at=1.0)]
    assert taken(peer.session) == []
    assert peer.session.oldest_request_at is None
    size = len(compact_of(BLOCK).encode())
    assert peer.counts == {"received": 1, "rebuilt": 1, "bytes_saved": len(RAW) - size}


def test_what_was_in_a_rebuilt_block_is_known_no_more() -> None:
    pool = pool_of([*BLOCK, spend(99)])
    peer = Peer(pool)
    peer.sends_compact()
    peer.session.request_blocks([HASH], 5.0)
    assert [each.txid for each in pool.transactions()] == [spend(99).txid]


def test_what_is_missing_is_asked_for() -> None:
    peer = Peer(pool_of(BLOCK[:4] + BLOCK[6:]))
    peer.sends_compact()
    assert peer.session.request_blocks([HASH], 5.0) == []
    asked = peer.hears()
    assert GetBlockTransactions.decode(asked.payload) == GetBlockTransactions(HASH, (4, 5))
    waiting_since = peer.session.oldest_request_at
    assert waiting_since == 5.0
    answer = BlockTransactions(HASH, tuple(each.encode() for each in BLOCK[4:6])).encode()
    assert peer.says("blocktxn", answer) == [BlockReceived(RAW)]
    assert peer.session.oldest_request_at is None
    assert (peer.counts["round_trips"], peer.counts["transactions_missing"]) == (1, 2)
    assert (peer.counts["rebuilt"], peer.counts["rebuilt_after_asking"]) == (1, 1)
    used = len(compact_of(BLOCK).encode()) + len(asked.payload) + len(answer)
    assert peer.counts["bytes_saved"] == max(0, len(RAW) - used)


def test_another_block_than_was_meant_is_asked_for_whole() -> None:
    peer = Peer(pool_of(BLOCK[:4] + BLOCK[5:]))
    peer.sends_compact()
    peer.session.request_blocks([HASH], 5.0)
    taken(peer.session)
    assert peer.says("blocktxn", BlockTransactions(HASH, (spend(99).encode(),)).encode()) == []
    assert peer.hears_request() == (InventoryItem(MSG_WITNESS_BLOCK, HASH),)
    assert peer.says("block", RAW) == [BlockReceived(RAW)]
    assert (peer.session.score, peer.counts["asked_whole"], peer.counts["rebuilt"]) == (0, 1, 0)


def test_an_answer_with_too_few_transactions_costs_the_peer_its_score() -> None:
    peer = Peer(pool_of(BLOCK[:4]))
    peer.sends_compact()
    peer.session.request_blocks([HASH], 5.0)
    peer.says("blocktxn", BlockTransactions(HASH, ()).encode())
    assert peer.session.closed is not None
    assert "0 transactions, 7 were asked for" in peer.session.closed


def test_a_block_that_is_asked_for_again_while_transactions_are_waited_for_is_asked_for_whole() -> None:
    peer = Peer(pool_of(BLOCK[:4]))
    peer.sends_compact()
    peer.session.request_blocks([HASH], 5.0)
    taken(peer.session)
    peer.session.request_blocks([HASH], 9.0)
    assert peer.hears_request() == (InventoryItem(MSG_WITNESS_BLOCK, HASH),)
    assert peer.says("blocktxn", BlockTransactions(HASH, ()).encode()) == []
    assert (peer.session.score, peer.session.counts) == (0, {"unwanted": 1})


def test_a_compact_block_sent_again_while_transactions_are_waited_for_changes_nothing() -> None:
    """Found by fuzzing: it was matched a second time, with places that were filled already."""
    peer = Peer(pool_of(BLOCK[:4]))
    peer.sends_compact()
    peer.session.request_blocks([HASH], 5.0)
    taken(peer.session)
    assert peer.sends_compact() == []
    assert taken(peer.session) == []
    assert peer.session.counts == {"unwanted": 1}
    missing = tuple(each.encode() for each in BLOCK[4:])
    assert peer.says("blocktxn", BlockTransactions(HASH, missing).encode()) == [BlockReceived(RAW)]


def test_the_block_that_was_announced_last_is_asked_for_in_compact_form_and_then_whole() -> None:
    peer = Peer(pool_of(BLOCK))
    peer.says("inv", Inventory((InventoryItem(MSG_BLOCK, HASH),)).encode())
    peer.session.request_blocks([HASH], 5.0)
    assert peer.hears_request() == (InventoryItem(MSG_CMPCT_BLOCK, HASH),)
    assert peer.sends_compact() == [BlockReceived(RAW, read_at=1.0)]
    peer.session.request_blocks([HASH], 6.0)
    assert peer.hears_request() == (InventoryItem(MSG_WITNESS_BLOCK, HASH),)


@pytest.mark.parametrize(
    ("pool", "offer", "hashes"),
    [(pool_of([]), 2, [HASH]), (pool_of(BLOCK), None, [HASH]), (pool_of(BLOCK), 2, [HASH, bytes(32)])],
    ids=["nothing is known", "the peer has no compact blocks", "several at once"],
)
def test_a_block_is_asked_for_whole_where_the_compact_form_is_of_no_use(
    pool: Mempool, offer: int | None, hashes: list[bytes]
) -> None:
    peer = Peer(pool, offer=offer)
    peer.says("inv", Inventory((InventoryItem(MSG_BLOCK, HASH),)).encode())
    peer.session.request_blocks(hashes, 5.0)
    assert {item.kind for item in peer.hears_request()} == {MSG_WITNESS_BLOCK}


def test_a_compact_block_that_nobody_offered_costs_a_point() -> None:
    peer = Peer(pool_of(BLOCK), offer=None)
    assert peer.sends_compact() == []
    assert (peer.session.score, peer.session.counts) == (1, {"unwanted": 1})


def test_compact_blocks_are_kept_to_a_bound_and_the_oldest_is_asked_for_whole() -> None:
    peer = Peer(pool_of(BLOCK))
    for count in range(1, PARTIAL_BLOCKS_MAX + 2):
        peer.sends_compact(BLOCK[:-count])
    peer.session.request_blocks([sha256d(block_of(BLOCK[:-1])[:80])], 5.0)
    assert peer.hears_request()[0].kind == MSG_WITNESS_BLOCK
    last = block_of(BLOCK[: -PARTIAL_BLOCKS_MAX - 1])
    assert peer.session.request_blocks([sha256d(last[:80])], 5.0) == [BlockReceived(last, 1.0)]


def test_without_transactions_the_rest_of_a_block_comes_as_it_stands() -> None:
    """Read one by one, and once more to check them, a thousand transactions held the event loop up 10 ms."""
    peer = Peer(pool_of([]), transactions=False)
    assert not peer.relay_asked_for
    assert peer.sends_compact() == [HeadersReceived((RAW[:80],))]
    assert peer.session.request_blocks([HASH], 5.0) == []
    asked = GetBlockTransactions.decode(peer.hears().payload)
    assert asked == GetBlockTransactions(HASH, tuple(range(1, len(BLOCK))))
    answer = BlockTransactions(HASH, tuple(each.encode() for each in BLOCK[1:])).encode()
    assert peer.says("blocktxn", answer) == [BlockReceived(RAW)]
    assert (peer.counts["rebuilt"], peer.counts["rebuilt_after_asking"], peer.session.score) == (1, 1, 0)
    assert peer.says("blocktxn", answer) == []
    assert peer.session.counts == {"unwanted": 1}


def test_without_transactions_an_answer_with_too_few_of_them_costs_the_peer_its_score() -> None:
    peer = Peer(pool_of([]), transactions=False)
    peer.sends_compact()
    peer.session.request_blocks([HASH], 5.0)
    answer = BlockTransactions(HASH, tuple(each.encode() for each in BLOCK[2:])).encode()
    assert peer.says("blocktxn", answer) == []
    assert peer.session.closed is not None
    assert "9 transactions, 10 were asked for" in peer.session.closed


def test_without_transactions_the_form_without_witness_data_is_not_taken() -> None:
    peer = Peer(pool_of([]), offer=None, transactions=False)
    peer.says("sendcmpct", SendCompact(announce=False, version=1).encode())
    assert taken(peer.session) == []
    peer.says("sendcmpct", SendCompact(announce=False, version=2).encode())
    assert peer.session.compact_version == 2


def test_the_version_that_both_know_first_is_held_to() -> None:
    peer = Peer(pool_of([]), offer=1)
    peer.says("sendcmpct", SendCompact(announce=False, version=2).encode())
    peer.says("sendcmpct", SendCompact(announce=False, version=3).encode())
    assert taken(peer.session) == []


def test_where_there_are_extension_blocks_only_the_form_that_has_them_is_taken() -> None:
    """A real litecoind offers 3, 2 and 1: a block in forms 1 and 2 was asked for whole after all."""
    receiver = CompactReceiver(litecoin.REGTEST, Relaying(pool_of([]), Counter()))
    assert receiver.offered(SendCompact(announce=False, version=2)) is None
    assert receiver.offered(SendCompact(announce=False, version=3)) == SendCompact(announce=False, version=3)
    assert receiver.offered(SendCompact(announce=False, version=1)) is None
    assert receiver.version == 3


def test_new_blocks_are_wanted_unasked_once_that_is_preferred() -> None:
    peer = Peer(pool_of([]))
    peer.session.prefer_compact(high_bandwidth=True)
    assert SendCompact.decode(peer.hears().payload) == SendCompact(announce=True, version=2)
    peer.session.prefer_compact(high_bandwidth=True)
    assert taken(peer.session) == []


def test_announced_transactions_are_asked_for_once_and_kept() -> None:
    pool = pool_of([spend(1)])
    peer, other = Peer(pool), Peer(pool)
    assert peer.relay_asked_for
    items = (
        InventoryItem(MSG_TX, spend(1).txid),
        InventoryItem(MSG_TX, spend(2).txid),
        InventoryItem(MSG_WTX, spend(3).wtxid),
    )
    peer.says("inv", Inventory(items).encode())
    wanted = (InventoryItem(MSG_TX | MSG_WITNESS_FLAG, spend(2).txid), InventoryItem(MSG_WTX, spend(3).wtxid))
    assert peer.hears_request() == wanted
    other.says("inv", Inventory(items).encode())
    assert taken(other.session) == []
    peer.says("tx", spend(2).encode())
    peer.says("notfound", NotFound(wanted[1:]).encode())
    assert spend(2).wtxid in pool
    assert (peer.session.score, peer.session.counts) == (0, {})


def test_a_transaction_that_nobody_asked_for_is_counted() -> None:
    peer = Peer(pool_of([]))
    peer.says("tx", spend(2).encode())
    assert peer.session.counts == {"unwanted": 1}


def test_a_transaction_within_an_extension_block_does_not_cost_the_node_its_score() -> None:
    """These ten bytes are what a real litecoind sent, which lost the relay its source."""
    network = litecoin.REGTEST
    relaying = Relaying(Mempool(network), Counter())
    session = PeerSession(network, SETTINGS, nonce=OWN_NONCE, now=0.0, relaying=relaying)
    session.receive_data(frame(version(), network) + bare("verack", network=network), 0.0)
    session.receive_data(bare("tx", bytes.fromhex("0200000000007f010000"), network), 0.0)
    assert (session.score, session.counts, len(relaying.pool)) == (0, {"unreadable": 1}, 0)


@pytest.mark.parametrize(("services", "asked"), [(NODE_BLOOM, True), (0, False)])
def test_a_node_that_lets_its_mempool_be_asked_for_is_asked(services: int, *, asked: bool) -> None:
    assert ("mempool" in Peer(pool_of([]), offer=None, services=services).first_said) is asked
