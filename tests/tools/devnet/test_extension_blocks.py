"""Litecoin's devnet over its first extension block: every rule kept, on every branch, whole and stripped."""

from __future__ import annotations

import random

import pytest

from sprint.core.chains import Block, bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.protocols.bitcoin_p2p.messages import (
    NODE_MWEB,
    NODE_NETWORK,
    NODE_WITNESS,
    Version,
    decode_message,
)
from sprint.tools.devnet import ledger as ledger_module
from sprint.tools.devnet.ledger import RegtestLedger
from sprint.tools.devnet.node import DevnetNode
from tests.core.protocols.bitcoin_p2p.peers import OWN_NONCE, frame, taken, version

START = 1_700_000_000
FIRST = 432
PROCESSOR = litecoin.CHAIN.processor("regtest")


def ledger_at(height: int, transactions: int = 0) -> RegtestLedger:
    ledger = RegtestLedger(litecoin.REGTEST, PROCESSOR, random.Random(0))
    for _ in range(height):
        ledger.mine(START, transactions=transactions)
    return ledger


def body_of(ledger: RegtestLedger, block_hash: bytes, *, witness: bool = True) -> bytes:
    raw = ledger.body(block_hash, witness=witness)
    assert raw is not None
    return raw


def check_branch(ledger: RegtestLedger) -> dict[int, Block]:
    """Judge the best branch whole, from genesis up; return its blocks by height."""
    blocks: dict[int, Block] = {}
    ancestry = None
    for height, block_hash in enumerate(ledger.best_chain_from(0, 1_000)):
        block = PROCESSOR.process_block(body_of(ledger, block_hash))
        assert isinstance(block, Block), (height, block)
        blocks[height] = block
        if ancestry is None:
            ancestry = PROCESSOR.begin_ancestry(block.header, 0)
            continue
        assert PROCESSOR.check_header(block.header, ancestry, START) is None
        assert PROCESSOR.check_context(block, ancestry, ()) is None, height
        ancestry = PROCESSOR.extend_ancestry(ancestry, block.header)
    return blocks


@pytest.mark.parametrize("transactions", [0, 2])
def test_blocks_keep_every_rule_below_at_and_above_the_first_extension_block(transactions: int) -> None:
    blocks = check_branch(ledger_at(FIRST + 8, transactions))
    assert [height for height, block in blocks.items() if "mweb" in block.checks] == list(
        range(FIRST, FIRST + 9)
    )
    assert "mweb_signatures" in blocks[FIRST].checks
    assert blocks[FIRST].tx_count == 1 + transactions + 2  # the pegin and the HogEx
    assert blocks[FIRST + 1].tx_count == 1 + transactions + 1


def test_branches_that_part_below_at_and_above_the_first_extension_block_keep_every_rule() -> None:
    ledger = ledger_at(FIRST + 2)
    for fork in (FIRST - 2, FIRST - 1, FIRST, FIRST + 1):
        parent = ledger.best_chain_hash_at(fork)
        while ledger.tip != parent and parent is not None:
            parent = ledger.mine(START, parent=parent)
        check_branch(ledger)


def test_a_body_without_its_extension_block_says_nothing_of_the_block() -> None:
    ledger = ledger_at(FIRST)
    stripped = PROCESSOR.process_block(body_of(ledger, ledger.tip, witness=False))
    assert isinstance(stripped, Block)
    ancestry = PROCESSOR.begin_ancestry(stripped.header, FIRST - 1)
    rejected = PROCESSOR.check_context(stripped, ancestry, ())
    assert rejected is not None
    assert rejected.mutated


def test_a_body_with_an_extension_block_is_the_same_when_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = ledger_at(FIRST)
    first, kept = ledger.tip, body_of(ledger, ledger.tip)
    monkeypatch.setattr(ledger_module, "BODY_CACHE_BYTES_MAX", 1)
    ledger.mine(START)
    assert first not in ledger._bodies
    assert body_of(ledger, first) == kept


@pytest.mark.parametrize(
    ("chain", "services"),
    [
        (bitcoin.CHAIN, NODE_NETWORK | NODE_WITNESS),
        (litecoin.CHAIN, NODE_NETWORK | NODE_WITNESS | NODE_MWEB),
        (dogecoin.CHAIN, NODE_NETWORK),
    ],
)
def test_a_node_offers_what_its_network_has(chain: BitcoinFamilyChain, services: int) -> None:
    parameters = chain.networks["regtest"]
    ledger = RegtestLedger(parameters, chain.processor("regtest"), random.Random(0))
    session = DevnetNode(ledger, parameters).open_session(1, 0.0)
    assert session is not None
    session.receive_data(frame(version(nonce=OWN_NONCE), parameters), 0.0)
    said = [decode_message(each.command, each.payload) for each in taken(session)]
    assert [each.services for each in said if isinstance(each, Version)] == [services]
