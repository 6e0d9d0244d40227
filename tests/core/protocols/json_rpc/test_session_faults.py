"""What a node refuses is said in words; what it answers falsely is counted by kind and paid for."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import display_hash
from sprint.core.kernels import sha256d
from sprint.core.protocols.announcements import (
    BodiesNotFound,
)
from sprint.core.protocols.json_rpc.lane import Lane, RpcRequest
from sprint.core.protocols.json_rpc.settings import RpcSettings
from tests.core.protocols.json_rpc.model_node import GENESIS, ModelNode, exchange
from tests.core.protocols.json_rpc.sessions import (
    LIMITS,
    ended,
    method_of,
    new_session,
    ready_session,
    sent,
)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "the node refuses the login (401): look at cookie_file"),
        (403, "allow it with -rpcallowip"),
        (404, "is it the RPC port of a full node?"),
        (405, "is it the RPC port of a full node?"),
        (418, "HTTP status 418 instead of an answer"),
        (500, "HTTP status 500 instead of an answer"),
    ],
)
def test_a_refusal_by_status_is_said_in_words(status: int, said: str) -> None:
    session = new_session()
    asked = 0
    while ended(session) is None:
        asked += 1
        sent(session, Lane.TIP, 0.0)
        session.receive_answer(Lane.TIP, status, b"<html>", 0.0)
    # It may be of the batch: then the first of its calls is asked alone.
    assert asked == {403: 2, 405: 2, 500: 2}.get(status, 1)
    assert session.closed is not None
    assert said in session.closed
    assert session.score == 0


def test_a_refusal_in_json_under_another_status_is_read() -> None:
    session = new_session()
    sent(session, Lane.TIP, 0.0)
    error = b'{"result":null,"error":{"code":-28,"message":"Loading block index..."},"id":1}'
    body = b"[%b,%b,%b]" % (error, error.replace(b":1}", b":2}"), error.replace(b":1}", b":3}"))
    session.receive_answer(Lane.TIP, 500, body, 0.0)
    assert session.closed is not None
    assert session.closed.startswith("the node is starting")
    assert "Loading block index..." in session.closed


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_node_is_asked_again_more_and_more_slowly_then_given_up(status: int) -> None:
    node = ModelNode()
    session = ready_session(node)
    session.request_headers([GENESIS])
    now, waits = 0.0, []
    sent(session, Lane.TIP, now)
    for _ in range(LIMITS.busy_max):
        sent(session, Lane.HEADERS, now)
        session.receive_answer(Lane.HEADERS, status, b"", now)
        assert session.data_to_send(Lane.HEADERS, now) is None
        due = session.next_timer()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [min(0.5 * 2**n, LIMITS.busy_wait_s_max) for n in range(LIMITS.busy_max)]
    assert session.counts == {"busy": LIMITS.busy_max}
    sent(session, Lane.HEADERS, now)
    session.receive_answer(Lane.HEADERS, status, b"", now)
    assert session.closed is not None
    assert f"({status})" in session.closed
    assert session.score == 0


def test_one_good_answer_forgives_a_busy_node() -> None:
    node = ModelNode()
    session = ready_session(node)
    for round_number in range(LIMITS.busy_max * 2):
        now = round_number * 100.0
        session.request_headers([GENESIS])
        sent(session, Lane.HEADERS, now)
        session.receive_answer(Lane.HEADERS, 503, b"", now)
        assert exchange(session, node, Lane.HEADERS, now + 50.0)
    assert session.closed is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", "malformed"), (b"[]", "truncated"), (b"[" * 500, "nested"), (b'[{"id":-1}]', "mismatched")],
)
def test_an_answer_that_is_none_is_counted_by_kind_asked_again_and_the_fourth_closes(
    body: bytes, kind: str
) -> None:
    node = ModelNode()
    session = ready_session(node)
    session.request_blocks([GENESIS], 0.0)
    for number in range(1, 5):
        assert session.closed is None
        sent(session, Lane.BODIES, 0.0)
        assert session.receive_answer(Lane.BODIES, 200, body, 0.0) == []
        assert session.counts == {kind: number}
    assert session.closed is not None
    assert "score 100, limit 100" in session.closed


def test_the_bytes_of_another_block_close_the_session() -> None:
    node = ModelNode()
    first, second = node.mine(2)
    session = ready_session(node)
    node.spoil["getblock"] = lambda _: node.blocks[second].hex()
    session.request_blocks([first], 0.0)
    assert exchange(session, node, Lane.BODIES, 0.0) == []
    assert session.counts == {"mismatched": 1}
    assert session.closed is not None


def test_bodies_that_are_no_hex_are_said_not_to_be_had_here() -> None:
    node = ModelNode()
    (block_hash,) = node.mine()
    session = ready_session(node)
    node.spoil["getblock"] = lambda _: "zz"
    session.request_blocks([block_hash], 0.0)
    assert exchange(session, node, Lane.BODIES, 0.0) == [BodiesNotFound("n", (block_hash,), 0.0)]
    assert session.oldest_request_at is None
    assert session.score == 25


def renamed(name: str) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda tip: tip | {"hash": name}


def test_a_node_that_names_tips_it_does_not_have_is_closed() -> None:
    node = ModelNode()
    session = ready_session(node)
    now = 0.0
    for number in range(1, 11):
        now += 1.0
        name = display_hash(sha256d(bytes([number])))
        node.spoil["waitforblockheight"] = renamed(name)
        assert exchange(session, node, Lane.TIP, now)
        session.request_headers([GENESIS])
        while session.closed is None and not exchange(session, node, Lane.HEADERS, now):
            now += LIMITS.poll_interval_s_min
    assert session.counts == {"unbacked": 10}
    assert session.closed is not None


def test_a_lost_connection_is_made_up_for_and_the_third_over_one_request_closes() -> None:
    node = ModelNode()
    session = ready_session(node)
    session.connection_lost(Lane.HEADERS, "closed while idle")
    session.request_headers([GENESIS])
    for _ in range(LIMITS.lost_max):
        sent(session, Lane.HEADERS, 0.0)
        session.connection_lost(Lane.HEADERS, "reset")
        assert session.closed is None
    sent(session, Lane.HEADERS, 0.0)
    session.connection_lost(Lane.HEADERS, "reset")
    assert session.closed == "reset (3 times over getbestblockhash)"
    assert session.score == 0


def test_a_port_that_hangs_up_before_the_greeting_may_be_another_one() -> None:
    session = new_session()
    for _ in range(LIMITS.lost_max + 1):
        sent(session, Lane.TIP, 0.0)
        session.connection_lost(Lane.TIP, "closed")
    assert session.closed == "closed (3 times over getblockchaininfo): is the port the RPC one?"


def test_bytes_that_are_no_http_cost_points() -> None:
    session = ready_session(ModelNode())
    session.connection_lost(Lane.TIP, "no HTTP", malformed=True)
    assert (session.counts, session.score) == ({"http": 1}, 25)


def test_bodies_are_asked_for_together_while_they_are_small() -> None:
    node = ModelNode()
    small = node.mine(40, body_size=100)
    session = ready_session(node)
    session.request_blocks(small, 0.0)
    sizes = []
    while session.oldest_request_at is not None:
        request = sent(session, Lane.BODIES, 0.0)
        sizes.append(len(json.loads(request.body)))
        session.receive_answer(Lane.BODIES, 200, node.answer(request.body), 0.0)
    assert sizes[0] == 1
    assert max(sizes) == LIMITS.bodies_max
    large = node.mine(3, body_size=LIMITS.bodies_size_wanted)
    session.request_blocks(large[:1], 0.0)
    assert exchange(session, node, Lane.BODIES, 0.0)
    session.request_blocks(large[1:], 0.0)
    assert len(json.loads(sent(session, Lane.BODIES, 0.0).body)) == 1


def test_bodies_larger_together_than_an_answer_may_be_are_asked_for_alone() -> None:
    node = ModelNode()
    hashes = node.mine(20)
    session = ready_session(node)
    session.request_blocks(hashes, 0.0)
    while len(json.loads((request := sent(session, Lane.BODIES, 0.0)).body)) == 1:
        session.receive_answer(Lane.BODIES, 200, node.answer(request.body), 0.0)
    assert session.answer_too_large(Lane.BODIES, request.answer_size_max + 1, 0.0) == []
    assert session.score == 0
    (alone,) = json.loads((request := sent(session, Lane.BODIES, 0.0)).body)
    (told,) = session.answer_too_large(Lane.BODIES, request.answer_size_max + 1, 0.0)
    assert isinstance(told, BodiesNotFound)
    assert [display_hash(each) for each in told.hashes] == [alone["params"][0]]
    assert session.counts == {"oversized": 1}


def test_the_oldest_requests_for_bodies_are_forgotten_beyond_the_limit() -> None:
    session = ready_session(ModelNode(), RpcSettings(bodies_waiting_max=3))
    session.request_blocks([bytes([n]) * 32 for n in range(4)], 0.0)
    asked = json.loads(sent(session, Lane.BODIES, 0.0).body)[0]["params"][0]
    assert asked == "01" * 32


def test_an_answer_that_does_not_come_closes_the_session_and_time_that_stood_still_does_not_count() -> None:
    session = ready_session(ModelNode())
    session.request_blocks([GENESIS], 0.0)
    sent(session, Lane.TIP, 0.0)
    sent(session, Lane.BODIES, 0.0)
    assert session.next_timer() == LIMITS.answer_timeout_s
    session.stood_still(5.0)
    assert session.next_timer() == LIMITS.answer_timeout_s + 5.0
    session.handle_timer(LIMITS.answer_timeout_s)
    assert ended(session) is None
    session.handle_timer(LIMITS.answer_timeout_s + 5.0)
    assert ended(session) == "no answer to getblock within 30 s"
    assert session.next_timer() is None
    assert session.data_to_send(Lane.TIP, 100.0) is None


def test_a_wait_for_a_tip_has_its_own_time_on_top() -> None:
    session = ready_session(ModelNode())
    sent(session, Lane.TIP, 0.0)
    assert session.next_timer() == LIMITS.answer_timeout_s + LIMITS.wait_s


def test_where_a_wait_keeps_the_node_from_answering_it_is_looked_at_instead() -> None:
    """As with -rpcthreads=1, or with as many relays as the node has threads."""
    node = ModelNode()
    session = ready_session(node)
    wait = sent(session, Lane.TIP, 0.0)
    session.request_headers([GENESIS])
    sent(session, Lane.HEADERS, 1.0)
    assert session.next_timer() == 1.0 + LIMITS.starved_s
    session.handle_timer(1.0 + LIMITS.starved_s)
    assert (session.waits, session.counts, session.score) == (False, {"starved": 1}, 0)
    assert session.next_timer() == 1.0 + LIMITS.answer_timeout_s
    session.receive_answer(Lane.TIP, 200, node.answer(wait.body), LIMITS.wait_s)
    session.handle_timer(LIMITS.wait_s)
    assert method_of(sent(session, Lane.TIP, 2 * LIMITS.wait_s)) == "getbestblockhash"


# A cut of a few seconds looked like it, and the node was polled for as long as the connection held.
def test_a_node_that_seemed_starved_is_waited_for_again_by_and_by_and_each_time_later() -> None:
    node = ModelNode()
    session = ready_session(node)
    now = 0.0
    for pause_s in (LIMITS.starved_again_s_first, 2 * LIMITS.starved_again_s_first):
        wait = sent(session, Lane.TIP, now)
        assert method_of(wait) == "waitforblockheight"
        session.request_headers([GENESIS])
        headers = sent(session, Lane.HEADERS, now)
        now += LIMITS.starved_s
        session.handle_timer(now)
        session.receive_answer(Lane.TIP, 200, node.answer(wait.body), now)
        session.receive_answer(Lane.HEADERS, 200, node.answer(headers.body), now)
        looked = sent(session, Lane.TIP, now + pause_s - 1.0)
        assert method_of(looked) == "getbestblockhash"
        session.receive_answer(Lane.TIP, 200, node.answer(looked.body), now + pause_s - 1.0)
        now += pause_s
    assert method_of(sent(session, Lane.TIP, now)) == "waitforblockheight"


def test_a_wait_that_has_just_begun_has_starved_nobody() -> None:
    """A slow answer to a request made before it is not its doing: the timer fired without end over it."""
    node = ModelNode()
    session = ready_session(node)
    session.request_headers([GENESIS])
    sent(session, Lane.HEADERS, 0.0)
    sent(session, Lane.TIP, 10.0)
    session.handle_timer(10.0)
    assert session.waits
    assert session.next_timer() == 10.0 + LIMITS.starved_s


def test_a_session_is_closed_by_its_score_and_keeps_the_first_reason() -> None:
    session = ready_session(ModelNode())
    session.penalise(99, "a small thing")
    assert session.closed is None
    session.penalise(1, "merkle_root: false")
    session.close("another")
    assert session.closed == "merkle_root: false (score 100, limit 100)"


def test_an_answer_may_be_as_large_as_a_block_in_hex() -> None:
    request = sent(new_session(), Lane.TIP, 0.0)
    assert request.answer_size_max == 2 * 4_000_000 + LIMITS.answer_overhead_size


@settings(max_examples=200)
@given(st.data())
def test_no_answer_makes_a_session_raise_or_ask_without_end(data: st.DataObject) -> None:
    node = ModelNode()
    node.mine(3)
    session = new_session()
    under_way: dict[Lane, RpcRequest] = {}
    now = 0.0
    for _ in range(data.draw(st.integers(1, 30))):
        lane = data.draw(st.sampled_from(list(Lane)))
        session.request_headers([node.branch[1], GENESIS])
        session.request_blocks(node.branch[1:], now)
        request = under_way.pop(lane, None)
        if request is not None:
            good = node.answer(request.body)
            cut = data.draw(st.integers(0, len(good)))
            body = data.draw(
                st.sampled_from([good, good, good, good[:cut], good[cut:], good.replace(b'"', b"0", 3)])
                | st.binary(max_size=20)
            )
            status = data.draw(st.sampled_from([200, 200, 200, 401, 403, 404, 500, 503]))
            session.receive_answer(lane, status, body, now)
        now += data.draw(st.sampled_from([0.0, 0.001, 1.0]))
        session.handle_timer(now)
        for each in Lane:
            asked = session.data_to_send(each, now)
            if asked is not None:
                under_way[each] = asked
        # What is due is later than now, or the edge's timer would fire without end.
        due = session.next_timer()
        assert session.closed is not None if due is None else due > now
