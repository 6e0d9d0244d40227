"""A source that only announces: it wins and confirms, is asked for nothing, and others fill what it lost."""

from __future__ import annotations

import pytest

from sprint.core.model import SourceStatusEvent
from sprint.core.protocols.announcements import SequenceLost
from sprint.core.relay.admit import Duplicate, Fetch, Wait
from sprint.core.relay.announcers import (
    SILENT_HEADS_MAX,
    SILENT_S_MAX,
    UNBACKED_EVERY_S,
    UNBACKED_MAX,
)
from sprint.core.relay.fetch import Request
from sprint.core.relay.outcome import Outcome
from tests.core.relay.driving import Blocks, Driver, begun


def announcer(driver: Driver, source: str = "z") -> Outcome:
    return driver.take(driver.pipeline.source_ready(source, driver.now, serves=False))


def following(blocks: Blocks) -> Driver:
    """A chain that follows one serving source, "a", and hears one that only announces, "z"."""
    driver = begun(blocks)
    driver.follow("a", blocks.mine(3))
    announcer(driver)
    driver.told()
    return driver


def asked(requests: list[Request] | tuple[Request, ...]) -> set[str]:
    return {request.source for request in requests}


def lost(driver: Driver) -> Fetch:
    decision = driver.admit(SequenceLost("z", "hashblock", 2, driver.now))
    assert isinstance(decision, Fetch)
    return decision


def test_an_announcer_that_becomes_ready_is_asked_for_nothing_and_others_for_headers() -> None:
    driver = Driver(Blocks())
    driver.ready("a")
    driver.ready("b")
    outcome = announcer(driver)
    assert asked(outcome.requests) == {"a", "b"}
    assert all(request.locator for request in outcome.requests)
    assert driver.state.synced == {"a": False, "b": False}


def test_an_announcer_alone_does_not_make_a_chain_ready() -> None:
    driver = Driver(Blocks())
    assert announcer(driver).requests == []
    driver.timer(driver.settings.sources_grace_s)
    (status,) = driver.told("chain_status")
    assert status.data.reason == "no source is ready; serve nothing, as they only announce: z"


def test_the_log_begins_without_waiting_for_an_announcer() -> None:
    blocks = Blocks()
    driver = Driver(blocks)
    announcer(driver)
    driver.ready("a")
    driver.headers("a", blocks.mine(3))
    assert driver.has_begun()


def test_a_hash_is_asked_of_those_that_serve_and_its_body_of_whoever_has_the_header() -> None:
    blocks = Blocks()
    driver = following(blocks)
    (mined,) = blocks.mine(1)
    decision = driver.hashes("z", [mined])
    assert isinstance(decision, Fetch)
    assert asked(decision.requests) == {"a"}
    assert all(request.bodies == () for request in decision.requests), "nobody is known to have the body"
    driver.now += 0.001
    outcome = driver.headers("a", [mined])
    assert [request for request in outcome.requests if request.bodies] == [Request("a", bodies=(mined,))]
    driver.body("a", mined)
    (block,) = driver.told("block")
    assert (block.data.source, block.data.sources_seen) == ("z", 2)


def test_a_body_of_an_announcer_is_delivered_without_a_request() -> None:
    blocks = Blocks()
    driver = following(blocks)
    (mined,) = blocks.mine(1)
    outcome = driver.body("z", mined)
    assert outcome.requests == []
    (block,) = driver.told("block")
    assert block.data.source == "z"


def test_a_hash_whose_body_is_being_proved_asks_nobody() -> None:
    blocks = Blocks()
    driver = following(blocks)
    (mined,) = blocks.mine(1)
    proof = driver.admit(driver.block_of("z", mined))
    assert isinstance(driver.hashes("z", [mined]), Duplicate)
    driver.settle(proof)


def test_of_a_burst_only_the_last_body_comes_and_what_lies_below_is_had_of_others() -> None:
    blocks = Blocks()
    driver = following(blocks)
    mined = blocks.mine(4)
    outcome = driver.body("z", mined[-1])
    assert asked(outcome.requests) == {"a"}
    outcome = driver.headers("a", mined)
    assert {h for request in outcome.requests for h in request.bodies} == set(mined[:-1])
    for block_hash in mined[:-1]:
        driver.body("a", block_hash)
    assert [event.data.height for event in driver.told("block")] == [4, 5, 6, 7]
    assert len(driver.state.orphans) == 0


