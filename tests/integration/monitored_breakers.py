"""Breakers that a test drives, served as a relay's are, and a monitor's service that watches them.

    with MonitoredBreakers("source:litecoin:alice", "store") as scene:
        scene.fail("store", 5)
        page.goto(scene.url)

All of it runs on an event loop in a thread of its own, so that a browser can be driven from the test's. The
service can be stopped and started again on its port, as a monitor that is restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, TypeVar

from sprint.core.breaker.policy import BackoffPolicy, Policy
from sprint.tools.breaker import BreakerRegistry, CircuitBreaker
from sprint.tools.breaker_api.endpoints import BreakerEndpoints
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.monitor.alerts_given import AlertsGiven, alerting
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import Target
from sprint.tools.monitor.recording import Recorder
from sprint.tools.monitor.service import OPEN_TO_ALL, served
from sprint.tools.net import bind
from sprint.tools.runtime import wall_clock
from sprint.tools.web.access import Access
from sprint.tools.web.guard import Guard
from sprint.tools.web.router import Router, Site
from sprint.tools.web.server import serve

HOST = "127.0.0.1"
RELAY = "north"
CALL_TIMEOUT_S = 30.0
BODY_SIZE_MAX = 16 * 1024
CONNECTIONS_MAX = 64
FAILURES_TO_OPEN = 3
POLICY = Policy(
    name="source", failures_to_open=FAILURES_TO_OPEN, half_open_calls=1, backoff=BackoffPolicy(base_s=60.0)
)

Result = TypeVar("Result")


class MonitoredBreakers:
    """A relay's breakers and a monitor of them, while within. `url` is the monitor's."""

    def __init__(
        self,
        *names: str,
        read_only: bool = False,
        target: Target | None = None,
        access: Access = OPEN_TO_ALL,
        alerts: AlertsGiven | None = None,
    ) -> None:
        self.registry = BreakerRegistry({"source": POLICY})
        for name in names:
            self.registry.get(name, "source")
        self.url = ""
        self._read_only = read_only
        self._target = target
        self._access = access
        self._alerts = alerts
        self._port = 0
        self._feed: FleetFeed | None = None
        self._recorder: Recorder | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="monitored breakers", daemon=True)
        self._relay = contextlib.AsyncExitStack()
        self._service = contextlib.AsyncExitStack()

    def __repr__(self) -> str:
        return f"MonitoredBreakers({self.url}, {len(self.registry)} breakers)"

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            if self._target is None:
                self._target = self.run(self._serve_relay())
            self.start_service()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.run(self._service.aclose())
            self.run(self._relay.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_TIMEOUT_S)
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Have something done on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def begin(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Have something done on the loop beside the rest, until it is cancelled."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop_relay(self) -> None:
        """Stop what the monitor watches; it stays where it is."""
        self.run(self._relay.aclose())

    def stop_service(self) -> None:
        """Stop the monitor; pages lose their connection."""
        self.run(self._service.aclose())

    def start_service(self) -> None:
        """Start a monitor, on the port of the one before it."""
        self.run(self._serve_monitor())

    def record(self, folder: Path) -> Path:
        """Have the monitor record what happens to a file in a folder."""

        async def start() -> Path:
            assert self._feed is not None
            self._recorder = self._feed.monitor.recorder = Recorder(self._feed, folder)
            return self._recorder.start(wall_clock())

        return self.run(start())

    def stop_recording(self) -> None:
        """Have it record no more."""
        assert self._recorder is not None
        self.run(self._recorder.stop())

    def breaker(self, name: str) -> CircuitBreaker:
        found = self.registry.find(name)
        assert found is not None, name
        return found

    def fail(self, name: str, times: int = FAILURES_TO_OPEN, why: str = "connection refused") -> None:
        """Have so many calls of a breaker fail."""
        for _ in range(times):
            self.breaker(name).admit().failure(OSError(why))

    async def _serve_relay(self) -> Target:
        feed = BreakerFeed(self.registry)
        router = Router()
        BreakerEndpoints(feed).add_to(router)
        bound = bind(HOST, 0)
        guard = Guard(bound.getsockname()[1], body_size_max=BODY_SIZE_MAX)
        listener = await serve(Site(router, guard, connections_max=CONNECTIONS_MAX), bound)
        self._relay.push_async_callback(listener.stop)
        feed.start()
        self._relay.callback(feed.stop)
        return Target(RELAY, listener.url)

    async def _serve_monitor(self) -> None:
        assert self._target is not None
        bound = bind(HOST, self._port)
        self._port = bound.getsockname()[1]
        monitor = Monitor(targets=(self._target,), read_only=self._read_only)
        await self._service.enter_async_context(monitor)
        await self._service.enter_async_context(alerting(monitor, self._alerts))
        feed = FleetFeed(monitor)
        self._service.callback(feed.stop)
        self._feed = feed
        self.url = (await self._service.enter_async_context(served(feed, bound, self._access))).url
