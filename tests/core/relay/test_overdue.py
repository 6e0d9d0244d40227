"""Bodies that do not come: withdrawn headers, gaps, late blocks, and what was missed beyond the limit."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sprint.core.protocols.announcements import HeadersAnnounced, HistoryLimited
from sprint.core.relay import overdue
from sprint.core.relay.fetch import HEDGE_WAIT_S_UNKNOWN
from sprint.core.relay.outcome import Outcome
from sprint.core.relay.settings import ChainSettings
from tests.core.relay.driving import Blocks, Driver, begun, shown

SETTINGS = ChainSettings(body_timeout_s=3.0, gap_after_s=6.0, catch_up_blocks_max=3)


def wait(driver: Driver, seconds: float) -> None:
    """Let time pass, acting whenever a timer is due."""
    end = driver.now + seconds
    while (due := driver.pipeline.next_timer()) <= end:
        driver.timer(max(0.0, due - driver.now))
    driver.timer(end - driver.now)


def test_a_header_whose_body_cannot_be_had_in_time_is_withdrawn_once() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(1)
    driver.headers("a", hashes)
    wait(driver, 2.9)
    assert driver.told_types() == ["header"]
    wait(driver, 20.0)
    (withdrawn,) = driver.told()
    assert withdrawn.data.hash == shown(hashes)[0]
    assert withdrawn.data.reason == "body not had within 3 s"


def test_a_withdrawn_headers_block_goes_out_when_its_body_comes_after_all() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(1)
    driver.headers("a", hashes)
    wait(driver, 10.0)
    driver.told()
    driver.body("a", hashes[0])
    (block,) = driver.told("block")
    assert not block.data.late


def test_a_header_whose_body_came_is_withdrawn_when_one_below_it_cannot_be_had() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(2)
    driver.headers("a", hashes)
    driver.body("a", hashes[1])
    wait(driver, 3.5)
    header, withdrawn = driver.told()
    assert header.data.hash == withdrawn.data.hash == shown(hashes)[1]
    assert withdrawn.data.reason == "of a block below it: body not had within 3 s"


def test_a_body_that_holds_others_up_and_cannot_be_had_is_passed_over_and_comes_late() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(3)
    driver.headers("a", hashes)
    for block_hash in hashes[1:]:
        driver.body("a", block_hash)
    wait(driver, 5.9)
    assert "gap" not in driver.told_types()
    wait(driver, 0.6)
    gap, *rest = driver.told("gap", "block")
    assert (gap.data.from_height, gap.data.to_height) == (1, 1)
    assert "6 s" in gap.data.reason
    assert [event.data.hash for event in rest] == shown(hashes[1:])
    driver.body("a", hashes[0])
    (late,) = driver.told("block")
    assert late.data.hash == shown(hashes)[0]
    assert late.data.late


def pruned(blocks: Blocks, newest: int) -> Driver:
    """A log that has begun, and then its source is a pruned node, which serves its newest blocks only."""
    driver = begun(blocks, SETTINGS)
    driver.lost("a")
    driver.admit(HistoryLimited("a", newest, 0, driver.now))
    driver.ready("a")
    driver.told()
    return driver


def test_a_pruned_node_was_asked_for_what_it_hung_up_on_for_ever() -> None:
    """The blocks that it has not got are a gap, and the others go out."""
    blocks = Blocks()
    driver, hashes = pruned(blocks, newest=2), blocks.mine(3)
    outcome = driver.headers("a", hashes)
    assert [set(request.bodies) for request in outcome.requests if request.bodies] == [set(hashes[1:])]
    for block_hash in hashes[1:]:
        driver.body("a", block_hash)
    wait(driver, 60.0)
    gap, *rest = driver.told("gap", "block")
    assert (gap.data.from_height, gap.data.to_height) == (1, 1)
    assert [event.data.hash for event in rest] == shown(hashes[1:])
    assert driver.pipeline.next_timer() > driver.now, "no timer runs without an end"


def test_what_a_pruned_node_has_not_is_asked_of_one_that_comes_later() -> None:
    blocks = Blocks()
    driver, hashes = pruned(blocks, newest=2), blocks.mine(3)
    driver.headers("a", hashes)
    driver.ready("b")
    driver.settle(driver.admit(HeadersAnnounced("b", (), driver.now)))
    want = driver.state.fetcher.get(hashes[0])
    assert want is not None
    assert want.asked_of == "b"


def test_a_pruned_node_far_above_what_is_wanted_yet_is_not_asked_for_it() -> None:
    """After a restart the first blocks were asked for before the headers up to its own had come."""
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS, "b"), blocks.mine(3)
    driver.headers("b", hashes)
    driver.lost("b")
    driver.admit(HistoryLimited("a", 2, 100, driver.now))
    outcome = driver.ready("a")
    assert [request for request in outcome.requests if request.bodies] == []


def test_a_node_that_comes_back_unpruned_is_asked_for_all() -> None:
    blocks = Blocks()
    driver, hashes = pruned(blocks, newest=2), blocks.mine(3)
    driver.lost("a")
    driver.ready("a")
    outcome = driver.headers("a", hashes)
    assert {each for request in outcome.requests for each in request.bodies} == set(hashes)


def test_bodies_that_hold_nothing_up_are_not_passed_over() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(2)
    driver.headers("a", hashes)
    wait(driver, 60.0)
    assert driver.told("gap") == []


def test_a_body_that_was_never_asked_of_anybody_is_not_passed_over() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(2)
    driver.lost("a")
    driver.settle(driver.admit(driver.headers_of("a", hashes)))
    driver.settle(driver.admit(driver.block_of("a", hashes[1])))
    wait(driver, 60.0)
    assert driver.told("gap") == []


def test_a_gap_is_asked_for_again_after_a_restart() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(2)
    driver.headers("a", hashes)
    driver.body("a", hashes[1])
    wait(driver, 10.0)
    assert "gap" in driver.told_types()
    again = Driver(blocks, SETTINGS, rows=driver.rows, head=driver.head)
    again.ready("a")
    assert again.state.fetcher.get(hashes[0]) is not None
    again.body("a", hashes[0])
    (late,) = again.told("block")
    assert late.data.late


def test_what_was_missed_beyond_the_limit_is_one_gap_and_the_rest_is_delivered() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(8)
    outcome = driver.headers("a", hashes)
    (gap,) = driver.told("gap")
    assert (gap.data.from_height, gap.data.to_height) == (1, 5)
    assert "catch_up_blocks_max" in gap.data.reason
    assert [h for r in outcome.requests for h in r.bodies] == hashes[5:]
    for block_hash in hashes[5:]:
        driver.body("a", block_hash)
    assert driver.delivered() == shown(hashes[5:])
    assert len(driver.state.fetcher) == 0


def asked_for(outcomes: Iterable[Outcome]) -> list[bytes]:
    return [h for outcome in outcomes for request in outcome.requests for h in request.bodies]


# They had been left out for good, as a bound of the operator's own: the gap was announced and never filled.
def test_what_was_missed_beyond_the_limit_is_asked_for_by_and_by_and_comes_late() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(8)
    driver.headers("a", hashes)
    for block_hash in hashes[5:]:
        driver.body("a", block_hash)
    driver.told()
    assert sorted(asked_for([driver.timer(0.5)])) == sorted(hashes[:5])
    for block_hash in hashes[:5]:
        driver.body("a", block_hash)
    told = [(event.data.hash, event.data.late) for event in driver.told("block")]
    assert told == [(shown_hash, True) for shown_hash in shown(hashes[:5])]
    assert len(driver.state.fetcher) == 0


# After a cut the headers came one by one: each block had a gap of its own and came late, though it had been
# asked for and was on its way.
def test_a_body_that_is_under_way_is_not_passed_over_and_those_above_it_share_a_gap() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(30)
    for block_hash in hashes:
        driver.headers("a", [block_hash])
    in_flight = hashes[: SETTINGS.bodies_in_flight_max]
    driver.told()
    for block_hash in in_flight:
        driver.body("a", block_hash)
    *told, gap = driver.told("gap", "block")
    assert [(event.data.hash, event.data.late) for event in told] == [(h, False) for h in shown(in_flight)]
    assert (gap.data.from_height, gap.data.to_height) == (len(in_flight) + 1, 30 - 3)


def test_of_many_blocks_passed_over_few_are_wanted_at_a_time_and_the_newest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overdue, "LATE_WANTS_MAX", 2)
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(8)
    driver.headers("a", hashes)
    for block_hash in hashes[5:]:
        driver.body("a", block_hash)
    asked = asked_for([driver.timer(0.5)])
    assert set(asked) == set(hashes[3:5])
    assert driver.state.fetcher.late_count == 2
    driver.body("a", hashes[4])
    assert asked_for([driver.timer(0.5)]) == [hashes[2]]


def test_as_many_missed_blocks_as_the_limit_are_all_delivered() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(3)
    driver.follow("a", hashes)
    told = driver.told("gap", "block")
    assert [event.data.hash for event in told] == shown(hashes)


# Passed over on one branch, its body came while another was best; on the switch back it went out after
# its children and did not say that it was late.
@pytest.mark.parametrize("restarted", [False, True])
def test_a_passed_over_block_whose_body_came_off_the_best_branch_is_late_after_the_switch_back(
    *, restarted: bool
) -> None:
    blocks = Blocks()
    driver, first = begun(blocks, SETTINGS), blocks.mine(2)
    driver.headers("a", first)
    driver.body("a", first[1])
    wait(driver, 10.0)
    side = blocks.mine(3, on=blocks.genesis)
    driver.follow("a", side)
    driver.body("a", first[0])
    assert driver.told("block")[-1].data.hash == shown(side)[-1]
    if restarted:
        driver = Driver(blocks, SETTINGS, rows=driver.rows, head=driver.head)
        driver.ready("a")
    longer = blocks.mine(2, on=first[1])
    driver.follow("a", longer)
    told = [(event.data.hash, event.data.late) for event in driver.told("block")]
    assert told == list(zip(shown([first[0], *longer]), (True, False, False), strict=True))


def test_hashes_that_nobody_explains_are_forgotten_in_time() -> None:
    blocks = Blocks()
    driver = begun(blocks, SETTINGS)
    driver.hashes("a", [b"\x07" * 32])
    wait(driver, 10.0)
    assert len(driver.state.fetcher) == 0
    assert not driver.state.hash_wants


def test_a_source_that_comes_while_headers_wait_for_bodies_is_asked_for_them_at_once() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(1)
    driver.headers("a", hashes)
    driver.not_found("a", hashes)
    outcome = driver.ready("b")
    assert [r.bodies for r in outcome.requests if r.bodies] == [(hashes[0],)]


def test_a_body_is_not_passed_over_before_every_ready_source_was_asked() -> None:
    blocks = Blocks()
    settings = ChainSettings(gap_after_s=0.5, bodies_in_flight_max=1, body_request_timeout_s=30.0)
    driver, hashes = begun(blocks, settings, "a", "b"), blocks.mine(2)
    driver.headers("a", hashes)
    driver.body("b", hashes[1])
    wait(driver, HEDGE_WAIT_S_UNKNOWN - 0.1)
    assert driver.told("gap") == []
    wait(driver, 1.0)  # "a" had its time, "b" was asked too, and a check for what is overdue came round
    assert len(driver.told("gap")) == 1
