"""Breakers that are served on a free port, and watchers of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from sprint.core.breaker.policy import BackoffPolicy, Policy
from sprint.tools.breaker import BreakerRegistry
from sprint.tools.breaker_api.endpoints import BreakerEndpoints
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.net import bind
from sprint.tools.web.guard import Guard
from sprint.tools.web.router import Router, Site
from sprint.tools.web.server import Listener, serve

POLICIES = {
    "source": Policy(
        name="source", failures_to_open=2, half_open_calls=1, backoff=BackoffPolicy(base_s=60.0)
    ),
    "store": Policy(name="store"),
}
ALICE = "source:litecoin-regtest:alice"
BODY_SIZE_MAX = 16 * 1024
MESSAGES_MAX = 500


class Served:
    """A registry with two breakers, its feed, and a client to what serves them."""

    def __init__(self, registry: BreakerRegistry, feed: BreakerFeed, listener: Listener) -> None:
        self.registry = registry
        self.feed = feed
        self.listener = listener
        self.alice = registry.get(ALICE, "source")
        self.client = httpx.AsyncClient(base_url=listener.url, trust_env=False, timeout=10)

    @contextlib.asynccontextmanager
    async def watching(self, **options: Any) -> AsyncIterator[ClientConnection]:
        url = f"ws://127.0.0.1:{self.listener.port}/ws"
        async with connect(url, proxy=None, **options) as connection:
            yield connection


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Served]:
    registry = BreakerRegistry(POLICIES)
    registry.get("store", "store")
    feed = BreakerFeed(registry)
    router = Router()
    BreakerEndpoints(feed).add_to(router)
    bound = bind("127.0.0.1", 0)
    site = Site(router, Guard(bound.getsockname()[1], body_size_max=BODY_SIZE_MAX), connections_max=200)
    listener = await serve(site, bound)
    feed.start()
    made = Served(registry, feed, listener)
    try:
        yield made
    finally:
        feed.stop()
        await made.client.aclose()
        await listener.stop()


async def received(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a kind; each other one on the way is read."""
    for _ in range(MESSAGES_MAX):
        message: dict[str, Any] = msgspec.json.decode(await asyncio.wait_for(connection.recv(), 10))
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind} in {MESSAGES_MAX} messages")


def fail(served: Served, times: int = 2) -> None:
    for _ in range(times):
        served.alice.admit().failure()
