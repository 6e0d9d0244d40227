"""A relay's admin listener without the relay: real breakers, served as a relay serves them, that can be lost.

async with RelayStandIn() as relay:
    relay.fail()                  # alice opens
    await relay.stop(); await relay.start(anew=True)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import msgspec

from sprint.core.breaker.policy import BackoffPolicy, Policy
from sprint.core.monitor.board import Key
from sprint.tools.breaker import BreakerRegistry
from sprint.tools.breaker_api.endpoints import BreakerEndpoints
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import Following, Target
from sprint.tools.monitor.service import served
from sprint.tools.net import bind
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import Listener, serve

POLICIES = {
    "source": Policy(
        name="source", failures_to_open=2, half_open_calls=1, backoff=BackoffPolicy(base_s=60.0)
    ),
    "store": Policy(name="store"),
}
ALICE = "source:litecoin-regtest:alice"
BODY_SIZE_MAX = 16 * 1024
WAIT_S_MAX = 10.0
LOOK_INTERVAL_S = 0.005
HEALTH: dict[str, Any] = {"status": "ok", "reasons": [], "breakers": {}, "chains": {}}


class RelayStandIn:
    """Two breakers, `store` and alice's, on a port that stays the same from start to start."""

    def __init__(self, name: str = "main", names: tuple[str, ...] = ("store", ALICE)) -> None:
        self.name = name
        self.port = 0
        self.asked: list[str] = []
        self._names = names
        self._listener: Listener | None = None
        self._make()

    def _make(self) -> None:
        self.registry = BreakerRegistry(POLICIES)
        for each in self._names:
            self.registry.get(each, each.partition(":")[0] if each.partition(":")[0] in POLICIES else "store")
        self.feed = BreakerFeed(self.registry)

    @property
    def target(self) -> Target:
        return Target(self.name, f"http://127.0.0.1:{self.port}")

    @property
    def alice(self) -> Key:
        return Key(self.name, ALICE)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *, anew: bool = False) -> None:
        """Serve; `anew` as a process that was started again: all counts begin at nothing."""
        if anew:
            self._make()
        bound = bind("127.0.0.1", self.port)
        self.port = bound.getsockname()[1]
        router = Router()
        add_problems(router)
        router.add("GET", "/api/health", self._answer(HEALTH))
        router.add(
            "GET", "/api/sources", self._answer({"sources": {"litecoin-regtest": [{"name": "alice"}]}})
        )
        BreakerEndpoints(self.feed).add_to(router)
        self.feed.start()
        site = Site(router, Guard(self.port, body_size_max=BODY_SIZE_MAX), connections_max=200)
        self._listener = await serve(site, bound)

    async def stop(self) -> None:
        """Be gone."""
        self.feed.stop()
        if self._listener is not None:
            await self._listener.stop()
            self._listener = None

    def fail(self, times: int = 2) -> None:
        """Have alice fail so often; twice opens its breaker."""
        breaker = self.registry.get(ALICE, "source")
        for _ in range(times):
            breaker.admit().failure()

    def _answer(self, answer: dict[str, Any]) -> Callable[[Request], Any]:
        async def handler(request: Request) -> Response:
            self.asked.append(request.path)
            return Response(msgspec.json.encode(answer))

        return handler


async def until(condition: Callable[[], object], what: str) -> None:
    """Let the event loop go on until a condition holds."""
    deadline_s = asyncio.get_running_loop().time() + WAIT_S_MAX
    while not condition():
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"not within {WAIT_S_MAX:g} s: {what}")
        await asyncio.sleep(LOOK_INTERVAL_S)


async def heard(monitor: Monitor) -> Monitor:
    """Wait until all relays of a monitor are live and have told their health."""
    await until(
        lambda: (
            len(monitor.board.relays) == len(monitor.targets)
            and all(each.connection == "live" and each.health for each in monitor.board.relays.values())
        ),
        f"all relays of {monitor!r} are heard",
    )
    return monitor


@contextlib.asynccontextmanager
async def watched(*relays: RelayStandIn, read_only: bool = False) -> AsyncIterator[Monitor]:
    """A monitor of these, with all of them heard."""
    targets = tuple(each.target for each in relays)
    async with Monitor(targets=targets, read_only=read_only, following=Following(interval_s=1.0)) as monitor:
        yield await heard(monitor)


@contextlib.asynccontextmanager
async def serving(monitor: Monitor) -> AsyncIterator[tuple[str, FleetFeed]]:
    """The service of a monitor on a free port: its URL and its feed."""
    feed = FleetFeed(monitor)
    async with served(feed, bind("127.0.0.1", 0)) as listener:
        yield listener.url, feed
    feed.stop()
