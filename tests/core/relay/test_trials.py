"""A source that was shut out is on trial when it is back: told as re-admitted when what it says is proved."""

from __future__ import annotations

from sprint.core.relay.settings import ChainSettings
from sprint.core.relay.trials import TRIAL_S_MAX
from sprint.core.relay.watch import NAMED_MAX
from tests.core.relay.driving import Blocks, Driver, begun, shown

REASON = "merkle_root: false; shut out for 5 to 10 s"
LONGER = "merkle_root: false; shut out for 10 to 20 s"


def shut_out(driver: Driver, source: str, reason: str = REASON) -> None:
    driver.take(driver.pipeline.source_lost(source, reason, driver.now, blocked=True))


def told(driver: Driver) -> list[str]:
    """What subscribers were told of sources and of the chain since they last were, in its order."""
    kinds = ("source_status", "chain_status")
    return [event.data.status for event in driver.told(*kinds)]


def test_a_source_that_answers_without_a_fault_is_re_admitted_and_only_then() -> None:
    driver = begun(Blocks())
    driver.told()
    shut_out(driver, "a")
    assert told(driver) == ["blocked"]
    driver.ready("a")
    assert told(driver) == []
    assert driver.state.trials.on_trial == ["a"]
    driver.headers("a", [])
    assert told(driver) == ["re-admitted"]
    driver.lost("a")
    driver.ready("a")
    assert told(driver) == ["lost", "ready"]


def test_a_sole_source_that_lies_again_and_again_is_told_as_blocked_alone_and_the_stall_goes_on() -> None:
    """It had been told as re-admitted and the chain as recovered at every connection, and blocked at once."""
    driver = begun(Blocks())
    driver.told()
    shut_out(driver, "a")
    driver.timer(11.0)
    assert told(driver) == ["blocked", "stalled"]
    for _ in range(3):
        driver.ready("a")
        driver.timer(1.0)
        shut_out(driver, "a")
    assert told(driver) == []
    driver.ready("a")
    shut_out(driver, "a", LONGER)
    assert told(driver) == ["blocked"]  # for longer: that is news
    driver.ready("a")
    driver.headers("a", [])
    assert told(driver) == ["re-admitted", "recovered"]


def test_a_source_that_claims_a_better_chain_is_on_trial_until_its_blocks_have_passed() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.told()
    shut_out(driver, "a")
    driver.ready("a")
    (block,) = blocks.mine(1)
    driver.headers("a", [block])
    assert told(driver) == ["blocked"]
    driver.body("a", block)
    assert told(driver) == ["re-admitted"]


def test_a_source_that_tells_of_a_chain_of_less_work_has_passed() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(), "a", "b")
    side = blocks.mine(1)
    driver.follow("b", blocks.mine(2, on=blocks.genesis))
    driver.told()
    shut_out(driver, "a")
    driver.ready("a")
    driver.headers("a", side)
    assert told(driver) == ["blocked", "re-admitted"]


def test_a_trial_that_ends_by_a_lost_connection_is_told_by_no_word_and_begins_anew() -> None:
    driver = begun(Blocks())
    driver.told()
    shut_out(driver, "a")
    driver.ready("a")
    driver.lost("a")
    assert driver.state.trials.shut_out == ["a"]
    driver.ready("a")
    assert told(driver) == ["blocked"]
    driver.headers("a", [])
    assert told(driver) == ["re-admitted"]


def test_a_source_on_trial_is_asked_as_any_other_and_its_blocks_go_out() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.told()
    shut_out(driver, "a")
    outcome = driver.ready("a")
    assert [request.source for request in outcome.requests] == ["a"]
    hashes = blocks.mine(1)
    driver.follow("a", hashes)
    assert [event.data.hash for event in driver.told("block")] == shown(hashes)


def test_a_publisher_on_trial_is_re_admitted_when_a_block_that_it_told_of_is_true() -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(), "a")
    driver.take(driver.pipeline.source_ready("z", driver.now, serves=False))
    driver.told()
    shut_out(driver, "z")
    driver.take(driver.pipeline.source_ready("z", driver.now, serves=False))
    driver.timer(1.0)
    assert told(driver) == ["blocked"]
    hashes = blocks.mine(1)
    driver.follow("a", hashes)
    driver.admit(driver.headers_of("z", hashes))
    driver.timer(1.0)
    assert told(driver) == ["re-admitted"]


def test_a_stall_names_who_is_shut_out_up_to_a_limit() -> None:
    sources = [f"s{number}" for number in range(NAMED_MAX + 2)]
    driver = begun(Blocks(), ChainSettings(), *sources)
    for source in sources:
        shut_out(driver, source)
    driver.timer(11.0)
    (stalled,) = driver.told("chain_status")
    assert stalled.data.reason.startswith("no source is ready; shut out")
    assert stalled.data.reason.endswith("s0, s1, s2, s3 and 2 more")


def test_a_source_that_is_removed_is_no_longer_shut_out() -> None:
    driver = begun(Blocks())
    driver.told()
    shut_out(driver, "a")
    driver.pipeline.forget_source("a")
    driver.ready("a")
    assert told(driver) == ["blocked", "ready"]


def test_a_source_that_claims_nothing_new_while_the_best_header_is_not_validated_is_held_for_its_time() -> (
    None
):
    """It may mean that header: its answer is empty where it has no more than that."""
    blocks = Blocks()
    driver = begun(blocks)
    driver.headers("a", blocks.mine(1))
    driver.told()
    shut_out(driver, "a")
    driver.ready("a")
    driver.headers("a", [])
    driver.timer(TRIAL_S_MAX - 0.1)
    assert "re-admitted" not in told(driver)
    driver.timer(0.2)
    assert "re-admitted" in told(driver)
