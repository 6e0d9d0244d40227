"""Each decision about an announcement, and the bounds on what is remembered before its proof."""

from __future__ import annotations

from sprint.core.kernels import sha256d
from sprint.core.protocols.announcements import BlockArrived, HeadersAnnounced
from sprint.core.relay import admit
from sprint.core.relay.admit import DISORDER_PENALTY, INVALID_PENALTY, Duplicate, Fetch, Refused, Wait
from sprint.core.relay.book import AnnouncementBook
from sprint.core.relay.fetch import Request
from sprint.core.relay.outcome import Penalty
from sprint.core.relay.prove import BlockProof, HeadersProof
from sprint.core.relay.settings import (
    HASHES_ANNOUNCED_MAX,
    PENDING_ANNOUNCEMENTS_MAX,
    REJECTED_HASHES_MAX,
    UNCONNECTING_EVERY_S,
    UNCONNECTING_MAX,
    ChainSettings,
)
from tests.core.relay.driving import Blocks, Driver, begun


def made_up(number: int) -> bytes:
    return sha256d(number.to_bytes(8, "little"))


def test_new_headers_are_to_be_proved_and_the_same_from_another_source_confirm_them() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(2)
    proof = driver.admit(driver.headers_of("a", hashes))
    assert isinstance(proof, HeadersProof)
    assert proof.hashes == tuple(hashes)
    assert isinstance(driver.admit(driver.headers_of("b", hashes)), Duplicate)
    driver.settle(proof)
    assert isinstance(driver.admit(driver.headers_of("b", hashes)), Duplicate)
    node = driver.state.tree.get(hashes[1])
    assert node is not None
    assert list(node.sources) == ["a", "b"]


def test_headers_on_one_being_proved_wait_and_are_admitted_again_when_it_is_settled() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(2)
    proof = driver.admit(driver.headers_of("a", hashes[:1]))
    waiting = driver.headers_of("b", hashes[1:])
    assert isinstance(driver.admit(waiting), Wait)
    assert driver.settle(proof).readmit == [waiting]
    assert isinstance(driver.admit(waiting), HeadersProof)


def test_announcements_that_wait_are_bounded_and_the_rest_is_dropped() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    driver.admit(driver.headers_of("a", hashes[:1]))
    decisions = [
        driver.admit(driver.headers_of(f"peer-{i}", hashes[1:])) for i in range(PENDING_ANNOUNCEMENTS_MAX + 1)
    ]
    assert all(isinstance(decision, Wait) for decision in decisions)
    assert [d for d in decisions if "dropped" in repr(d)] == decisions[-1:]
    assert len(driver.state.book.release()) == PENDING_ANNOUNCEMENTS_MAX


def test_headers_without_a_known_parent_are_fetched_from_our_best_header_on() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(3)
    decision = driver.admit(driver.headers_of("a", hashes[2:]))
    assert decision == Fetch((Request("a", locator=(blocks.genesis,)),))


def test_a_source_whose_announcements_never_connect_is_penalised_at_each_bound() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(3)
    for _ in range(2):
        decisions = []
        for _ in range(UNCONNECTING_MAX):
            driver.now += UNCONNECTING_EVERY_S
            decisions.append(driver.admit(driver.headers_of("a", hashes[2:])))
        assert all(isinstance(decision, Fetch) for decision in decisions[:-1])
        refused = decisions[-1]
        assert isinstance(refused, Refused)
        assert refused.penalty.points == 20
        assert str(UNCONNECTING_MAX) in refused.penalty.reason


# After a cut all that a node had announced meanwhile came at once, and it was shut out for what it had said
# before it could be asked for what lies below.
def test_a_burst_of_announcements_without_a_known_parent_counts_once_and_is_asked_about_once() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(6 * UNCONNECTING_MAX)
    first, *rest = [driver.admit(driver.headers_of("a", [each])) for each in hashes[1:]]
    assert isinstance(first, Fetch)
    assert all(isinstance(decision, Wait) for decision in rest)
    driver.headers("a", hashes)
    assert [want for want in hashes if driver.state.fetcher.get(want) is None] == []
    assert isinstance(driver.admit(driver.headers_of("a", blocks.mine(2)[1:])), Fetch)


def test_one_announcement_that_connects_makes_the_count_begin_anew() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(3)
    for _ in range(UNCONNECTING_MAX - 1):
        driver.now += UNCONNECTING_EVERY_S
        driver.admit(driver.headers_of("a", hashes[2:]))
    driver.headers("a", hashes[:1])
    assert isinstance(driver.admit(driver.headers_of("a", hashes[2:])), Fetch)


def test_headers_that_do_not_follow_one_another_or_do_not_parse_are_refused() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    swapped = driver.admit(driver.headers_of("a", hashes[::-1]))
    assert isinstance(swapped, Refused)
    assert swapped.penalty.points == DISORDER_PENALTY
    for announcement in (
        HeadersAnnounced("a", (b"short",), 0.0),
        BlockArrived("a", blocks.body(hashes[0])[:79], 0.0),
    ):
        refused = driver.admit(announcement)
        assert isinstance(refused, Refused)
        assert refused.penalty == Penalty("a", INVALID_PENALTY, refused.penalty.reason)
        assert "bytes" in refused.penalty.reason


