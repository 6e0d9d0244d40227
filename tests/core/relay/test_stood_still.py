"""While the store refuses nothing is read: time that passes meanwhile costs no source and no block any."""

from __future__ import annotations

from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.relay.fetch import REQUEST_TIMEOUT_MAX_S
from sprint.core.relay.settings import ChainSettings
from tests.core.protocols.bitcoin_p2p.peers import ready_peer_session
from tests.core.relay.driving import Blocks, Driver, begun, shown

SETTINGS = ChainSettings(body_timeout_s=3.0, gap_after_s=6.0)
PAUSE_S = 600.0


def waiting_for_the_first_of_two() -> tuple[Driver, list[bytes]]:
    """Headers of two blocks, the second's body, and the first's asked for."""
    blocks = Blocks()
    driver, hashes = begun(blocks, SETTINGS), blocks.mine(2)
    driver.headers("a", hashes)
    driver.body("a", hashes[1])
    driver.told()
    return driver, hashes


def test_a_body_that_waits_unread_is_neither_withdrawn_nor_passed_over() -> None:
    driver, hashes = waiting_for_the_first_of_two()
    driver.now += PAUSE_S
    driver.pipeline.stood_still(PAUSE_S, driver.now)
    outcome = driver.timer(0.0)
    assert driver.told_types() == []
    assert not any(request.bodies for request in outcome.requests)
    driver.body("a", hashes[0])
    assert driver.delivered() == shown(hashes)


def test_without_that_it_is_passed_over() -> None:
    driver, _ = waiting_for_the_first_of_two()
    driver.timer(PAUSE_S)
    driver.timer(PAUSE_S)
    assert "gap" in driver.told_types()


def test_a_body_that_never_came_is_asked_for_again_soon_after() -> None:
    driver, _ = waiting_for_the_first_of_two()
    driver.now += PAUSE_S
    driver.pipeline.stood_still(PAUSE_S, driver.now)
    due = driver.state.fetcher.next_timer()
    assert due is not None
    assert due <= driver.now + REQUEST_TIMEOUT_MAX_S


def test_a_link_counts_none_of_it_against_the_peer() -> None:
    session = ready_peer_session()
    session.request_headers([bytes(32)], 0.0)
    timeout_s = SessionSettings().headers_timeout_s
    session.stood_still(PAUSE_S)
    session.handle_timer(PAUSE_S + timeout_s - 0.1)
    assert session.closed is None
    session.handle_timer(PAUSE_S + timeout_s)
    assert session.closed is not None
