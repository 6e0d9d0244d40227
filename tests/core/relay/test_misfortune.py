"""Sources that are far behind or repeat themselves, faults of ours, headers whose bodies never come."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.chains import Rejected
from sprint.core.model import BlockEvent, GapEvent
from sprint.core.relay import head, settle
from sprint.core.relay.admit import Wait
from sprint.core.relay.prove import BlockProof, HeadersProof
from sprint.core.relay.settings import IDLE_ANSWERS_MAX, ChainSettings
from sprint.core.relay.tally import REFUSALS_KEPT, Refusal
from tests.core.relay.driving import Blocks, Driver, begun, shown


def test_a_source_that_answers_from_genesis_is_of_this_chain_and_far_behind() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(retained_blocks_max=4))
    old = blocks.mine(1, on=blocks.genesis)
    for block_hash in blocks.mine(600, on=blocks.genesis):
        driver.headers("a", [block_hash])
        driver.body("a", block_hash)
    driver.ready("b")
    for _ in range(20):
        assert isinstance(driver.admit(driver.headers_of("b", old)), Wait)
    assert driver.state.far_behind == {"b"}


def test_a_source_that_repeats_full_answers_is_not_asked_for_ever_and_does_not_hold_up_the_begin() -> None:
    blocks = Blocks()
    driver, hashes = Driver(blocks), blocks.mine(20)
    driver.ready("a")
    driver.ready("b")
    driver.headers("a", hashes)
    asked = 0
    for _ in range(10):
        decision = driver.admit(driver.headers_of("b", hashes[:10], full=True))
        if isinstance(decision, HeadersProof):
            asked += any(r.locator and r.source == "b" for r in driver.settle(decision).requests)
    assert asked == IDLE_ANSWERS_MAX
    assert driver.has_begun()


def test_a_fault_of_ours_costs_no_source_and_condemns_no_block() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(1)
    proof = driver.admit(driver.headers_of("a", hashes))
    assert isinstance(proof, HeadersProof)
    ours = Rejected("internal", "MemoryError()", mutated=True, internal=True)
    failed = msgspec.structs.replace(proof.run(), headers=(), ancestries=(), rejected=ours)
    assert driver.take(driver.pipeline.settle(failed, driver.now)).penalties == []
    driver.headers("b", hashes)
    body = driver.admit(driver.block_of("b", hashes[0]))
    assert isinstance(body, BlockProof)
    failed_body = msgspec.structs.replace(body.run(), verdict=ours)
    assert driver.take(driver.pipeline.settle(failed_body, driver.now)).penalties == []
    driver.body("b", hashes[0])
    assert driver.delivered() == shown(hashes)


def test_a_header_that_was_told_ends_after_a_restart_too() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.follow("a", blocks.mine(1))
    driver.told()
    hashes = blocks.mine(3)
    driver.headers("a", hashes)
    assert driver.told_types() == ["header"]
    again = Driver(blocks, rows=driver.rows, head=driver.head)
    assert [node.hash for node in again.state.tree.told()] == hashes[-1:]
    again.ready("a")
    asked = {h for r in again.settle(again.admit(again.headers_of("a", ()))).requests for h in r.bodies}
    assert asked <= set(hashes)
    for block_hash in hashes:
        again.body("a", block_hash)
    assert again.delivered() == shown(hashes)
    assert "header" not in again.told_types()


def test_after_a_restart_the_bodies_below_a_header_that_was_told_are_wanted_beside_a_better_branch() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.follow("a", blocks.mine(1))
    false = blocks.mine(2)
    driver.headers("a", false)
    again = Driver(blocks, rows=driver.rows, head=driver.head)
    again.ready("b")
    again.follow("b", blocks.mine(3, on=blocks.ledger.best_chain_hash_at(1)))
    again.body("b", false[1])
    again.told()
    for _ in range(80):
        again.timer(0.5)
    (withdrawn,) = again.told("header_withdrawn")
    assert withdrawn.data.hash == shown(false)[1]
    for _ in range(80):
        again.timer(10.0)
    assert again.state.fetcher.get(false[0]) is None  # not asked for without end


def test_a_header_that_was_told_and_whose_body_waits_for_its_parent_ends_after_a_restart_too() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.follow("a", blocks.mine(1))
    hashes = blocks.mine(2)
    driver.headers("a", hashes)
    driver.body("a", hashes[1])
    again = Driver(blocks, rows=driver.rows, head=driver.head)
    again.ready("a")
    for _ in range(80):
        again.timer(0.5)
    assert [event.data.hash for event in again.told("header_withdrawn")] == shown(hashes[1:])
    third = Driver(blocks, rows=again.rows, head=again.head)
    assert third.state.tree.told() == []


def test_a_header_passed_over_by_catch_up_is_withdrawn() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(catch_up_blocks_max=2))
    first = blocks.mine(1)
    driver.headers("a", first)
    driver.not_found("a", first)
    assert driver.told_types() == ["header"]
    driver.headers("a", blocks.mine(6))
    assert driver.told_types()[:1] == ["header_withdrawn"]


def test_a_body_that_came_by_its_hash_makes_the_bodies_below_it_wanted() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.follow("a", blocks.mine(1, on=blocks.genesis))
    side = blocks.mine(2, on=blocks.genesis)
    driver.headers("a", side[:1])  # no more work than the head: only its header is kept
    outcome = driver.body("a", side[1])
    assert [request.bodies for request in outcome.requests if request.bodies] == [(side[0],)]
    driver.body("a", side[0])
    assert driver.delivered()[-2:] == shown(side)


def test_a_long_catch_up_is_passed_over_while_its_headers_come_and_the_tree_stays_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settle, "HEADERS_AHEAD_MAX", 40)
    monkeypatch.setattr(head, "PRUNE_SLACK_BLOCKS", 4)
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(retained_blocks_max=8, catch_up_blocks_max=3))
    hashes = blocks.mine(300, on=blocks.genesis)
    for start in range(0, 300, 20):
        driver.headers("a", hashes[start : start + 20], full=start < 280)
        assert len(driver.state.tree) <= 40 + 20 + 8 + 4
    for block_hash in hashes[-3:]:
        driver.body("a", block_hash)
    told = driver.told("gap", "block")
    gaps = [(e.data.from_height, e.data.to_height) for e in told if isinstance(e, GapEvent)]
    assert len(gaps) > 1
    assert [start for start, _ in gaps] == [1, *(end + 1 for _, end in gaps[:-1])]
    assert gaps[-1][1] == 297
    assert [e.data.height for e in told if isinstance(e, BlockEvent)] == [298, 299, 300]


def test_a_refusal_names_the_block_and_the_newest_are_kept() -> None:
    blocks = Blocks()
    driver, (block_hash,) = begun(blocks, None, "a", "b"), blocks.mine(1, transactions=2)
    driver.headers("a", [block_hash])
    mutated = bytearray(blocks.body(block_hash))
    mutated[-1] ^= 1
    (penalty,) = driver.body("a", block_hash, bytes(mutated)).penalties
    assert (penalty.source, penalty.block_hash) == ("a", block_hash)
    (refusal,) = driver.state.tally.newest_refusals
    assert (refusal.hash, refusal.source, refusal.check) == (block_hash, "a", "merkle_root")
    for number in range(REFUSALS_KEPT):
        driver.state.tally.refuse_block(Refusal(bytes(32), str(number), "weight", "too heavy"))
    assert next(r.source for r in driver.state.tally.newest_refusals) == "0"
