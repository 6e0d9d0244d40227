"""Sessions for tests, and what they ask as it is now."""

from __future__ import annotations

import json

from sprint.core.protocols.json_rpc.lane import Lane, Ready, RpcRequest
from sprint.core.protocols.json_rpc.session import RpcSession
from sprint.core.protocols.json_rpc.settings import RpcSettings
from tests.core.protocols.json_rpc.model_node import REGTEST, ModelNode, exchange

LIMITS = RpcSettings()


def new_session(settings: RpcSettings = LIMITS) -> RpcSession:
    return RpcSession(REGTEST, settings, source="n", now=0.0, owner_of={b"\7" * 32: "sevencoin"}.get)


def ready_session(node: ModelNode, settings: RpcSettings = LIMITS) -> RpcSession:
    session = new_session(settings)
    assert [type(event) for event in exchange(session, node, Lane.TIP, 0.0)] == [Ready]
    return session


def ended(session: RpcSession) -> str | None:
    """Why it is closed, as it is now: a type checker takes an attribute for unchanged."""
    return session.closed


def awaited(session: RpcSession) -> float | None:
    return session.oldest_request_at


def sent(session: RpcSession, lane: Lane, now: float) -> RpcRequest:
    request = session.data_to_send(lane, now)
    assert request is not None
    return request


def method_of(request: RpcRequest) -> str:
    asked = json.loads(request.body)
    return str((asked if isinstance(asked, dict) else asked[0])["method"])
