"""Compact blocks from real nodes: 1,000 transactions rebuilt to the node's own bytes, and what it saved."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.core.chains import internal_hash
from sprint.core.chains.bitcoin import REGTEST as BITCOIN_REGTEST
from sprint.core.chains.litecoin import REGTEST
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact import COMPACT_VERSION_EXTENSION
from sprint.core.protocols.bitcoin_p2p.compact_receiver import Relaying
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    HeadersReceived,
    SessionEvent,
)
from sprint.core.protocols.bitcoin_p2p.framing import FRAME_HEADER_SIZE
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.relay.mempool import Mempool
from tests.integration.bcoin_node import running_bcoin
from tests.integration.blocking_wire import BlockingWire, connected_to
from tests.integration.many_transactions import fill_mempool
from tests.integration.mweb_node import MwebNode
from tests.integration.real_servers import Litecoind, require, wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener

TRANSACTIONS = 1_000
# Without it a node tells a stranger of 35 transactions every five seconds, so as not to be watched.
TRUSTED = "-whitelist=noban@127.0.0.1"


class TellingLitecoind(Litecoind):
    """A node that tells of its transactions without delay."""

    def _command(self, onion_port: int) -> list[str]:
        return [*super()._command(onion_port), TRUSTED]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Litecoind]:
    require("litecoind")
    started = TellingLitecoind(tmp_path / "litecoind").start()
    try:
        started.mine(1)
        yield started
    finally:
        started.stop()


def know_the_mempool(wire: BlockingWire, node: Litecoind, pool: Mempool) -> None:
    """Have all transactions of the node relayed."""
    txids = [internal_hash(txid) for txid in node.rpc("getrawmempool")]
    assert len(txids) == TRANSACTIONS
    wire.run(lambda _: all(txid in pool for txid in txids))


def know_the_tip(wire: BlockingWire, tip: str) -> None:
    """Have the node see that its tip is known here; else it announces no headers."""
    wire.session.request_headers([internal_hash(tip)], time.monotonic())
    wire.run(bool)


# bcoin speaks version 1 to a peer that has no witness data to offer.
NO_WITNESS = SessionSettings(user_agent="/sprint-test/", services=0)


@pytest.mark.real("bcoin")
@pytest.mark.parametrize("missing", [0, 1])
def test_version_1_from_bcoin_rebuilds_a_thousand_transactions(missing: int) -> None:
    pool, counts = Mempool(BITCOIN_REGTEST), Counter[str]()
    relaying = Relaying(pool, counts)
    with (
        running_bcoin() as node,
        connected_to(node.p2p_port, BITCOIN_REGTEST, relaying, NO_WITNESS) as wire,
    ):
        spends = node.prepare_spends(TRANSACTIONS)
        for text in spends:
            node.rpc("sendrawtransaction", text)
        txids = [sha256d(bytes.fromhex(text)) for text in spends]
        wire.run(lambda _: all(txid in pool for txid in txids))
        pool.remove(txids[:missing])
        read_before = wire.bytes_read
        (block,) = node.mine(1)
        wire.run(lambda told: block_told(told, block))
        raw, _ = fetched(wire, block)
        read = wire.bytes_read - read_before
        whole = node.raw_block(block)
    assert wire.session.compact_version == 1
    assert raw == whole
    assert (counts["rebuilt"], counts["round_trips"], counts["asked_whole"]) == (1, missing, 0)
    assert counts["bytes_saved"] > len(whole) * 0.8
    print(f"\n{len(whole)} bytes rebuilt from {read} read, {counts['bytes_saved']} saved: {dict(counts)}")


def block_told(events: list[SessionEvent], block: str) -> bool:
    """Whether a block was told of, by its header or by its hash."""
    hashes = [each for event in events if isinstance(event, BlocksAnnounced) for each in event.hashes]
    return internal_hash(block) in hashes or header_told(events, block)


def header_told(events: list[SessionEvent], block: str) -> bool:
    wanted = internal_hash(block)
    return any(
        sha256d(header) == wanted
        for event in events
        if isinstance(event, HeadersReceived)
        for header in event.headers
    )


def fetched(wire: BlockingWire, block: str) -> tuple[bytes, bool]:
    """Ask for the body of a block whose header was told; return it, and whether it was here already."""
    at_once = wire.session.request_blocks([internal_hash(block)], time.monotonic())
    (received,) = at_once or wire.run(bool)
    assert isinstance(received, BlockReceived)
    return received.raw, bool(at_once)


@pytest.mark.real("litecoind")
@pytest.mark.parametrize("high_bandwidth", [True, False])
def test_a_thousand_transactions_are_rebuilt_without_a_round_trip(
    node: Litecoind, *, high_bandwidth: bool
) -> None:
    pool, counts = Mempool(REGTEST), Counter[str]()
    with connected_to(node.p2p_port, REGTEST, Relaying(pool, counts)) as wire:
        wire.session.prefer_compact(high_bandwidth=high_bandwidth)
        fill_mempool(node, TRANSACTIONS)
        know_the_mempool(wire, node, pool)
        know_the_tip(wire, node.tip)
        read_before = wire.bytes_read
        (block,) = node.mine(1)
        wire.run(lambda told: header_told(told, block))
        raw, at_once = fetched(wire, block)
        read = wire.bytes_read - read_before
    whole = bytes.fromhex(node.rpc("getblock", block, 0))
    assert raw == whole
    assert at_once is high_bandwidth, "what came unasked needs no asking"
    assert (counts["rebuilt"], counts["round_trips"], counts["asked_whole"]) == (1, 0, 0)
    assert counts["bytes_saved"] > len(whole) * 0.8
    assert read < len(whole) * 0.2
    print(f"\n{len(whole)} bytes rebuilt from {read} read, {counts['bytes_saved']} saved: {dict(counts)}")


# With version 2, which has no extension block, each block was asked for whole a round trip later.
@pytest.mark.real("litecoind")
@pytest.mark.parametrize("high_bandwidth", [True, False])
def test_a_block_with_an_extension_block_is_rebuilt_with_it(node: Litecoind, *, high_bandwidth: bool) -> None:
    wallet = MwebNode(node)
    wallet.begin_extension_blocks()
    wallet.mine(2)
    pool, counts = Mempool(REGTEST), Counter[str]()
    with connected_to(node.p2p_port, REGTEST, Relaying(pool, counts)) as wire:
        wire.session.prefer_compact(high_bandwidth=high_bandwidth)
        know_the_tip(wire, node.tip)
        paid = internal_hash(node.rpc("sendtoaddress", node.rpc("getnewaddress"), 1))
        wire.run(lambda _: paid in pool)
        wallet.pay_in(1)
        (block,) = wallet.mine()
        wire.run(lambda told: block_told(told, block))
        raw, _ = fetched(wire, block)
        (peer,) = node.rpc("getpeerinfo")
    assert wire.session.compact_version == COMPACT_VERSION_EXTENSION
    assert raw == wallet.raw_block(block)
    assert (counts["rebuilt"], counts["asked_whole"]) == (1, 0)
    assert float(peer["minfeefilter"]) == pytest.approx(1e-8)
    print(f"\n{len(raw)} bytes with an extension block: {dict(counts)}")


@pytest.mark.real("litecoind")
def test_one_missing_transaction_of_a_thousand_takes_one_round_trip(node: Litecoind) -> None:
    pool, counts = Mempool(REGTEST), Counter[str]()
    with connected_to(node.p2p_port, REGTEST, Relaying(pool, counts)) as wire:
        wire.session.prefer_compact(high_bandwidth=True)
        fill_mempool(node, TRANSACTIONS)
        know_the_mempool(wire, node, pool)
        know_the_tip(wire, node.tip)
        lost = internal_hash(node.rpc("getrawmempool")[TRANSACTIONS // 2])
        pool.remove([lost])
        read_before = wire.bytes_read
        (block,) = node.mine(1)
        wire.run(lambda told: header_told(told, block))
        raw, at_once = fetched(wire, block)
        read = wire.bytes_read - read_before
    whole = bytes.fromhex(node.rpc("getblock", block, 0))
    assert raw == whole
    assert not at_once
    assert (counts["rebuilt"], counts["round_trips"], counts["transactions_missing"]) == (1, 1, 1)
    assert counts["bytes_saved"] > len(whole) * 0.8
    print(f"\n{len(whole)} bytes rebuilt from {read} read, {counts['bytes_saved']} saved: {dict(counts)}")


@pytest.mark.real("litecoind")
def test_a_real_node_takes_the_offers_of_transactions_and_addresses(node: Litecoind) -> None:
    pool = Mempool(REGTEST)
    settings = SessionSettings(user_agent="/sprint-test/", addresses_wanted=True)
    with connected_to(node.p2p_port, REGTEST, Relaying(pool, Counter()), settings) as wire:
        know_the_tip(wire, node.tip)
        (peer,) = node.rpc("getpeerinfo")
        assert peer["relaytxes"]
        assert {"wtxidrelay", "sendaddrv2", "getaddr"} <= set(peer["bytesrecv_per_msg"])
        assert (wire.session.score, wire.session.closed) == (0, None)


@pytest.mark.real("litecoind")
def test_a_relay_delivers_a_rebuilt_block_and_shows_what_it_saved(node: Litecoind, tmp_path: Path) -> None:
    source = f"{node.source_url}?mempool=true"
    with (
        RelayProcess(tmp_path, "--source", source, "--data-dir", str(tmp_path / "data")) as relay,
        Listener(relay.url) as listener,
    ):
        listener.wait_for_block(node.tip)
        fill_mempool(node, TRANSACTIONS)
        listener.wait_for_block(node.tip)
        size = len(node.rpc("getrawtransaction", node.rpc("getrawmempool")[0])) // 2
        wait_until(
            lambda: sent(node, "tx") >= TRANSACTIONS * (FRAME_HEADER_SIZE + size), "all transactions are sent"
        )
        blocks_before = sent(node, "block")
        for _ in range(2):
            listener.wait_for_block(node.mine(1)[0])
        blocks_sent = sent(node, "block") - blocks_before
        (view,) = listener.client.status("litecoin-regtest")["sources"]
    compact = view["compact"]
    assert blocks_sent == 0, "no body went over the wire whole"
    assert compact["rebuilt"] >= 2
    # The large transaction that all others spend counts too, so a third of those may have been on its way.
    assert compact["bytes_saved"] > TRANSACTIONS * size * 0.5
    print(f"\nthe relay's counts: {compact}")


def sent(node: Litecoind, command: str) -> int:
    """Bytes that the node has sent in messages of one kind."""
    return sum(peer["bytessent_per_msg"].get(command, 0) for peer in node.rpc("getpeerinfo"))
