"""What both ends share, shown on the asking end where it is alike: handshake, keep-alive, score, limits."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import litecoin
from sprint.core.chains.bitcoin import REGTEST
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import Ready
from sprint.core.protocols.bitcoin_p2p.framing import CHECKSUM_PENALTY
from sprint.core.protocols.bitcoin_p2p.link import Link, SessionSettings
from sprint.core.protocols.bitcoin_p2p.messages import (
    NODE_NETWORK,
    NODE_NETWORK_LIMITED,
    NODE_WITNESS,
    Ping,
    Pong,
    Version,
)
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from tests.core.protocols.bitcoin_p2p.peers import (
    HANDSHAKE,
    OWN_NONCE,
    PEER_NONCE,
    SETTINGS,
    bare,
    commands,
    exchange,
    frame,
    is_open,
    make_headers,
    peer_session,
    ready_peer_session,
    ready_serving_session,
    said,
    serving_session,
    version,
)


def both_ready() -> list[Link]:
    return [ready_peer_session(), ready_serving_session()]


def sent_ping(session: Link) -> Ping:
    (ping,) = [message for message in said(session) if isinstance(message, Ping)]
    return ping


# Handshake.


def test_the_asking_end_speaks_first_and_says_who_it_is() -> None:
    settings = msgspec.structs.replace(SETTINGS, unix_time_offset_s=1_700_000_000.0)
    (own,) = said(peer_session(settings, now=5.9))
    assert own == Version(
        protocol_version=70_016,
        services=NODE_WITNESS,
        timestamp=1_700_000_005,
        nonce=OWN_NONCE,
        user_agent="/sprint-test/",
        start_height=0,
        relay=False,
    )


def test_the_serving_end_is_silent_until_it_is_spoken_to() -> None:
    session = serving_session()
    assert commands(session) == []
    session.receive_data(frame(version(nonce=OWN_NONCE)), 0.0)
    assert commands(session) == ["version", "verack"]


def test_ready_is_told_once_with_what_the_peer_said() -> None:
    session = peer_session()
    assert commands(session) == ["version"]
    assert session.receive_data(frame(version()), 0.0) == []
    assert commands(session) == ["verack"]
    assert session.receive_data(bare("verack"), 0.0) == [
        Ready(70_016, NODE_NETWORK | NODE_WITNESS, "/peer/", 7)
    ]
    assert commands(session) == ["ping", "sendheaders", "feefilter"]


@given(st.lists(st.integers(1, 60)))
def test_two_ends_shake_hands_however_their_words_are_cut(cuts: list[int]) -> None:
    asking, serving = peer_session(), serving_session()
    told, heard = exchange(asking, serving, cuts=cuts)
    assert [type(event) for event in told + heard] == [Ready, Ready]
    assert asking.ready
    assert serving.ready
    assert (asking.score, serving.score, asking.counts, serving.counts) == (0, 0, {}, {})
    assert serving.peer_prefers_headers


def test_every_single_cut_of_the_peers_words_gives_the_same() -> None:
    stream = HANDSHAKE + frame(Ping(5))
    for cut in range(len(stream) + 1):
        session = peer_session()
        events = session.receive_data(stream[:cut], 0.0) + session.receive_data(stream[cut:], 0.0)
        assert len(events) == 1
        assert Pong(5) in said(session)


def test_a_session_that_reaches_itself_closes() -> None:
    session = peer_session()
    session.receive_data(session.data_to_send(), 0.0)
    assert session.closed == "connected to itself: the peer's version carries this end's own nonce"
    serving = serving_session()
    serving.receive_data(frame(version(nonce=PEER_NONCE)), 0.0)
    assert serving.closed == session.closed


def test_the_oldest_version_allowed_is_accepted_and_one_below_is_refused_by_name() -> None:
    for make in (peer_session, serving_session):
        session = make()
        session.receive_data(frame(version(protocol_version=70_012, nonce=1)), 0.0)
        assert is_open(session)
        session = make()
        session.receive_data(frame(version(protocol_version=70_011, nonce=1, user_agent="/old:1/")), 0.0)
        assert session.closed == "/old:1/ speaks protocol version 70011, at least 70012 is needed"


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        (NODE_NETWORK | NODE_WITNESS, None),
        (NODE_NETWORK_LIMITED | NODE_WITNESS, None),
        (NODE_NETWORK, "/peer/ offers services 0x1, 0x8 is missing"),
        (NODE_WITNESS, "/peer/ offers services 0x8: it serves no blocks"),
    ],
)
def test_a_source_has_blocks_and_witness_data(services: int, reason: str | None) -> None:
    session = peer_session()
    session.receive_data(frame(version(services=services)), 0.0)
    assert session.closed == reason


def test_witness_data_is_not_demanded_where_the_chain_has_none() -> None:
    session = peer_session(msgspec.structs.replace(SETTINGS, services_required=0))
    session.receive_data(frame(version(services=NODE_NETWORK)), 0.0)
    assert is_open(session)


def test_the_serving_end_demands_no_services() -> None:
    session = serving_session()
    session.receive_data(frame(version(services=0, nonce=1)), 0.0)
    assert is_open(session)


@pytest.mark.parametrize("command", ["verack", "ping", "headers", "inv", "sendheaders", "unheardof"])
def test_anything_before_version_costs_a_point_and_is_passed_over(command: str) -> None:
    session = peer_session()
    assert session.receive_data(bare(command, bytes(8)), 0.0) == []
    assert (session.score, session.ready, session.counts) == (1, False, {"protocol": 1})


@pytest.mark.parametrize("command", ["ping", "headers", "inv", "unheardof"])
def test_other_things_than_the_handshakes_before_verack_cost_a_point(command: str) -> None:
    session = peer_session()
    session.receive_data(frame(version()) + bare(command, bytes(8)), 0.0)
    assert (session.score, session.ready) == (1, False)


@pytest.mark.parametrize("command", ["wtxidrelay", "sendaddrv2", "sendtxrcncl", "sendheaders"])
def test_offers_between_version_and_verack_are_free(command: str) -> None:
    session = peer_session()
    session.receive_data(frame(version()) + bare(command) + bare("verack"), 0.0)
    assert (session.score, session.ready, session.counts) == (0, True, {})


@pytest.mark.parametrize("command", ["wtxidrelay", "sendaddrv2", "sendtxrcncl"])
def test_offers_that_come_after_verack_close(command: str) -> None:
    session = ready_peer_session()
    session.receive_data(bare(command), 0.0)
    assert session.closed == f"{command} after verack (score 100, limit 100)"


def test_a_second_version_and_a_second_verack_cost_a_point_and_change_nothing() -> None:
    session = ready_peer_session()
    again = frame(version(user_agent="/other/"))
    assert session.receive_data(again + bare("verack"), 0.0) == []
    assert session.score == 2
    assert session.peer_version == version()


def test_a_hundred_misplaced_messages_close_and_no_fewer() -> None:
    session = peer_session()
    session.receive_data(bare("verack") * 99, 0.0)
    assert is_open(session)
    session.receive_data(bare("verack"), 0.0)
    assert session.closed == "verack before version (score 100, limit 100)"


# Keep-alive and timers.


def test_a_handshake_has_until_its_timeout() -> None:
    for session in (peer_session(now=10.0), serving_session(now=10.0)):
        assert session.next_timer() == 70.0
        session.handle_timer(69.999)
        assert is_open(session)
        session.handle_timer(70.0)
        assert session.closed == "no handshake within 60 s"
        assert session.next_timer() is None


def test_a_handshake_that_stops_half_way_runs_out_too() -> None:
    session = peer_session()
    session.receive_data(frame(version()), 59.0)
    session.handle_timer(60.0)
    assert session.closed == "no handshake within 60 s"


def test_pings_follow_each_other_by_the_interval_while_pongs_come() -> None:
    session = peer_session()
    session.receive_data(HANDSHAKE, 0.0)
    nonces = []
    now = 0.0
    for _ in range(3):
        ping = sent_ping(session)
        nonces.append(ping.nonce)
        session.receive_data(frame(Pong(ping.nonce)), now + 0.25)
        assert session.ping_latency_ms == 250.0
        assert session.next_timer() == now + 120.25
        assert session.handle_timer(now + 120.0) == []
        assert commands(session) == []
        now += 120.25
        session.handle_timer(now)
    assert len(set(nonces)) == 3


def test_a_peer_that_answers_no_ping_is_closed_at_the_timeout() -> None:
    session = ready_peer_session(now=5.0)
    assert session.next_timer() == 1_205.0
    session.handle_timer(1_204.9)
    assert is_open(session)
    session.handle_timer(1_205.0)
    assert session.closed == "no pong within 1200 s"


def test_only_the_pong_that_was_asked_for_counts() -> None:
    session = peer_session()
    session.receive_data(HANDSHAKE, 0.0)
    nonce = sent_ping(session).nonce
    session.receive_data(frame(Pong(nonce ^ 1)), 1.0)
    assert (session.ping_latency_ms, session.next_timer(), session.score) == (None, 1_200.0, 0)
    session.receive_data(frame(Pong(nonce)), 2.0)
    assert session.ping_latency_ms == 2_000.0
    session.receive_data(frame(Pong(nonce)), 3.0)
    assert session.ping_latency_ms == 2_000.0
    assert session.counts == {"unwanted": 2}


def test_both_ends_answer_a_ping_with_its_nonce() -> None:
    for session in both_ready():
        session.receive_data(frame(Ping(2**64 - 1)), 0.0)
        assert said(session) == [Pong(2**64 - 1)]


def test_after_a_timer_was_handled_the_next_is_later() -> None:
    for session in (*both_ready(), peer_session(), serving_session()):
        for _ in range(10):
            due = session.next_timer()
            if due is None:
                break
            session.handle_timer(due)
            following = session.next_timer()
            assert following is None or following > due
        assert session.closed is not None


# Score, counts, limits.


def test_points_add_up_and_the_limit_closes_with_the_last_reason() -> None:
    session = ready_peer_session()
    session.penalise(60, "first")
    session.penalise(39, "second")
    assert is_open(session)
    session.penalise(1, "third")
    session.penalise(50, "fourth")
    assert session.closed == "third (score 100, limit 100)"


def test_a_wrong_checksum_is_forgiven_until_the_score_is_full() -> None:
    session = ready_peer_session()
    bad = bare("ping", bytes(8))[:-1] + b"\x01"
    forgiven = 100 // CHECKSUM_PENALTY - 1
    session.receive_data(bad * forgiven + frame(Ping(9)), 0.0)
    assert said(session) == [Pong(9)]
    session.receive_data(bad, 0.0)
    assert session.closed is not None
    assert session.counts == {"checksum": forgiven + 1}


def test_malformed_messages_are_counted_by_kind_and_close() -> None:
    for data, kind in (
        (bare("ping", bytes(7)), "truncated"),
        (bare("ping", bytes(9)), "trailing"),
        (bare("inv", b"\xfd\x01\x00"), "malformed"),
        (bytes(24), "magic"),
    ):
        session = ready_peer_session()
        assert session.receive_data(data, 0.0) == []
        assert session.counts == {kind: 1}
        assert session.closed is not None


@pytest.mark.parametrize(("network", "is_waited_for"), [(REGTEST, False), (litecoin.REGTEST, True)])
def test_a_frame_of_more_than_4_mb_is_waited_for_where_extension_blocks_are(
    network: NetworkParameters, *, is_waited_for: bool
) -> None:
    session = peer_session(network=network)
    claim = network.magic + b"block".ljust(12, b"\0") + (4_000_001).to_bytes(4, "little") + bytes(4)
    session.receive_data(claim, 0.0)
    assert is_open(session) is is_waited_for


def test_unknown_commands_are_counted_under_one_name_and_cost_nothing() -> None:
    for session in both_ready():
        session.receive_data(bare("one") + bare("two", b"x") + bare("three"), 0.0)
        assert (session.counts, session.score) == ({"unknown": 3}, 0)


def test_a_closed_session_hears_and_says_nothing() -> None:
    session = ready_peer_session()
    session.request_headers([REGTEST.genesis_hash], 0.0)
    session.close("enough")
    assert session.receive_data(frame(Ping(1)), 0.0) == []
    session.request_headers([], 0.0)
    session.request_blocks([bytes(32)], 0.0)
    assert (session.data_to_send(), session.next_timer(), session.handle_timer(1e9)) == (b"", None, [])
    assert session.closed == "enough"


def test_what_came_before_the_fault_is_heard_and_what_came_after_is_not() -> None:
    session = peer_session()
    events = session.receive_data(HANDSHAKE + bare("ping") + frame(Ping(3)), 0.0)
    assert [type(event) for event in events] == [Ready]
    assert session.closed is not None


def test_a_peer_that_asks_and_does_not_read_is_closed_at_the_limit() -> None:
    pong = len(frame(Pong(0)))
    session = ready_peer_session(msgspec.structs.replace(SETTINGS, output_bytes_max=10 * pong))
    session.receive_data(frame(Ping(1)) * 10, 0.0)
    assert is_open(session)
    session.receive_data(frame(Ping(1)), 0.0)
    assert session.closed == f"{11 * pong} bytes wait for a peer that does not read them, limit {10 * pong}"


def test_reading_frees_what_waits() -> None:
    pong = len(frame(Pong(0)))
    session = ready_peer_session(msgspec.structs.replace(SETTINGS, output_bytes_max=10 * pong))
    for _ in range(5):
        session.receive_data(frame(Ping(1)) * 10, 0.0)
        assert len(said(session)) == 10
    assert is_open(session)


def test_state_stands_in_the_repr() -> None:
    session = peer_session()
    assert repr(session) == "PeerSession(bitcoin-regtest, handshake, score=0)"
    session.receive_data(HANDSHAKE, 0.0)
    assert repr(session) == "PeerSession(bitcoin-regtest, ready, score=0)"
    session.close("why")
    assert repr(session) == "PeerSession(bitcoin-regtest, why, score=0)"


def test_a_session_run_again_with_the_same_arguments_says_the_same_bytes() -> None:
    def run() -> bytes:
        session = PeerSession(REGTEST, SessionSettings(), nonce=7, now=1.0)
        session.receive_data(HANDSHAKE, 2.0)
        session.request_blocks([sha256d(make_headers(1)[0])], 3.0)
        return session.data_to_send()

    assert run() == run()
