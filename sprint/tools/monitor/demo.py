"""A demonstration without a relay: breakers under simulated traffic with faults, served as a relay's are.

    async with Demo("business") as demo:
        Monitor(targets=(demo.target,), demo=True)

Breakers, their policies and what they decide are the real ones; only the calls are made up. Their troubles
come round again, each in its own time, so that something happens in the first seconds and not all at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import msgspec

from sprint import __version__
from sprint.core.breaker.policy import Policy
from sprint.core.errors import CircuitOpenError, ConfigError
from sprint.core.monitor.rows import BreakerRow, identity
from sprint.tools import runtime
from sprint.tools.breaker import BreakerRegistry, CircuitBreaker
from sprint.tools.breaker.registry import packaged_policies
from sprint.tools.breaker.workers import BreakerWorkers
from sprint.tools.breaker_api.endpoints import BreakerEndpoints
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.monitor.probe import Target
from sprint.tools.net import bind
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import serve

NAME = "demo"
TIER_DEFAULT = "business"
TICK_S = 0.1
BODY_SIZE_MAX = 16 * 1024
CONNECTIONS_MAX = 64
REASONS_MAX = 16
_CLOSED = ("closed", "force_close")


class Callee(NamedTuple):
    """What is called as if: how often, how long it takes when well, and when and how it is not.

    The trouble lasts from `trouble_at_s` to `well_at_s` of each `round_s`.
    """

    name: str
    calls_per_s: float
    latency_s: float
    round_s: float = 90.0
    trouble_at_s: float = 0.0
    well_at_s: float = 0.0
    failure_rate: float = 0.0
    slower: float = 1.0
    why: str = ""


CALLEES = (
    Callee("source:bitcoin:core-1", 4.0, 0.004),
    Callee("source:bitcoin:core-2", 4.0, 0.006, 90.0, 4.0, 34.0, 1.0, why="connection refused"),
    Callee("source:bitcoin:core-3", 4.0, 0.011),
    Callee("source:litecoin:alice", 4.0, 0.003),
    Callee("source:litecoin:bob", 4.0, 0.008, 75.0, 30.0, 55.0, 0.7, why="no answer in 5 s"),
    Callee("source:dogecoin:much", 3.0, 0.015, 120.0, 60.0, 80.0, 1.0, why="it serves invalid headers"),
    Callee("store", 6.0, 0.001),
    Callee("webhook:orders", 8.0, 0.045, 60.0, 20.0, 40.0, 0.05, why="answered 503"),
    Callee("webhook:billing", 8.0, 0.080, 100.0, 8.0, 40.0, 0.3, 25.0, why="answered 504"),
    Callee("webhook:archive", 2.0, 0.120),
)


class Condition(NamedTuple):
    """How a callee is at one time."""

    failure_rate: float
    latency_s: float
    why: str


def condition(callee: Callee, elapsed_s: float) -> Condition:
    """Return how a callee is so many seconds after the start."""
    if callee.trouble_at_s <= elapsed_s % callee.round_s < callee.well_at_s:
        return Condition(callee.failure_rate, callee.latency_s * callee.slower, callee.why)
    return Condition(0.0, callee.latency_s, "")


class Demo:
    """Breakers of a tier's policies on a free port of loopback, while within. `target` is where."""

    def __init__(
        self,
        tier: str = TIER_DEFAULT,
        *,
        clock: Callable[[], float] = runtime.clock,
        draw: Callable[[], float] = runtime.jitter,
    ) -> None:
        self.tier = tier_of(tier)
        self.registry = BreakerRegistry(packaged_policies(tier=self.tier), clock=clock)
        self.target = Target(NAME, "")
        self._clock = clock
        self._draw = draw
        self._feed = BreakerFeed(self.registry, clock=clock)
        self._breakers = [(callee, self._breaker(callee.name)) for callee in CALLEES]
        self._owed = dict.fromkeys((callee.name for callee in CALLEES), 0.0)
        self._stack = contextlib.AsyncExitStack()

    def __repr__(self) -> str:
        return f"Demo({self.tier}, {self.target.url})"

    async def __aenter__(self) -> Self:
        bound = bind("127.0.0.1", 0)
        async with contextlib.AsyncExitStack() as stack:
            guard = Guard(bound.getsockname()[1], body_size_max=BODY_SIZE_MAX)
            listener = await serve(Site(self._router(), guard, connections_max=CONNECTIONS_MAX), bound)
            stack.push_async_callback(listener.stop)
            self._feed.start()
            stack.callback(self._feed.stop)
            await stack.enter_async_context(BreakerWorkers(self.registry).running())
            await stack.enter_async_context(runtime.background(self._traffic()))
            self.target = Target(NAME, listener.url)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def step(self, elapsed_s: float, for_s: float) -> None:
        """Make the calls that are due after another `for_s` seconds, as all callees are at `elapsed_s`."""
        for callee, breaker in self._breakers:
            self._owed[callee.name] += callee.calls_per_s * for_s
            calls, self._owed[callee.name] = divmod(self._owed[callee.name], 1.0)
            for _ in range(int(calls)):
                self._call(breaker, condition(callee, elapsed_s))

    def _breaker(self, name: str) -> CircuitBreaker:
        kind, chain, _ = identity(name)
        return self.registry.get(name, kind if kind in {"source", "store"} else self.tier, group=chain or "")

    def _call(self, breaker: CircuitBreaker, found: Condition) -> None:
        try:
            permit = breaker.admit()
        except CircuitOpenError:
            return
        # The slowest of a hundred calls takes some four times as long as the middle one.
        latency_s = found.latency_s * (0.6 + 0.8 * self._draw() + 3.0 * self._draw() ** 12)
        if self._draw() < found.failure_rate:
            permit.settle("failure", latency_s, why=found.why)
        else:
            permit.success(latency_s)

    async def _traffic(self) -> None:
        started = last = self._clock()
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock()
            # A machine that slept must not have hours of calls made up at once.
            self.step(now - started, min(now - last, 10 * TICK_S))
            last = now

    # -- what a relay's admin listener answers

    def _router(self) -> Router:
        router = Router()
        add_problems(router)
        router.add("GET", "/api/health", self._health)
        router.add("GET", "/api/sources", self._sources)
        BreakerEndpoints(self._feed).add_to(router)
        return router

    async def _health(self, _: Request) -> Response:
        rows = list((await self._feed.rows()).values())
        reasons = [
            f"breaker {row.name} is {row.state}: {row.reason}" for row in rows if row.state not in _CLOSED
        ]
        chains = {
            chain: {
                "status": "ok",
                "reason": "",
                "sources": len(of_chain),
                "sources_ready": sum(row.state in _CLOSED for row in of_chain),
                "sources_paused": 0,
                "breakers": Counter(row.state for row in of_chain),
            }
            for chain, of_chain in _by_chain(rows).items()
        }
        return _json(
            {
                "status": "degraded" if reasons else "ok",
                "reasons": reasons[:REASONS_MAX],
                "version": __version__,
                "store": {"status": "ok", "reason": ""},
                "listeners": [],
                "breakers": Counter(row.state for row in rows),
                "chains": chains,
            }
        )

    async def _sources(self, _: Request) -> Response:
        by_chain = _by_chain(list((await self._feed.rows()).values()))
        return _json({"sources": {chain: [_source(row) for row in rows] for chain, rows in by_chain.items()}})


def tier_of(name: str) -> str:
    """Return a tier's name, given in any case. ConfigError lists those there are."""
    policies: dict[str, Policy] = packaged_policies()
    if name.lower() not in policies:
        raise ConfigError(f"--tier {name[:64]!r}: there are {', '.join(policies)}")
    return name.lower()


def _by_chain(rows: list[BreakerRow]) -> dict[str, list[BreakerRow]]:
    found: dict[str, list[BreakerRow]] = {}
    for row in rows:
        if row.chain is not None:
            found.setdefault(row.chain, []).append(row)
    return found


def _source(row: BreakerRow) -> dict[str, Any]:
    """Return a source as a relay shows it, as far as there is anything behind it."""
    breaker = {"name": row.name, "state": row.state, "reason": row.reason, "since": row.since}
    state = "ready" if row.state in _CLOSED else "connecting"
    return {"name": row.source, "kind": "demo", "url": "", "state": state, "reason": "", "breaker": breaker}


def _json(answer: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(answer))
