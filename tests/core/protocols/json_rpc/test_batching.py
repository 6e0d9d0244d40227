"""A node that refuses batches is asked in smaller requests, and gives what one that takes them does."""

from __future__ import annotations

import json

import pytest

from sprint.core.protocols.announcements import BlockArrived, HashesAnnounced, HeadersAnnounced
from sprint.core.protocols.json_rpc.batching import SMALL_BATCH_CALLS_MAX
from sprint.core.protocols.json_rpc.lane import Lane, Ready, RpcEvent
from sprint.core.protocols.json_rpc.session import RpcSession
from tests.core.protocols.json_rpc.model_node import GENESIS, ModelNode, exchange
from tests.core.protocols.json_rpc.sessions import ended, new_session, ready_session, sent

REFUSALS = [
    (400, b""),
    (403, b"forbidden"),
    (405, b"<html>"),
    (413, b""),
    (500, b"<html>"),
    (200, b'{"error":{"code":-32600,"message":"no batches"},"id":null}'),
    (404, b'{"error":{"code":-32601,"message":"no batches"},"id":null}'),
    (200, b'{"error":"no batches"}'),
    (200, b'[{"error":{"code":-32600,"message":"no batches"},"id":null}]'),
    (200, b'{"result":null}'),
]


def followed(session: RpcSession, node: ModelNode) -> list[object]:
    """What a session tells of a node's chain: its tip, its headers, its bodies."""
    told: list[object] = []
    session.request_headers([GENESIS])
    told += exchange(session, node, Lane.HEADERS, 1.0)
    session.request_blocks(node.branch[1:], 1.0)
    for _ in node.branch[1:]:
        told += exchange(session, node, Lane.BODIES, 1.0)
    node.mine()
    return told + exchange(session, node, Lane.TIP, 20.0)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_node_that_takes_no_batch_gives_all_that_another_does(refusal: tuple[int, bytes]) -> None:
    node = ModelNode()
    node.mine(5)
    node.batch_calls_max, node.batch_refusal = 0, refusal
    session = ready_session(node)
    assert session.batching.single
    told = followed(session, node)
    assert [type(each) for each in told] == [HeadersAnnounced, *[BlockArrived] * 5, HashesAnnounced]
    assert isinstance(told[0], HeadersAnnounced)
    assert told[0].headers == tuple(node.headers_above(0)[:5])
    assert (session.counts, session.score, ended(session)) == ({"batch_refused": 1}, 0, None)
    assert "each call is asked alone, which is slower" in session.batching.note


def test_a_node_that_takes_small_batches_is_asked_in_such() -> None:
    node = ModelNode()
    node.mine(3 * SMALL_BATCH_CALLS_MAX)
    session = ready_session(node)
    assert session.batching.note == ""
    node.batch_calls_max = SMALL_BATCH_CALLS_MAX
    told = followed(session, node)
    assert isinstance(told[0], HeadersAnnounced)
    assert len(told[0].headers) == 3 * SMALL_BATCH_CALLS_MAX
    assert session.batching.note.endswith(
        f"at most {SMALL_BATCH_CALLS_MAX} are asked at once, which is slower"
    )


def test_a_node_that_refuses_small_batches_too_is_asked_call_by_call() -> None:
    node = ModelNode()
    node.mine(2 * SMALL_BATCH_CALLS_MAX)
    session = ready_session(node)
    node.batch_calls_max = 1
    told = followed(session, node)
    assert isinstance(told[0], HeadersAnnounced)
    assert len(told[0].headers) == 2 * SMALL_BATCH_CALLS_MAX
    assert session.counts == {"batch_refused": 2}


def test_a_login_that_is_kept_from_a_call_that_is_not_needed_is_enough() -> None:
    """A node that keeps a login to a list refuses the whole batch for one call that is not on it."""
    node = ModelNode()
    node.batch_calls_max, node.batch_refusal = 1, (403, b"")
    session = new_session()
    told: list[RpcEvent] = []
    while not told:
        request = sent(session, Lane.TIP, 0.0)
        kept = b"getnetworkinfo" in request.body
        told = session.receive_answer(Lane.TIP, *((403, b"") if kept else node.respond(request.body)), 0.0)
    assert told == [Ready("", 0)]


def test_a_refusal_of_the_calls_themselves_ends_the_session() -> None:
    session = new_session()
    assert isinstance(json.loads(sent(session, Lane.TIP, 0.0).body), list)
    refusal = b'{"error":{"code":-32600,"message":"never"},"id":null}'
    session.receive_answer(Lane.TIP, 200, refusal, 0.0)
    for _ in range(3):
        assert isinstance(json.loads(sent(session, Lane.TIP, 0.0).body), dict)
        session.receive_answer(Lane.TIP, 200, refusal, 0.0)
    assert "never (-32600)" in (session.closed or "")
    assert session.counts == {"batch_refused": 1}


def test_no_other_refusal_is_taken_for_one_of_batches() -> None:
    for status in (401, 404, 429, 502, 503, 504):
        session = new_session()
        sent(session, Lane.TIP, 0.0)
        session.receive_answer(Lane.TIP, status, b"", 0.0)
        assert session.batching.note == ""
