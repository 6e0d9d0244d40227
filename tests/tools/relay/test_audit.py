"""Each order on the admin listener is told of, done or refused, with who, what and why; reading is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from sprint.core.errors import RequestError
from sprint.tools.relay.audit import AuditedRouter, OrderGiven
from sprint.tools.web.router import Request, Response

PATH = "/api/sources/{chain}/{name}/state"


async def obey(request: Request) -> Response:
    fields = await request.json_object()
    if fields.get("action") == "refused":
        raise RequestError("bad_query", "action: 'refused'\nis none")
    if fields.get("action") == "broken":
        raise RuntimeError("a mistake of ours")
    return Response(b"{}")


def order(method: str, path: str, body: Any = None) -> list[OrderGiven]:
    told: list[OrderGiven] = []
    router = AuditedRouter(told.append)
    for pattern in (PATH, "/devnet/mine"):
        for each in ("GET", "POST"):
            router.add(each, pattern, obey)

    async def receive() -> Mapping[str, Any]:
        return {
            "type": "http.request",
            "body": body if isinstance(body, bytes) else msgspec.json.encode(body),
        }

    handler, parameters = router.find(method, path)
    scope = {"method": method, "path": path, "query_string": b"reason=asked", "client": ("127.0.0.1", 5)}

    async def give() -> None:
        await handler(Request(scope, parameters, receive))

    try:
        asyncio.run(give())
    except (RequestError, RuntimeError):
        assert told, "an order that failed is told of too"
    return told


def test_an_order_is_told_with_who_what_and_why() -> None:
    (told,) = order("POST", "/api/sources/bitcoin/n/state", {"action": "pause", "reason": "upgrade"})
    assert (told.actor, told.client, told.action) == ("operator via admin API", "127.0.0.1", "pause")
    assert (told.target, told.reason) == ("/api/sources/bitcoin/n/state", "upgrade")
    assert (told.status, told.outcome) == (200, "done")


@pytest.mark.parametrize(
    ("action", "status", "outcome"), [("refused", 400, "is none"), ("broken", 500, "mistake")]
)
def test_one_that_is_refused_or_fails_is_told_with_why(action: str, status: int, outcome: str) -> None:
    (told,) = order("POST", "/api/sources/bitcoin/n/state", {"action": action})
    assert told.status == status
    assert outcome in told.outcome
    assert told.outcome.isprintable()


def test_a_body_that_is_none_is_told_of_by_its_method_and_query() -> None:
    (told,) = order("POST", "/api/sources/bitcoin/n/state", b"\x00{")
    assert (told.action, told.reason, told.status) == ("POST", "asked", 400)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/sources/bitcoin/n/state"), ("POST", "/devnet/mine")]
)
def test_reading_and_the_devnet_are_not_told_of(method: str, path: str) -> None:
    assert order(method, path, {}) == []
