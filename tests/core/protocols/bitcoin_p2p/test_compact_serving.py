"""The serving end gives compact blocks, and the asking end rebuilds them: both ends wired together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from sprint.core.chains import litecoin
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact import GetBlockTransactions, SendCompact
from sprint.core.protocols.bitcoin_p2p.compact_receiver import Relaying
from sprint.core.protocols.bitcoin_p2p.compact_server import versions_served
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    HeadersReceived,
    SessionEvent,
)
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.relay.mempool import Mempool
from tests.core.protocols.bitcoin_p2p.compact_blocks import PARAMETERS, block_of, coinbase, pool_of, spend
from tests.core.protocols.bitcoin_p2p.peers import (
    OWN_NONCE,
    PEER_NONCE,
    SETTINGS,
    MemoryLedger,
    commands,
    exchange,
    make_headers,
)

BLOCK = [coinbase(), *map(spend, range(10))]
RAW = block_of(BLOCK)
HASH = sha256d(RAW[:80])


class OneBlock:
    """A ledger of one block."""

    def height(self) -> int:
        return 1

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        return [RAW[:80]]

    def body(self, digest: bytes, *, witness: bool) -> bytes | None:
        if digest != HASH:
            return None
        if witness:
            return RAW
        return RAW[:81] + b"".join(each.encode(witness=False) for each in BLOCK)


class Ends:
    def __init__(self, pool: Mempool, *, high_bandwidth: bool = False) -> None:
        self.counts = Counter[str]()
        relaying = Relaying(pool, self.counts)
        self.asking = PeerSession(PARAMETERS, SETTINGS, nonce=OWN_NONCE, now=0.0, relaying=relaying)
        self.asking.prefer_compact(high_bandwidth=high_bandwidth)
        self.serving = ServingSession(PARAMETERS, OneBlock(), SETTINGS, nonce=PEER_NONCE, now=0.0)
        self.carried()

    def carried(self) -> list[SessionEvent]:
        return exchange(self.asking, self.serving)[0]


def test_the_better_version_is_agreed_on() -> None:
    ends = Ends(pool_of([]))
    assert ends.asking.compact_version == 2
    assert ends.serving.peer_compact == SendCompact(announce=False, version=2)


def test_a_new_block_is_sent_unasked_and_rebuilt_without_a_round_trip() -> None:
    ends = Ends(pool_of(BLOCK), high_bandwidth=True)
    ends.serving.announce([RAW[:80]], 1.0)
    assert ends.carried() == [HeadersReceived((RAW[:80],))]
    assert ends.asking.request_blocks([HASH], 2.0) == [BlockReceived(RAW, 0.0)]
    assert commands(ends.asking) == []


def test_what_is_missing_is_given() -> None:
    ends = Ends(pool_of(BLOCK[:5]), high_bandwidth=True)
    ends.serving.announce([RAW[:80]], 1.0)
    ends.carried()
    assert ends.asking.request_blocks([HASH], 2.0) == []
    assert ends.carried() == [BlockReceived(RAW)]
    assert ends.counts["transactions_missing"] == 6
    assert (ends.asking.score, ends.serving.score) == (0, 0)


def test_a_peer_that_did_not_ask_for_it_is_told_by_hash_and_given_the_compact_form() -> None:
    ends = Ends(pool_of(BLOCK))
    ends.serving.announce_hashes([HASH])
    assert ends.carried() == [BlocksAnnounced((HASH,))]
    ends.asking.request_blocks([HASH], 2.0)
    assert ends.carried() == [BlockReceived(RAW, 0.0)]
    assert ends.counts["rebuilt"] == 1


@pytest.mark.parametrize(("index", "closed"), [(10, False), (11, True)])
def test_a_transaction_that_the_block_has_not_got_costs_the_score(index: int, *, closed: bool) -> None:
    ends = Ends(pool_of([]))
    question = GetBlockTransactions(HASH, (index,))
    ends.asking._send_payload(question.command, question.encode())
    ends.carried()
    assert (ends.serving.closed is not None) is closed


def test_a_body_that_does_not_parse_is_announced_by_its_header() -> None:
    """The devnet serves such on purpose; the session that serves them must not end over it."""
    headers = make_headers(1)
    asking = PeerSession(
        PARAMETERS, SETTINGS, nonce=OWN_NONCE, now=0.0, relaying=Relaying(pool_of(BLOCK), Counter())
    )
    asking.prefer_compact(high_bandwidth=True)
    serving = ServingSession(PARAMETERS, MemoryLedger(headers), SETTINGS, nonce=PEER_NONCE, now=0.0)
    exchange(asking, serving)
    serving.announce(headers, 1.0)
    assert exchange(asking, serving)[0] == [HeadersReceived(tuple(headers))]
    asking.request_blocks([sha256d(headers[0])], 2.0)
    (received,) = exchange(asking, serving)[0]
    assert isinstance(received, BlockReceived)
    assert serving.closed is None


def test_a_network_with_extension_blocks_is_served_whole_blocks_only() -> None:
    assert versions_served(litecoin.REGTEST) == ()
