"""Merge-mined blocks of the devnet: true from the first height on, and each lie false in its one place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import Block, Header, Rejected, bitcoin, dogecoin
from sprint.core.chains.bitcoin_family.auxpow import read_auxpow
from sprint.core.errors import ConfigError
from sprint.core.kernels import sha256d
from sprint.tools.devnet.ledger import AHEAD_S_MAX, RegtestLedger
from sprint.tools.devnet.merged_mining import Lie

START = 1_700_000_000
MERGED_FROM = 20
PROCESSOR = dogecoin.CHAIN.processor("regtest")
REFUSALS = {
    Lie.CHAIN_BRANCH: "auxpow: the parent's coinbase does not commit to this block by the chain branch",
    Lie.COINBASE_BRANCH: "auxpow: the coinbase branch does not lead to the parent's merkle root",
    Lie.CHAIN_ID: "version: version 0x630104 is of chain 99, this is chain 98",
    Lie.OWN_PARENT: "auxpow: the parent is of chain 98 itself",
    Lie.REUSED: "auxpow: the parent's coinbase does not commit to this block by the chain branch",
    Lie.IDLE_PARENT: "proof_of_work: proof 0x",
}


def ledger_at(height: int, seed: int = 0) -> RegtestLedger:
    ledger = RegtestLedger(dogecoin.REGTEST, PROCESSOR, random.Random(seed))
    for _ in range(height):
        ledger.mine(START)
    return ledger


def header_of(ledger: RegtestLedger, block_hash: bytes) -> bytes:
    raw = ledger.header(block_hash)
    assert raw is not None
    return raw


def body_of(ledger: RegtestLedger, block_hash: bytes) -> bytes:
    raw = ledger.body(block_hash, witness=False)
    assert raw is not None
    assert raw == ledger.body(block_hash, witness=True)
    return raw


def test_blocks_are_merge_mined_from_the_networks_height_on_and_keep_every_rule() -> None:
    ledger = ledger_at(MERGED_FROM + 5)
    ancestry = None
    for height, block_hash in enumerate(ledger.best_chain_from(0, 100)):
        raw = body_of(ledger, block_hash)
        block = PROCESSOR.process_block(raw)
        assert isinstance(block, Block), block
        auxpow, size = read_auxpow(raw, 0, dogecoin.REGTEST)
        assert (auxpow is not None) == (height >= MERGED_FROM) == ("auxpow" in block.checks)
        assert header_of(ledger, block_hash) == raw[:size]
        if ancestry is None:
            ancestry = PROCESSOR.begin_ancestry(block.header, 0)
            continue
        assert PROCESSOR.check_header(block.header, ancestry, START) is None
        assert PROCESSOR.check_context(block, ancestry, ()) is None
        ancestry = PROCESSOR.extend_ancestry(ancestry, block.header)


@given(st.integers(0, 1_000))
@settings(max_examples=20)
def test_both_slots_of_the_tree_of_chains_are_used_and_true(seed: int) -> None:
    ledger = ledger_at(MERGED_FROM + 30, seed)
    slots = set()
    for block_hash in ledger.best_chain_from(MERGED_FROM, 100):
        raw = header_of(ledger, block_hash)
        assert isinstance(PROCESSOR.process_header(raw), Header)
        auxpow, _ = read_auxpow(raw, 0, dogecoin.REGTEST)
        assert auxpow is not None
        slots.add(auxpow.chain_index)
    assert slots == {0, 1}


@pytest.mark.parametrize("lie", Lie)
def test_each_lie_is_refused_for_what_is_false(lie: Lie) -> None:
    ledger = ledger_at(MERGED_FROM + 1)
    false = ledger.mine(START, lie=lie)
    assert ledger.tip == false  # its own node believes in it
    rejected = PROCESSOR.process_header(header_of(ledger, false))
    assert isinstance(rejected, Rejected)
    assert f"{rejected.check}: {rejected.reason}".startswith(REFUSALS[lie])
    assert PROCESSOR.process_block(body_of(ledger, false)) == rejected
    assert sha256d(header_of(ledger, false)[:80]) == false


def test_when_a_lie_is_invalidated_mining_goes_on_below_it() -> None:
    ledger = ledger_at(MERGED_FROM + 1)
    below = ledger.tip
    ledger.invalidate(ledger.mine(START, lie=Lie.CHAIN_BRANCH))
    assert ledger.tip == below
    assert isinstance(PROCESSOR.process_header(header_of(ledger, ledger.mine(START))), Header)


def test_a_reused_auxpow_is_that_of_the_block_below() -> None:
    ledger = ledger_at(MERGED_FROM + 1)
    below = header_of(ledger, ledger.tip)
    assert header_of(ledger, ledger.mine(START, lie=Lie.REUSED))[80:] == below[80:]


def test_a_lie_that_cannot_be_told_is_refused_by_name_and_adds_nothing() -> None:
    ledger = ledger_at(MERGED_FROM - 1)
    with pytest.raises(ConfigError, match="chain_id: dogecoin-regtest has no merged mining at height 19"):
        ledger_at(MERGED_FROM - 2).mine(START, lie=Lie.CHAIN_ID)
    with pytest.raises(ConfigError, match="reused: the block below, at height 19, has no AuxPoW"):
        ledger.mine(START, lie=Lie.REUSED)
    assert ledger.height() == MERGED_FROM - 1
    plain = RegtestLedger(bitcoin.REGTEST, bitcoin.CHAIN.processor("regtest"), random.Random(0))
    with pytest.raises(ConfigError, match="chain_branch: bitcoin-regtest has no merged mining at height 1"):
        plain.mine(START, lie=Lie.CHAIN_BRANCH)


def test_a_chain_mined_faster_than_its_time_may_move_stops_before_it_is_refused() -> None:
    ledger = RegtestLedger(bitcoin.REGTEST, bitcoin.CHAIN.processor("regtest"), random.Random(0))
    for _ in range(5):
        ledger.mine(START)
    least = START + ledger.time_ahead_s(START)
    assert least > START
    assert ledger.time_ahead_s(least + 1) == ledger.time_ahead_s(least) == 0
    assert ledger.time_ahead_s(least - AHEAD_S_MAX) == AHEAD_S_MAX
    with pytest.raises(ConfigError, match=f"{AHEAD_S_MAX + 1} s ahead of the clock, limit {AHEAD_S_MAX}"):
        ledger.mine(least - AHEAD_S_MAX - 1)
    ledger.mine(least - AHEAD_S_MAX)