def test_a_source_that_has_nothing_more_counts_as_asked_and_one_with_a_full_message_is_asked_on() -> None:
    blocks = Blocks()
    hashes = blocks.mine(3)
    driver = Driver(blocks)
    driver.ready("a")
    outcome = driver.headers("a", hashes, full=True)
    assert Request("a", locator=(hashes[-1], *reversed(hashes), blocks.genesis)) in outcome.requests
    assert driver.state.synced == {"a": False}
    driver.settle(driver.admit(HeadersAnnounced("a", (), driver.now)))
    assert driver.state.synced == {"a": True}


def test_unknown_hashes_are_asked_for_by_header_and_the_last_ones_body_at_once() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(3)
    decision = driver.hashes("a", hashes)
    assert decision == Fetch((Request("a", locator=(blocks.genesis,)), Request("a", bodies=(hashes[-1],))))
    driver.follow("a", hashes)
    assert isinstance(driver.hashes("a", hashes), Duplicate)


def test_hashes_announced_later_confirm_the_block() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b", "c"), blocks.mine(1)
    driver.hashes("b", hashes)
    driver.now += 1.0
    driver.headers("a", hashes)
    driver.hashes("c", hashes)
    driver.body("a", hashes[0])
    (event,) = driver.told("block")
    assert event.data.sources_seen == 3
    assert event.data.source == "b"
    assert event.data.proof.sources == ("b", "a", "c")


def test_bodies_wanted_by_hash_alone_are_bounded() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(bodies_in_flight_max=1_000))
    for number in range(admit.HASH_WANTS_MAX + 5):
        driver.hashes("a", [made_up(number)])
    assert len(driver.state.hash_wants) == admit.HASH_WANTS_MAX
    assert len(driver.state.fetcher) == admit.HASH_WANTS_MAX


def test_a_body_is_proved_once_while_its_proof_runs_and_never_after_it_was_valid() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(1)
    driver.headers("a", hashes)
    proof = driver.admit(driver.block_of("a", hashes[0]))
    assert isinstance(proof, BlockProof)
    assert isinstance(driver.admit(driver.block_of("b", hashes[0])), Duplicate)
    driver.settle(proof)
    assert isinstance(driver.admit(driver.block_of("b", hashes[0])), Duplicate)


def test_bodies_that_nobody_asked_for_are_dropped_at_the_bound() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(proofs_in_work_max=2))
    hashes = blocks.mine(4)
    for block_hash in hashes[2:]:
        assert isinstance(driver.admit(driver.block_of("a", block_hash)), BlockProof)
    assert isinstance(driver.admit(driver.block_of("a", hashes[1])), Wait)


def test_no_body_is_asked_for_while_as_many_as_may_be_are_being_proved() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(proofs_in_work_max=2))
    hashes = blocks.mine(4)
    asked = [r.bodies for r in driver.headers("a", hashes).requests if r.bodies]
    assert asked == [tuple(hashes[:2])]
    first, second = (driver.admit(driver.block_of("a", block_hash)) for block_hash in hashes[:2])
    assert isinstance(first, BlockProof)
    assert isinstance(second, BlockProof)
    assert driver.pipeline.state.fetcher.assign(driver.now) == []
    assert [r.bodies for r in driver.settle(first).requests] == [(hashes[2],)]


def test_headers_without_bodies_beside_the_head_do_not_hold_up_the_next_block() -> None:
    blocks = Blocks()
    driver = begun(blocks, None, "a", "b")
    parent = blocks.ledger.tip
    for _ in range(64):  # siblings of the next block, whose bodies nobody will give
        driver.headers("a", blocks.mine(1, on=parent))
    honest = blocks.mine(1, on=parent)
    honest += blocks.mine(1, on=honest[0])
    requests = driver.headers("b", honest).requests
    assert {h for request in requests for h in request.bodies} >= set(honest)


def test_before_the_log_has_begun_a_body_is_not_proved() -> None:
    blocks = Blocks()
    driver, hashes = Driver(blocks), blocks.mine(1)
    driver.ready("a")
    assert isinstance(driver.admit(driver.block_of("a", hashes[0])), Wait)


def test_a_body_that_was_not_found_is_asked_of_the_next_source() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, None, "a", "b"), blocks.mine(1)
    outcome = driver.headers("a", hashes)
    assert outcome.requests == [Request("a", bodies=(hashes[0],))]
    assert driver.not_found("a", hashes) == Fetch((Request("b", bodies=(hashes[0],)),))


def test_announced_and_rejected_hashes_are_remembered_up_to_their_bounds() -> None:
    book = AnnouncementBook()
    for number in range(HASHES_ANNOUNCED_MAX + 1):
        book.note(made_up(number), "a", float(number))
    assert book.arrivals(made_up(0)) == {}
    assert tuple(book.arrivals(made_up(1))) == ("a",)
    assert book.take_announcers(made_up(1)) == {"a": 1.0}
    for number in range(REJECTED_HASHES_MAX + 1):
        book.reject(made_up(number), f"reason {number}")
    assert book.rejected(made_up(0)) is None
    assert book.rejected(made_up(REJECTED_HASHES_MAX)) == f"reason {REJECTED_HASHES_MAX}"
    assert book.arrivals(made_up(2)) == {}
