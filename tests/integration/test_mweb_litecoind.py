"""Extension blocks of a real litecoind: whole bodies pass, and the relay follows across their start."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sprint.core.chains import Block, display_hash, internal_hash
from sprint.core.chains.bitcoin_family.ancestry import Ancestry
from sprint.core.chains.bitcoin_family.block import BodyFacts
from sprint.core.chains.litecoin import CHAIN
from tests.integration.mweb_node import MwebNode
from tests.integration.real_servers import MWEB_HEIGHT, Litecoind
from tests.integration.subscribers import Listener, kinds_of
from tests.integration.test_p2p_litecoind import asking, bodies
from tests.integration.test_relay_litecoind import branch_of, relay_on

pytestmark = pytest.mark.real("litecoind")

PROCESSOR = CHAIN.processor("regtest")


def judged(raw: bytes, height: int) -> BodyFacts:
    """Judge a body by its bytes and its height; it must pass."""
    block = PROCESSOR.process_block(raw)
    assert isinstance(block, Block), block
    verdict = PROCESSOR.check_context(block, Ancestry(height - 1), ())
    assert verdict is None
    assert isinstance(block.facts, BodyFacts)
    assert ("mweb_signatures" in block.checks) == (height >= MWEB_HEIGHT)
    return block.facts


def test_bodies_with_pegins_payments_and_pegouts_come_whole_and_pass(litecoind: Litecoind) -> None:
    wallet = MwebNode(litecoind)
    hashes = [wallet.begin_extension_blocks()]
    hashes += wallet.mine()
    wallet.pay_within(3, 4)
    hashes += wallet.mine()
    wallet.pay_in(1)
    wallet.pay_within(0.5, 0.25)
    wallet.pay_out(2, 2.5)
    hashes += wallet.mine(3)
    before = str(litecoind.rpc("getblockhash", MWEB_HEIGHT - 1))
    with asking(litecoind) as (session, wire):
        session.request_blocks([internal_hash(each) for each in (before, *hashes)], time.monotonic())
        told = wire.run(lambda told: len(told) > len(hashes))
        raws = bodies(told)
    assert [display_hash(PROCESSOR.header_of(raw)[0]) for raw in raws] == [before, *hashes]
    assert raws == [wallet.raw_block(each) for each in (before, *hashes)]
    facts = [judged(raw, MWEB_HEIGHT - 1 + number) for number, raw in enumerate(raws)]
    assert facts[0].extension is None
    held_before = [fact.extension.held_before for fact in facts if fact.extension is not None]
    told_by_node = [litecoind.rpc("getblock", each, 2)["tx"][-1]["vout"][0]["value"] for each in hashes]
    assert held_before == [0] + [round(value * 100_000_000) for value in told_by_node[:-1]]


def test_the_relay_follows_across_the_start_of_extension_blocks_and_gives_each_block_once(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    wallet = MwebNode(litecoind)
    wallet.mine_to_height(MWEB_HEIGHT - 7)
    with relay_on(tmp_path, litecoind) as relay, Listener(relay.url) as listener:
        first = litecoind.height
        listener.wait_for_block(litecoind.tip)
        wallet.begin_extension_blocks()
        wallet.pay_within(3, 4)
        wallet.mine(3)
        wallet.pay_out(2)
        while litecoind.height < MWEB_HEIGHT + 18:
            wallet.mine(2)
        listener.wait_for_block(litecoind.tip)
        assert kinds_of(listener.events) == [f"block {each}" for each in branch_of(litecoind, first)]
