"""What became of a block, asked at each point of its way; and what was counted of it."""

from __future__ import annotations

from sprint.core.chains import Rejected, display_hash
from sprint.core.protocols.announcements import HeadersAnnounced
from sprint.core.relay.prove import BlockProof, HeadersProof
from sprint.core.relay.restore import new_tree
from sprint.core.relay.settings import REJECTED_HASHES_MAX, ChainSettings
from sprint.core.relay.status import BlockStatus, block_status
from tests.core.relay.driving import PARAMETERS, PROCESSOR, Blocks, Driver, begun

CHAIN = PARAMETERS.chain_id


def status(driver: Driver, block_hash: bytes) -> BlockStatus:
    found = block_status(driver.state, CHAIN, block_hash)
    assert found is not None
    assert (found.chain, found.hash) == (CHAIN, display_hash(block_hash))
    return found


def test_a_block_is_followed_from_its_announcement_to_its_delivery() -> None:
    blocks = Blocks()
    driver, (block_hash,) = begun(blocks, None, "a", "b"), blocks.mine(1)
    assert block_status(driver.state, CHAIN, block_hash) is None
    driver.hashes("a", [block_hash])
    assert (status(driver, block_hash).state, status(driver, block_hash).asked_of) == ("fetching", "a")
    driver.now += 0.25
    proof = driver.admit(driver.headers_of("b", [block_hash]))
    assert isinstance(proof, HeadersProof)
    assert (status(driver, block_hash).state, status(driver, block_hash).reason) == ("proving", "its header")
    driver.settle(proof)
    found = status(driver, block_hash)
    assert (found.state, found.height, found.attempts) == ("fetching", 1, 1)
    assert [(a.source, a.offset_ms) for a in found.sources] == [("a", 0.0), ("b", 250.0)]
    body = driver.admit(driver.block_of("a", block_hash))
    assert isinstance(body, BlockProof)
    assert (status(driver, block_hash).state, status(driver, block_hash).reason) == ("proving", "its body")
    driver.settle(body)
    found = status(driver, block_hash)
    assert (found.state, found.reason) == ("relayed", "")
    assert "merkle_root" in found.checks


def test_a_valid_block_over_a_missing_one_is_accepted_and_waits() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    driver.headers("a", hashes)
    driver.body("a", hashes[1])
    found = status(driver, hashes[1])
    assert (found.state, found.reason) == ("accepted", "a block below it is not here yet")


def test_a_refused_blocks_status_names_the_check_and_so_does_that_of_what_stands_on_it() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    driver.headers("a", hashes)
    start = blocks.header(hashes[0])[:76]
    false = next(
        raw
        for raw in (start + nonce.to_bytes(4, "little") for nonce in range(64))
        if isinstance(PROCESSOR.process_header(raw), Rejected)
    )
    driver.settle(driver.admit(HeadersAnnounced("a", (false,), driver.now)))
    found = status(driver, PROCESSOR.header_of(false)[0])
    assert (found.state, found.reason.partition(":")[0]) == ("rejected", "proof_of_work")
    driver.state.book.reject(hashes[0], "weight: too heavy")
    node = driver.state.tree.get(hashes[0])
    assert node is not None
    driver.state.tree.invalidate(node)
    assert (status(driver, hashes[0]).state, status(driver, hashes[0]).reason) == (
        "rejected",
        "weight: too heavy",
    )
    assert status(driver, hashes[1]).state == "rejected"


def test_refused_hashes_are_forgotten_at_their_bound() -> None:
    driver = begun(Blocks())
    for number in range(REJECTED_HASHES_MAX + 1):
        driver.state.book.reject(number.to_bytes(32, "big"), "target: zero")
    assert block_status(driver.state, CHAIN, bytes(32)) is None
    assert status(driver, (1).to_bytes(32, "big")).state == "rejected"


def test_a_mutated_body_is_counted_by_its_check_and_the_block_still_comes() -> None:
    blocks = Blocks()
    driver, (block_hash,) = begun(blocks, None, "a", "b"), blocks.mine(1, transactions=2)
    driver.headers("a", [block_hash])
    mutated = bytearray(blocks.body(block_hash))
    mutated[-1] ^= 1
    driver.body("a", block_hash, bytes(mutated))
    assert status(driver, block_hash).state == "fetching"
    driver.body("b", block_hash)
    tally = driver.state.tally
    assert (tally.blocks_accepted, tally.blocks_refused) == (1, 1)
    assert dict(tally.refusals) == {"merkle_root": 1}
    driver.admit(driver.block_of("a", block_hash))
    assert (tally.verdicts_known, tally.verdicts_missed) == (1, 2)


def test_a_tree_that_starts_at_a_checkpoint_stands_at_its_height_and_asks_from_it() -> None:
    blocks = Blocks()
    hashes = blocks.mine(5)
    tree = new_tree(PROCESSOR, blocks.header(hashes[2]), 100, height=3)
    assert (tree.head.hash, tree.head.height, tree.root.ancestry.height) == (hashes[2], 3, 3)
    assert tree.locator() == [hashes[2]]


def test_a_block_that_waits_for_its_quorum_was_said_to_wait_for_one_below_it() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(quorum=2, quorum_strict=True), "a", "b")
    hashes = blocks.mine(1)
    driver.follow("a", hashes)
    found = status(driver, hashes[0])
    assert (found.state, found.reason) == ("accepted", "1 of the 2 providers of its quorum have it")
    driver.admit(driver.headers_of("b", hashes))
    driver.timer(0.0)
    assert status(driver, hashes[0]).state == "relayed"
