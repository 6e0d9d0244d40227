"""A node that syncs answers over JSON-RPC all the same; that is said of it, until it has synced."""

from __future__ import annotations

from typing import Any

import pytest

from sprint.core.protocols.json_rpc.initial_download import ASK_AGAIN_S
from sprint.core.protocols.json_rpc.lane import Lane
from tests.core.protocols.json_rpc.model_node import ModelNode, exchange
from tests.core.protocols.json_rpc.sessions import method_of, ready_session, sent


def syncing_node(headers: int = 0) -> ModelNode:
    node = ModelNode()

    def says(info: dict[str, Any]) -> dict[str, Any]:
        return info | {"initialblockdownload": True, "headers": headers}

    node.spoil["getblockchaininfo"] = says
    return node


@pytest.mark.parametrize(
    ("mined", "headers", "words"),
    [(0, 0, "has only its genesis block (init"), (3, 900, "at height 3 of 900 (init"), (3, 3, "height 3 (i")],
)
def test_a_node_that_syncs_is_usable_with_a_note(mined: int, headers: int, words: str) -> None:
    node = syncing_node(headers)
    node.mine(mined)
    session = ready_session(node)
    assert session.ready
    assert words in session.sync.note


def test_it_is_asked_again_by_and_by_until_it_has_synced_and_then_no_more() -> None:
    node = syncing_node()
    session = ready_session(node)
    assert method_of(sent(session, Lane.TIP, ASK_AGAIN_S - 1.0)) == "waitforblockheight"
    session = ready_session(node)
    assert method_of(sent(session, Lane.TIP, ASK_AGAIN_S)) == "getblockchaininfo"
    session = ready_session(node)
    node.spoil.clear()
    exchange(session, node, Lane.TIP, ASK_AGAIN_S)
    assert session.sync.note == ""
    session.connection_lost(Lane.TIP, "closed")
    assert method_of(sent(session, Lane.TIP, 10 * ASK_AGAIN_S)) == "waitforblockheight"


def test_a_node_that_does_not_say_is_taken_to_have_synced() -> None:
    """Bcoin's answer has no such field."""
    assert ready_session(ModelNode()).sync.note == ""
