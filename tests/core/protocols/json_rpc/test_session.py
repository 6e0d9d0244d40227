"""A session hears of tips and gives what is asked; what a node answers falsely is said, and paid for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from sprint.core.chains import display_hash
from sprint.core.protocols.announcements import (
    BlockArrived,
    BodiesNotFound,
    HashesAnnounced,
    HeadersAnnounced,
)
from sprint.core.protocols.json_rpc.lane import Lane, Ready
from sprint.core.protocols.json_rpc.session import RpcSession
from tests.core.protocols.json_rpc.model_node import GENESIS, ModelNode, exchange
from tests.core.protocols.json_rpc.sessions import (
    LIMITS,
    awaited,
    method_of,
    new_session,
    ready_session,
    sent,
)


def test_a_node_of_the_chain_is_ready_and_says_what_it_is() -> None:
    node = ModelNode()
    node.mine(7)
    session = new_session()
    assert exchange(session, node, Lane.TIP, 0.0) == [Ready("/Model:1/", 7)]
    assert (session.ready, session.closed, session.user_agent, session.height) == (True, None, "/Model:1/", 7)


@pytest.mark.parametrize(
    ("genesis", "said"),
    [(b"\7" * 32, "(sevencoin), not at the genesis of bitcoin-regtest"), (b"\1" * 32, "0101, not at the")],
)
def test_a_node_of_another_chain_is_refused_by_name(genesis: bytes, said: str) -> None:
    node = ModelNode()
    node.spoil["getblockhash"] = lambda _: display_hash(genesis)
    session = new_session()
    assert exchange(session, node, Lane.TIP, 0.0) == []
    assert session.closed is not None
    assert said in session.closed
    assert session.score == 0


def test_nothing_is_asked_before_the_node_is_known() -> None:
    session = new_session()
    session.request_headers([GENESIS])
    session.request_blocks([GENESIS], 0.0)
    assert session.data_to_send(Lane.HEADERS, 0.0) is None
    assert session.data_to_send(Lane.BODIES, 0.0) is None
    assert method_of(sent(session, Lane.TIP, 0.0)) == "getblockchaininfo"


def test_a_new_tip_is_announced_and_its_header_and_body_come_side_by_side() -> None:
    node = ModelNode()
    session = ready_session(node)
    wait = sent(session, Lane.TIP, 1.0)
    assert method_of(wait) == "waitforblockheight"
    (tip,) = node.mine()
    told = session.receive_answer(Lane.TIP, 200, node.answer(wait.body), 5.0)
    assert told == [HashesAnnounced("n", (tip,), 5.0)]
    session.request_headers([GENESIS])
    session.request_blocks([tip], 5.0)
    lanes = {lane: method_of(sent(session, lane, 5.0)) for lane in Lane}
    assert lanes == {
        Lane.TIP: "waitforblockheight",
        Lane.HEADERS: "getblockheader",
        Lane.BODIES: "getblock",
    }


def test_headers_and_bodies_are_what_the_node_has() -> None:
    node = ModelNode()
    hashes = node.mine(4)
    session = ready_session(node)
    session.request_headers([hashes[0], GENESIS])
    assert exchange(session, node, Lane.HEADERS, 1.0) == [
        HeadersAnnounced("n", tuple(node.headers_above(1)), 1.0)
    ]
    session.request_blocks([*hashes, b"\7" * 32], 1.0)
    assert awaited(session) == 1.0
    arrived: list[object] = []
    while awaited(session) is not None:
        arrived += exchange(session, node, Lane.BODIES, 2.0)
    assert arrived == [
        *(BlockArrived("n", node.blocks[each], 2.0) for each in hashes),
        BodiesNotFound("n", (b"\7" * 32,), 2.0),
    ]
    assert session.score == 0


def test_of_requests_for_headers_made_meanwhile_the_last_one_is_asked() -> None:
    node = ModelNode()
    node.mine(3)
    session = ready_session(node)
    session.request_headers([GENESIS])
    request = sent(session, Lane.HEADERS, 0.0)
    session.request_headers([b"\1" * 32])
    session.request_headers([node.branch[2], GENESIS])
    told = session.receive_answer(Lane.HEADERS, 200, node.answer(request.body), 0.0)
    told = told or exchange(session, node, Lane.HEADERS, 0.0)
    assert told == [HeadersAnnounced("n", tuple(node.headers_above(0)), 0.0)]
    assert exchange(session, node, Lane.HEADERS, 0.0) == [
        HeadersAnnounced("n", tuple(node.headers_above(2)), 0.0)
    ]
    assert session.data_to_send(Lane.HEADERS, 0.0) is None


def no_such_call(node: ModelNode, session: RpcSession, now: float) -> None:
    node.refuse["waitforblockheight"] = -32601
    exchange(session, node, Lane.TIP, now)


def forbidden(node: ModelNode, session: RpcSession, now: float) -> None:
    sent(session, Lane.TIP, now)
    assert session.receive_answer(Lane.TIP, 403, b"", now) == []


@pytest.mark.parametrize("refuse", [no_such_call, forbidden])
def test_a_node_that_cannot_wait_is_looked_at_within_bounds(
    refuse: Callable[[ModelNode, RpcSession, float], None],
) -> None:
    node = ModelNode()
    session = ready_session(node)
    refuse(node, session, 1.0)
    assert not session.waits
    assert exchange(session, node, Lane.TIP, 1.0) == []
    due = session.next_timer()
    assert due is not None
    assert due == 1.0 + LIMITS.poll_interval_s_max
    assert session.data_to_send(Lane.TIP, due - 0.01) is None
    (tip,) = node.mine()
    assert exchange(session, node, Lane.TIP, due) == [HashesAnnounced("n", (tip,), due)]
    looked_at = []
    for _ in range(200):  # each look finds a new block, so it is looked at more and more often
        looked_at.append(session.next_timer() or 0.0)
        node.mine()
        assert exchange(session, node, Lane.TIP, looked_at[-1])
    waits = [later - earlier for earlier, later in pairwise(looked_at)]
    assert max(waits) <= LIMITS.poll_interval_s_max + 1e-9
    assert waits[-1] == pytest.approx(LIMITS.poll_interval_s_min)


def test_a_wait_that_waits_for_nothing_is_not_repeated_at_once() -> None:
    node = ModelNode()
    session = ready_session(node)
    assert session.receive_answer(Lane.TIP, 200, node.answer(sent(session, Lane.TIP, 1.0).body), 1.1) == []
    assert session.data_to_send(Lane.TIP, 1.1) is None
    due = session.next_timer()
    assert due == 1.1 + LIMITS.poll_interval_s_max
    sent(session, Lane.TIP, due)


def test_a_wait_that_took_its_time_is_repeated_at_once() -> None:
    node = ModelNode()
    session = ready_session(node)
    request = sent(session, Lane.TIP, 1.0)
    assert session.receive_answer(Lane.TIP, 200, node.answer(request.body), 1.0 + LIMITS.wait_s) == []
    sent(session, Lane.TIP, 1.0 + LIMITS.wait_s)


def test_tips_that_come_in_a_flood_are_asked_for_no_faster_than_the_bound() -> None:
    node = ModelNode()
    session = ready_session(node)
    asked, now = 0, 1.0
    while now < 2.0:
        node.mine()
        request = session.data_to_send(Lane.TIP, now)
        if request is not None:
            asked += 1
            session.receive_answer(Lane.TIP, 200, node.answer(request.body), now)
        now += 0.000_5
    assert asked <= 1 / LIMITS.tip_interval_s_min + 1
