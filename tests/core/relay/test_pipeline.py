"""From announcements to events: what goes out, in which order, and what a bad body costs."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.chains import Header
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.transaction import TransactionOutput, parse_transaction
from sprint.core.protocols.announcements import BlockArrived, HeadersAnnounced
from sprint.core.relay.admit import INVALID_PENALTY, Refused
from sprint.core.relay.fetch import Request
from sprint.core.relay.prove import BlockProof
from sprint.core.relay.settings import ORPHANS_MAX, ChainSettings
from sprint.core.relay.settle import BEGIN_GRACE_S
from sprint.core.wire import Reader, compact_size
from sprint.tools.devnet.block_maker import BLOCK_VERSION, Recipe, make_body, mine_header
from tests.core.relay.driving import PARAMETERS, PROCESSOR, Blocks, Driver, begun, shown


def mined(parent: bytes, merkle_root: bytes, timestamp: int) -> Header:
    return mine_header(PROCESSOR, BlockHeader(BLOCK_VERSION, parent, merkle_root, timestamp, 0x207F_FFFF, 0))


def overpaying(blocks: Blocks, parent: bytes, height: int) -> tuple[bytes, bytes]:
    """A block with true proof of work that pays more than there is; return (hash, raw)."""
    coinbase = parse_transaction(Reader(make_body(Recipe(height, 7, 0)).full, 1))
    too_much = TransactionOutput(PARAMETERS.money_max + 1, b"\x51")
    coinbase = msgspec.structs.replace(coinbase, outputs=(too_much, *coinbase.outputs[1:]))
    header = mined(parent, coinbase.txid, 1_700_000_000)
    return header.hash, header.raw + compact_size(1) + coinbase.encode()


def test_a_header_goes_out_at_once_and_its_block_when_the_body_is_valid() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(1, transactions=2)
    driver.now += 5.0
    driver.headers("a", hashes)
    driver.now += 0.25
    driver.body("a", hashes[0])
    header, block = driver.told()
    assert header.data.hash == block.data.hash == shown(hashes)[0]
    assert header.data.relay_time_ms == 0.0
    assert block.data.relay_time_ms == 250.0
    assert (block.data.height, block.data.tx_count, block.data.validation) == (1, 3, "full")
    assert block.data.size == len(blocks.body(hashes[0]))
    assert block.data.proof.checks[:3] == ("target", "proof_of_work", "parent")
    assert (header.seq, block.seq) == (header.seq, header.seq + 1)


def test_a_body_before_its_header_goes_out_without_a_header_event() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(1)
    driver.body("a", hashes[0])
    assert driver.told_types() == ["block"]


def test_only_the_last_of_a_run_of_headers_is_told() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(5)
    driver.headers("a", hashes)
    (header,) = driver.told("header")
    assert header.data.hash == shown(hashes)[-1]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_blocks_go_out_parent_before_child_in_whatever_order_their_bodies_come(
    order: tuple[int, ...],
) -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(3)
    driver.headers("a", hashes)
    for index in order:
        driver.body("a", hashes[index])
    assert driver.delivered() == shown(hashes)


def test_a_body_without_known_ancestors_is_kept_until_their_headers_come() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(3)
    outcome = driver.body("a", hashes[2])
    assert outcome.requests == [Request("a", locator=(blocks.genesis,))]
    assert driver.told() == []
    driver.headers("a", hashes)
    assert not driver.state.orphans
    for block_hash in hashes[:2]:
        driver.body("a", block_hash)
    assert driver.delivered() == shown(hashes)


def test_bodies_without_known_ancestors_are_kept_up_to_their_bound() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(ORPHANS_MAX + 2)
    for block_hash in hashes[1:]:
        driver.body("a", block_hash)
    assert len(driver.state.orphans) == ORPHANS_MAX
    driver.headers("a", hashes)
    assert driver.state.fetcher.get(hashes[1]) is not None  # dropped at the bound, so asked for again
    for block_hash in hashes[:2]:
        driver.body("a", block_hash)
    assert driver.delivered() == shown(hashes)


def test_a_longer_branch_is_told_as_a_reorg_first_and_then_its_blocks_once() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(4)
    driver.follow("a", hashes)
    driver.told()
    branch = blocks.mine(4, on=hashes[0])
    driver.follow("a", branch)
    reorg, *rest = driver.told("reorg", "block")
    assert reorg.data.fork_height == 1
    assert list(reorg.data.removed) == shown(hashes[:0:-1])
    assert list(reorg.data.added) == shown(branch)
    assert reorg.data.depth == 3
    assert [event.data.hash for event in rest] == shown(branch)


def test_equal_work_moves_nothing() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    driver.follow("a", hashes)
    driver.told()
    driver.follow("a", blocks.mine(2, on=blocks.genesis))
    assert driver.told() == []


def test_switching_back_delivers_no_block_twice() -> None:
    blocks = Blocks()
    driver, first = begun(blocks), blocks.mine(2)
    driver.follow("a", first)
    second = blocks.mine(3, on=blocks.genesis)
    driver.follow("a", second)
    driver.told()
    longer = blocks.mine(2, on=first[-1])
    driver.follow("a", longer)
    reorg, *rest = driver.told("reorg", "block")
    assert list(reorg.data.added) == shown([*first, *longer])
    assert [event.data.hash for event in rest] == shown(longer)


def test_a_restart_delivers_what_was_missed_once_and_holds_what_was_held() -> None:
    blocks = Blocks()
    driver, first = begun(blocks), blocks.mine(3)
    driver.follow("a", first)
    side = blocks.mine(2, on=blocks.genesis)
    driver.follow("a", side)
    again = Driver(blocks, rows=driver.rows, head=driver.head)
    again.ready("a")
    missed = blocks.mine(2, on=side[-1])
    again.follow("a", missed)
    reorg, *rest = again.told("reorg", "block")
    assert list(reorg.data.removed) == shown(first[::-1])
    assert list(reorg.data.added) == shown([*side, *missed])
    assert [event.data.hash for event in rest] == shown([*side, *missed])


def test_a_block_that_breaks_a_rule_is_withdrawn_and_refused_for_good_with_all_above_it() -> None:
    blocks = Blocks()
    driver = begun(blocks, None, "a", "b")
    bad, raw = overpaying(blocks, blocks.genesis, 1)
    announced = HeadersAnnounced("a", (raw[:80],), driver.now)
    driver.settle(driver.admit(announced))
    outcome = driver.body("a", bad, raw)
    header, withdrawn = driver.told()
    assert withdrawn.data.hash == header.data.hash == shown([bad])[0]
    assert withdrawn.data.reason.startswith("transactions: outputs reach ")
    assert [(p.source, p.points) for p in outcome.penalties] == [("a", INVALID_PENALTY)]
    assert driver.state.fetcher.get(bad) is None
    child = mined(bad, bytes(32), 1_700_000_001).raw
    for announcement in (
        announced,
        BlockArrived("b", raw, driver.now),
        HeadersAnnounced("b", (child,), driver.now),
        BlockArrived("b", child + b"\x00", driver.now),
    ):
        refused = driver.admit(announcement)
        assert isinstance(refused, Refused)
        assert refused.penalty.points == INVALID_PENALTY
    honest = blocks.mine(1)
    driver.follow("b", honest)
    assert driver.delivered() == shown(honest)


def test_a_header_above_a_block_that_breaks_a_rule_is_withdrawn_too() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    bad, raw = overpaying(blocks, blocks.genesis, 1)
    child = mined(bad, bytes(32), 1_700_000_001)
    for header in (raw[:80], child.raw):
        driver.settle(driver.admit(HeadersAnnounced("a", (header,), driver.now)))
    assert driver.told_types() == ["header", "header"]
    driver.body("a", bad, raw)
    assert [e.data.hash for e in driver.told("header_withdrawn")] == shown([bad, child.hash])
    assert driver.state.tree.best_header.hash == blocks.genesis
    assert len(driver.state.fetcher) == 0


def test_a_false_proof_of_work_is_refused_and_the_headers_before_it_stay() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    false = _without_proof_of_work(hashes[-1])
    raw = (*map(blocks.header, hashes), false)
    outcome = driver.settle(driver.admit(HeadersAnnounced("a", raw, driver.now)))
    (penalty,) = outcome.penalties
    assert penalty.points == INVALID_PENALTY
    assert penalty.reason.startswith("proof_of_work")
    assert driver.state.tree.best_header.hash == hashes[-1]
    assert isinstance(driver.admit(HeadersAnnounced("b", (false,), driver.now)), Refused)


@pytest.mark.parametrize("kind", ["bit", "stripped", "short"])
def test_a_body_that_is_not_the_headers_own_frees_its_hash_for_the_next_source(kind: str) -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(1, transactions=1)
    true = blocks.body(hashes[0])
    false = {
        "bit": true[:-1] + bytes((true[-1] ^ 1,)),
        "stripped": blocks.body(hashes[0], witness=False),
        "short": true[:-1],
    }[kind]
    driver.headers("a", hashes)
    outcome = driver.body("a", hashes[0], false)
    assert [(p.source, p.points) for p in outcome.penalties] == [("a", INVALID_PENALTY)]
    assert outcome.requests == [Request("b", bodies=(hashes[0],))]
    assert driver.told_types() == ["header"]
    driver.body("b", hashes[0])
    (event,) = driver.told("block")
    assert event.data.size == len(true)


def test_a_body_at_the_wrong_height_is_refused() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    body = make_body(Recipe(2, 7, 0))
    header = mined(blocks.genesis, body.merkle_root, 1_700_000_000)
    outcome = driver.settle(driver.admit(BlockArrived("a", header.raw + body.full, driver.now)))
    (penalty,) = outcome.penalties
    assert penalty.reason == "coinbase_height: coinbase states height 2, the block is at 1"
    assert driver.told() == []


def test_a_log_begins_with_the_tip_found_and_delivers_nothing_below_it() -> None:
    blocks = Blocks()
    hashes = blocks.mine(5)
    driver = Driver(blocks)
    driver.ready("a")
    outcome = driver.headers("a", hashes)
    assert outcome.requests == [Request("a", bodies=(hashes[-1],))]
    driver.body("a", hashes[-1])
    assert driver.delivered() == shown(hashes[-1:])
    assert {row.state for h, row in driver.rows.items() if h != hashes[-1]} == {"anchored"}


def test_a_reorg_to_below_the_logs_begin_and_back_owes_no_block_of_before() -> None:
    blocks = Blocks()
    hashes = blocks.mine(3)
    driver = Driver(blocks)
    driver.ready("a")
    driver.headers("a", hashes)
    driver.body("a", hashes[-1])
    side = blocks.mine(3, on=hashes[0])
    driver.follow("a", side)
    driver.told()
    longer = blocks.mine(2, on=hashes[-1])
    driver.follow("a", longer)
    reorg, *rest = driver.told("reorg", "block")
    assert list(reorg.data.added) == shown([*hashes[1:], *longer])
    assert [event.data.hash for event in rest] == shown(longer)


def test_a_log_begins_when_every_source_was_asked_or_when_the_grace_is_over() -> None:
    blocks = Blocks()
    hashes = blocks.mine(3)
    driver = Driver(blocks)
    driver.ready("a")
    driver.ready("mute")
    driver.headers("a", hashes)
    assert not driver.has_begun()
    assert driver.pipeline.next_timer() <= driver.now + BEGIN_GRACE_S
    driver.timer(BEGIN_GRACE_S)
    assert driver.has_begun()
    driver.body("a", hashes[-1])
    assert driver.delivered() == shown(hashes[-1:])


def test_a_chain_of_its_genesis_block_alone_begins_above_it() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    assert [row.state for row in driver.rows.values()] == ["anchored"]
    assert driver.head == blocks.genesis
    first = blocks.mine(1)
    driver.follow("a", first)
    assert driver.delivered() == shown(first)


def test_a_silent_head_is_asked_for_again_of_every_source() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(head_poll_s=10.0), "a", "b")
    outcome = driver.timer(10.0)
    assert [r for r in outcome.requests if r.locator] == [
        Request(source, locator=(blocks.genesis,)) for source in ("a", "b")
    ]
    assert driver.pipeline.next_timer() == driver.now + 10.0


def test_sources_are_told_of_as_they_come_and_go_and_a_lost_one_only_once() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.ready("b")
    driver.lost("b")
    assert driver.lost("b").drafts == []
    told = [(e.data.source, e.data.status) for e in driver.told("source_status")]
    assert told == [("b", "ready"), ("b", "lost")]


def test_a_lost_sources_bodies_are_asked_of_another() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(1)
    driver.headers("a", hashes)
    assert driver.lost("a").requests == [Request("b", bodies=(hashes[0],))]


def test_a_proof_that_ends_after_the_same_block_was_accepted_changes_nothing() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(1)
    proof = driver.admit(driver.block_of("a", hashes[0]))
    assert isinstance(proof, BlockProof)
    driver.settle(proof)
    driver.told()
    driver.settle(proof)
    assert driver.told() == []


def _without_proof_of_work(parent: bytes) -> bytes:
    """A header whose hash is above the target."""
    good = mined(parent, bytes(32), 1_700_000_000).raw
    for nonce in range(1_000):
        raw = good[:76] + nonce.to_bytes(4, "little")
        if PROCESSOR.header_of(raw)[0][31] >= 0x80:
            return raw
    raise AssertionError("every nonce fits")
