"""A source whose node is in its initial block download is told of, and used for nothing until it gives."""

from __future__ import annotations

from sprint.core.protocols.announcements import HeadersWithheld
from sprint.core.relay.admit import Fetch, Wait
from sprint.core.relay.settings import ChainSettings
from sprint.core.relay.syncing import OVER
from tests.core.relay.driving import Blocks, Driver, begun, shown

WHY = "still syncing: it has only its genesis block"


def syncing(driver: Driver, source: str = "a") -> None:
    assert isinstance(driver.admit(HeadersWithheld(source, WHY, driver.now)), Wait)
    assert driver.pipeline.timer_is_due
    assert driver.pipeline.next_timer() <= driver.now
    driver.timer(0.0)
    assert not driver.pipeline.timer_is_due


def told(driver: Driver) -> list[tuple[str, str]]:
    return [(event.data.status, event.data.reason) for event in driver.told("source_status", "chain_status")]


def connected(*sources: str, blocks: Blocks | None = None) -> Driver:
    driver = Driver(blocks or Blocks())
    for source in sources:
        driver.ready(source)
    driver.told()
    return driver


def test_it_is_told_once_with_the_reason_and_as_a_stall_when_there_is_no_other() -> None:
    driver = connected("a")
    syncing(driver)
    assert told(driver) == [("demoted", WHY)]
    assert isinstance(driver.admit(HeadersWithheld("a", WHY, driver.now)), Wait)
    assert not driver.pipeline.timer_is_due
    driver.timer(driver.settings.sources_grace_s)
    assert told(driver) == [("stalled", "no source is ready; still syncing: a")]
    assert (driver.state.sources_ready, driver.state.serving) == (0, [])


def test_its_first_block_is_asked_for_and_comes_through() -> None:
    blocks = Blocks()
    driver = connected("a", blocks=blocks)
    syncing(driver)
    driver.timer(driver.settings.sources_grace_s)
    driver.told()
    (block,) = blocks.mine(1)
    asked = driver.hashes("a", [block])
    assert isinstance(asked, Fetch)
    assert asked.requests[0].locator
    outcome = driver.headers("a", [block])
    assert [request.bodies for request in outcome.requests] == [(block,)]
    assert told(driver)[:1] == [("re-admitted", OVER)]
    driver.body("a", block)
    assert driver.delivered() == shown([block])
    assert driver.state.sources_ready == 1


def test_the_log_of_a_new_chain_begins_by_another_source_without_it() -> None:
    blocks = Blocks()
    driver = connected("a", "b", blocks=blocks)
    syncing(driver)
    driver.headers("b", blocks.mine(2))
    assert driver.has_begun()


def test_no_body_is_asked_of_it_and_it_does_not_lag() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(), "b")
    driver.ready("a")
    syncing(driver)
    mined = blocks.mine(ChainSettings().lag_blocks_max + 5)
    outcome = driver.headers("b", mined)
    assert {request.source for request in outcome.requests if request.bodies} == {"b"}
    driver.told()
    for _ in range(10):
        outcome = driver.timer(10.0)
        assert "a" not in {request.source for request in outcome.requests if request.bodies}
        assert "a" not in outcome.late
    assert [reason for status, reason in told(driver) if "behind" in reason] == []


def test_it_is_asked_for_headers_as_often_as_a_silent_head() -> None:
    driver = connected("a")
    syncing(driver)
    outcome = driver.timer(driver.settings.head_poll_s)
    assert [request.source for request in outcome.requests if request.locator] == ["a"]


def test_one_that_is_lost_is_as_any_other_when_it_is_back() -> None:
    driver = connected("a")
    syncing(driver)
    driver.lost("a")
    driver.ready("a")
    assert driver.state.serving == ["a"]
    assert [status for status, _ in told(driver)] == ["demoted", "lost", "ready"]


def test_a_word_of_a_source_that_is_gone_changes_nothing() -> None:
    driver = connected("a")
    driver.lost("a")
    driver.told()
    driver.admit(HeadersWithheld("a", WHY, driver.now))
    driver.timer(0.0)
    assert (told(driver), list(driver.state.syncing)) == ([], [])
