"""A node that reads a request for headers and gives none is told from one that hangs: by its pongs."""

from __future__ import annotations

import pytest

from sprint.core.protocols.announcements import HeadersWithheld
from sprint.core.protocols.bitcoin_p2p.events import (
    BlocksAnnounced,
    HeadersPassedOver,
    HeadersReceived,
    SessionEvent,
    announcement_of,
)
from sprint.core.protocols.bitcoin_p2p.initial_download import initial_download_words
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    Ping,
    Pong,
)
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from tests.core.protocols.bitcoin_p2p.peers import (
    HANDSHAKE,
    SETTINGS,
    frame,
    is_open,
    make_headers,
    peer_session,
    said,
)

START_HEIGHT = 7  # as the peers of these tests say
INV = frame(Inventory((InventoryItem(MSG_BLOCK, b"\1" * 32),)))
HEADERS = frame(Headers(tuple(make_headers(1))))
LOCATOR = [b"\2" * 32]


class SyncingNode:
    """Answers each ping, and no request for headers, as a node in its initial block download."""

    def __init__(self, session: PeerSession) -> None:
        self.session = session
        self.asked = 0  # requests for headers that it has read
        self.pings = 0

    def answer(self, now: float) -> list[SessionEvent]:
        """Read what waits, answer, and go on until both are silent."""
        events: list[SessionEvent] = []
        while messages := said(self.session):
            self.asked += sum(isinstance(each, GetHeaders) for each in messages)
            pings = [each for each in messages if isinstance(each, Ping)]
            self.pings += len(pings)
            for ping in pings:
                events += self.session.receive_data(frame(Pong(ping.nonce)), now)
        return events


def connected() -> tuple[PeerSession, SyncingNode]:
    """A session that has asked for headers as soon as it was ready, as the relay does, and its node."""
    session = peer_session()
    session.receive_data(HANDSHAKE, 0.0)
    session.request_headers(LOCATOR, 0.0)
    return session, SyncingNode(session)


def test_a_pong_behind_the_request_shows_that_it_is_passed_over_and_nothing_is_owed() -> None:
    session, node = connected()
    assert node.answer(1.0) == [HeadersPassedOver(START_HEIGHT)]
    assert (node.asked, node.pings) == (1, 2), "the ping of the handshake had gone out before the request"
    assert session.owed() == {}
    assert "still syncing: it was at height 7" in session.syncing
    session.handle_timer(SETTINGS.headers_timeout_s)
    assert is_open(session)


def test_the_pong_to_a_ping_before_the_request_shows_nothing() -> None:
    session = peer_session()
    session.receive_data(HANDSHAKE, 0.0)
    (ping,) = (each for each in said(session) if isinstance(each, Ping))
    session.request_headers(LOCATOR, 0.0)
    assert session.receive_data(frame(Pong(ping.nonce)), 1.0) == []
    assert (session.syncing, list(session.owed())) == ("", ["getheaders", "ping"])


def test_a_node_that_hangs_answers_no_ping_either_and_owes_both() -> None:
    session, _ = connected()
    assert set(session.owed()) == {"getheaders", "ping"}
    session.handle_timer(SETTINGS.headers_timeout_s)
    assert session.closed == "no answer to getheaders within 120 s"
    assert session.syncing == ""


@pytest.mark.parametrize("said_by_node", [INV, HEADERS], ids=["inv", "headers"])
def test_one_that_was_syncing_and_names_a_block_owes_headers_from_then_on(said_by_node: bytes) -> None:
    """Else a node that hangs after a word would be taken for one that syncs for ever."""
    session, node = connected()
    node.answer(1.0)
    (event,) = session.receive_data(said_by_node, 2.0)
    assert isinstance(event, BlocksAnnounced | HeadersReceived)
    assert session.syncing == ""
    session.request_headers(LOCATOR, 2.0)
    assert node.answer(3.0) == []
    assert session.owed() == {"getheaders": 2.0}
    session.handle_timer(2.0 + SETTINGS.headers_timeout_s)
    assert session.closed == "no answer to getheaders within 120 s"


def test_one_that_has_answered_once_owes_each_answer() -> None:
    session, node = connected()
    session.receive_data(frame(Headers(())), 1.0)
    node.answer(1.0)
    session.request_headers(LOCATOR, 5.0)
    assert node.answer(6.0) == []
    assert (session.syncing, session.owed()) == ("", {"getheaders": 5.0})


def test_it_is_asked_again_with_a_ping_behind_and_no_ping_is_left_unanswered() -> None:
    session, node = connected()
    node.answer(1.0)
    for now in (31.0, 61.0, 91.0):
        session.request_headers(LOCATOR, now)
        session.request_headers(LOCATOR, now)  # waits with the first
        assert node.answer(now) == [HeadersPassedOver(START_HEIGHT)]
    assert session.counts == {}
    assert (node.asked, node.pings) == (7, 5)
    due = session.next_timer()
    assert due == 91.0 + SETTINGS.ping_interval_s


def test_the_answer_ends_it() -> None:
    session, node = connected()
    node.answer(1.0)
    session.request_headers(LOCATOR, 31.0)
    assert isinstance(session.receive_data(HEADERS, 31.0)[0], HeadersReceived)
    assert node.answer(31.0) == []
    assert session.syncing == ""


@pytest.mark.parametrize(
    ("height", "words"), [(0, "it has only its genesis block"), (-1, "genesis"), (812, "was at height 812")]
)
def test_its_height_is_said_and_the_announcement_carries_the_words(height: int, words: str) -> None:
    told = announcement_of(HeadersPassedOver(height), "n", 3.0)
    assert told == HeadersWithheld("n", initial_download_words(height), 3.0)
    assert words in initial_download_words(height)


@pytest.mark.parametrize("count", [0, 1])
def test_headers_are_no_less_told_when_a_pong_came_before_them(count: int) -> None:
    """A node may answer a ping out of its turn; what it gives afterwards counts all the same."""
    session, node = connected()
    node.answer(1.0)
    headers = tuple(make_headers(count))
    assert session.receive_data(frame(Headers(headers)), 1.5) == [HeadersReceived(headers)]
    assert (session.syncing, session.score, session.closed) == ("", 0, None)


def test_no_more_than_one_ping_is_sent_beside_a_first_request_that_is_answered() -> None:
    """What it costs at a node that is well."""
    session, node = connected()
    session.receive_data(HEADERS, 1.0)
    node.answer(1.0)
    assert node.pings == 1