def test_a_loss_is_filled_by_those_that_serve() -> None:
    driver = following(Blocks())
    driver.ready("b")
    assert asked(lost(driver).requests) == {"a", "b"}


def test_an_announcer_that_is_lost_is_told_of() -> None:
    driver = following(Blocks())
    driver.lost("z")
    (event,) = driver.told("source_status")
    assert (event.data.source, event.data.status) == ("z", "lost")
    assert "z" not in driver.state.announcers


def test_a_body_is_never_asked_of_an_announcer() -> None:
    blocks = Blocks()
    driver = following(blocks)
    mined = blocks.mine(2)
    driver.headers("a", mined)
    driver.lost("a")
    outcome = driver.timer(60.0)
    assert outcome.requests == []


def statuses(driver: Driver) -> list[tuple[str, str]]:
    told = [event for event in driver.told("source_status") if isinstance(event, SourceStatusEvent)]
    return [(event.data.source, event.data.status) for event in told if event.data.source == "z"]


def heads(driver: Driver, blocks: Blocks, count: int) -> None:
    for block_hash in blocks.mine(count):
        driver.headers("a", [block_hash])
        driver.body("a", block_hash)


def test_an_announcer_that_stays_silent_while_the_head_moves_is_told_once_and_told_again_when_heard() -> None:
    blocks = Blocks()
    driver = following(blocks)
    driver.now += SILENT_S_MAX
    heads(driver, blocks, SILENT_HEADS_MAX - 1)
    assert statuses(driver) == []
    heads(driver, blocks, 2)
    (event,) = [e for e in driver.events if isinstance(e, SourceStatusEvent)]
    assert event.data.reason.endswith("a node that was asked for ZMQ but has none?")
    assert statuses(driver) == [("z", "demoted")]
    (mined,) = blocks.mine(1)
    driver.body("z", mined)
    assert statuses(driver) == [("z", "re-admitted")]


def test_a_catch_up_makes_no_announcer_look_silent() -> None:
    blocks = Blocks()
    driver = following(blocks)
    driver.now += SILENT_S_MAX - 1
    heads(driver, blocks, 20)
    assert statuses(driver) == []


@pytest.mark.parametrize("heads_moved", [0, SILENT_HEADS_MAX - 1])
def test_a_chain_that_stands_makes_no_announcer_look_silent(heads_moved: int) -> None:
    blocks = Blocks()
    driver = following(blocks)
    heads(driver, blocks, heads_moved)
    driver.timer(10 * SILENT_S_MAX)
    assert statuses(driver) == []


def test_an_announcer_of_hashes_that_nobody_has_had_all_others_asked_at_each_of_them() -> None:
    blocks = Blocks()
    driver = following(blocks)
    decisions = [driver.hashes("z", [n.to_bytes(32, "big")]) for n in range(UNBACKED_MAX + 10)]
    assert [type(each) for each in decisions] == [Fetch] * UNBACKED_MAX + [Wait] * 10
    assert isinstance(driver.admit(SequenceLost("z", "hashblock", 2, driver.now)), Wait)
    driver.now += UNBACKED_EVERY_S
    (mined,) = blocks.mine(1)
    assert isinstance(driver.hashes("z", [mined]), Fetch)
    assert isinstance(driver.hashes("z", [bytes(32)]), Wait)
    driver.headers("a", [mined])
    assert isinstance(driver.hashes("z", [bytes(32)]), Fetch), "it told of a block that there is"


def test_an_orphan_that_comes_again_was_proved_again_and_asked_about_again() -> None:
    blocks = Blocks()
    driver = following(blocks)
    mined = blocks.mine(2)
    assert asked(driver.body("z", mined[-1]).requests) == {"a"}
    assert isinstance(driver.admit(driver.block_of("z", mined[-1])), Duplicate)
    driver.headers("a", mined)
    driver.body("a", mined[0])
    assert len(driver.delivered()) == 2
