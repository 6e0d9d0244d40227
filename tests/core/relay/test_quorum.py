"""A block waits for its quorum, for a bounded time or for good, and is delivered once in its order."""

from __future__ import annotations

from sprint.core.model import BlockEvent
from sprint.core.relay.settings import ChainSettings
from tests.core.relay.driving import Blocks, Driver, begun, shown

LENIENT = ChainSettings(quorum=2, quorum_wait_ms=500)
STRICT = ChainSettings(quorum=2, quorum_wait_ms=500, quorum_strict=True)


def delivered(driver: Driver) -> list[tuple[str, int]]:
    return [(e.data.hash, e.data.agreed_by) for e in driver.told("block") if isinstance(e, BlockEvent)]


def is_due(driver: Driver) -> bool:
    return driver.pipeline.timer_is_due


def fire(driver: Driver) -> None:
    """Act on a timer that is due."""
    due = driver.pipeline.next_timer()
    driver.timer(max(0.0, due - driver.now))


def test_a_block_of_one_source_waits_and_goes_out_with_the_second() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, LENIENT, "a", "b"), blocks.mine(1)
    driver.follow("a", hashes)
    assert driver.told("block") == []
    assert not is_due(driver)
    driver.now += 0.2
    driver.admit(driver.headers_of("b", hashes))
    assert is_due(driver)
    fire(driver)
    assert delivered(driver) == [(shown(hashes)[0], 2)]
    assert not is_due(driver)


def test_a_block_that_nobody_confirms_goes_out_when_the_wait_is_over() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, LENIENT, "a", "b"), blocks.mine(1)
    driver.follow("a", hashes)
    driver.timer(0.49)
    assert driver.told("block") == []
    driver.timer(0.02)
    assert delivered(driver) == [(shown(hashes)[0], 1)]


def test_a_block_that_both_announced_before_its_body_came_does_not_wait() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, LENIENT, "a", "b"), blocks.mine(1)
    driver.headers("a", hashes)
    driver.admit(driver.headers_of("b", hashes))
    driver.body("a", hashes[0])
    assert delivered(driver) == [(shown(hashes)[0], 2)]


def test_a_sole_source_is_not_waited_for_unless_it_is_strict() -> None:
    blocks = Blocks()
    hashes = blocks.mine(1)
    lenient = begun(blocks, LENIENT, "a")
    lenient.follow("a", hashes)
    assert delivered(lenient) == [(shown(hashes)[0], 1)]
    strict = begun(blocks, STRICT, "a")
    strict.follow("a", hashes)
    assert strict.told("block") == []


def test_a_source_that_only_announces_is_waited_for_and_counts() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, LENIENT, "rpc"), blocks.mine(1)
    driver.take(driver.pipeline.source_ready("zmq", driver.now, serves=False))
    driver.follow("rpc", hashes)
    assert driver.told("block") == []
    driver.hashes("zmq", hashes)
    fire(driver)
    assert delivered(driver) == [(shown(hashes)[0], 2)]


def test_strict_never_delivers_without_its_quorum_and_tells_of_a_stall_until_it_is_there() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, STRICT, "a", "b"), blocks.mine(3)
    driver.follow("a", hashes)
    for _ in range(40):
        driver.timer(0.5)
    (stalled,) = driver.told("chain_status")
    assert (stalled.data.status, "2 providers" in stalled.data.reason) == ("stalled", True)
    driver.admit(driver.headers_of("b", hashes))
    fire(driver)
    assert [e.data.hash for e in driver.events if isinstance(e, BlockEvent)] == shown(hashes)
    assert [e.data.status for e in driver.told("chain_status")] == ["recovered"]


def test_children_wait_for_their_parents_quorum_and_follow_in_order() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, STRICT, "a", "b"), blocks.mine(3)
    driver.follow("a", hashes)
    assert driver.told("block") == []
    driver.admit(driver.headers_of("b", hashes[:1]))
    fire(driver)
    assert [block for block, _ in delivered(driver)] == shown(hashes[:1])
    driver.admit(driver.headers_of("b", hashes[1:]))
    fire(driver)
    assert [block for block, _ in delivered(driver)] == shown(hashes[1:])


def test_a_body_that_waits_is_not_asked_for_again() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, STRICT, "a", "b"), blocks.mine(2)
    driver.follow("a", hashes[:1])
    outcome = driver.headers("a", hashes[1:])
    assert [request.bodies for request in outcome.requests if request.bodies] == [(hashes[1],)]


def test_after_a_restart_a_block_that_waited_is_fetched_and_waits_again() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, STRICT, "a", "b"), blocks.mine(1)
    driver.follow("a", hashes)
    again = Driver(blocks, STRICT, rows=driver.rows, head=driver.head)
    for source in ("a", "b"):
        again.ready(source)
    again.follow("a", hashes)
    assert again.told("block") == []
    again.admit(again.headers_of("b", hashes))
    fire(again)
    assert delivered(again) == [(shown(hashes)[0], 2)]


def test_a_source_that_tells_of_the_next_block_alone_counts_for_the_one_that_waits_below() -> None:
    """One that was away when the block came never names it; the block had waited for good."""
    blocks = Blocks()
    driver, hashes = begun(blocks, STRICT, "a", "b"), blocks.mine(2)
    driver.follow("a", hashes)
    driver.admit(driver.headers_of("b", hashes[1:]))
    fire(driver)
    assert delivered(driver) == [(block, 2) for block in shown(hashes)]


def test_while_a_block_waits_sources_are_asked_from_below_it_and_their_answer_counts() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, STRICT, "a", "b"), blocks.mine(3)
    driver.follow("a", hashes)
    driver.lost("b")
    (request,) = driver.ready("b").requests
    assert request.locator[0] == blocks.genesis
    driver.headers("b", hashes)
    fire(driver)
    assert [block for block, _ in delivered(driver)] == shown(hashes)
    (request,) = driver.ready("b").requests
    assert request.locator[0] == hashes[-1]


def test_a_block_of_a_branch_that_has_lost_stalls_nothing() -> None:
    """It never gets its quorum, as nobody is on that branch any more: the chain had been stalled for good."""
    blocks = Blocks()
    driver, side = begun(blocks, STRICT, "a", "b"), blocks.mine(1)
    driver.follow("a", side)
    main = blocks.mine(2, on=blocks.genesis)
    driver.follow("a", main)
    driver.admit(driver.headers_of("b", main))
    fire(driver)
    for _ in range(40):
        driver.timer(0.5)
    told = driver.told("block", "chain_status")
    assert [event.data.hash for event in told if isinstance(event, BlockEvent)] == shown(main)
    assert len(told) == len(main)
