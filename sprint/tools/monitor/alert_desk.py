"""Where alerts come about: the rules look at the monitor's board, changes are kept, then told and sent.

    async with Desk(monitor, store, sinks) as desk:
        monitor.alerts = desk

Each transition is read at once, everything else every LOOK_INTERVAL_S. A change is on disk before it is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.errors import StoreError
from sprint.core.monitor.alerts.messages import Routes, routed
from sprint.core.monitor.alerts.rules import LEVELS, RULES, Reading, readings, state_reading
from sprint.core.monitor.alerts.standing import Alert, Alerts, Subject
from sprint.core.monitor.board import Happened, Key
from sprint.core.monitor.rows import rfc3339
from sprint.tools import runtime
from sprint.tools.breaker import packaged_policies
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor, Unlisten
from sprint.tools.monitor.sender import Sender
from sprint.tools.monitor.sinks.sink import Sink

LOOK_INTERVAL_S = 1.0
VIEWED_MAX = 500
ROUTES_DEFAULT: Routes = dict.fromkeys(LEVELS, ("webhook", "slack", "email"))
# Whose policies breakers of a relay have, of those that serve several tiers.
_TIER = "enterprise"
_RULES = {rule.name: rule for rule in RULES}

AlertListener = Callable[[Mapping[str, Any]], None]
log = logging.getLogger(__name__)


class Desk:
    """All alerts of one monitor. It runs on the monitor's event loop, and closes its sinks and its store."""

    def __init__(
        self,
        monitor: Monitor,
        store: AlertStore,
        sinks: Sequence[Sink] = (),
        routes: Routes = ROUTES_DEFAULT,
        clock: Callable[[], float] = runtime.clock,
    ) -> None:
        self._monitor = monitor
        self._store = store
        self._routes = routes
        self._clock = clock
        self._alerts = Alerts(store.standing())
        self._over = store.history()
        self._senders = [Sender(sink, store) for sink in sinks]
        self._kinds = {sink.name: sink.kind for sink in sinks}
        self._limits: Mapping[str, Policy] = packaged_policies(tier=_TIER)
        self._listeners: list[AlertListener] = []
        self._changes: list[Alert] = []
        self._changed = asyncio.Event()
        self._started_at = ""
        self._unlisten: Unlisten | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False
        self._storing_failed = False

    def __repr__(self) -> str:
        return f"Desk({self._alerts!r}, {len(self._senders)} sinks)"

    async def __aenter__(self) -> Self:
        self._started_at = rfc3339(runtime.wall_clock())
        self._unlisten = self._monitor.listen(self._happened)
        self._keeper = asyncio.create_task(self._keep_on(), name="alerts' keeper")
        works = [self._look_on(), *(sender.run() for sender in self._senders)]
        self._tasks = [asyncio.create_task(work, name="alerts") for work in works]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._unlisten is not None:
            self._unlisten()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._closing = True
        self._changed.set()
        try:
            if self._keeper is not None:
                await self._keeper
        finally:
            for sender in self._senders:
                await sender.sink.close()
            self._store.close()

    def view(self) -> dict[str, Any]:
        """Return what stands and then what is over, the newest first of both, and how sinks do."""
        alerts = [*reversed(self._alerts.standing()), *reversed(self._over)][:VIEWED_MAX]
        return {
            "alerts": [msgspec.to_builtins(alert) for alert in alerts],
            "left_out": self._alerts.left_out,
            "sinks": [
                {
                    "kind": sender.sink.kind,
                    "where": sender.sink.where,
                    "sent": sender.sent,
                    "refused": sender.refused,
                    "failure": sender.failure,
                    "breaker": sender.breaker.state,
                }
                for sender in self._senders
            ],
        }

    def listen(self, callback: AlertListener) -> Unlisten:
        """Have a callback told of each alert when it comes, changes or goes."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def look(self) -> None:
        """Read everything now. What stands of a breaker that a relay no longer has counts as good."""
        seen: set[Subject] = set()
        for reading in readings(self._monitor.board, self._limits):
            seen.add(Subject(reading.rule.name, reading.relay, reading.breaker))
            self._take(reading)
        relays = self._monitor.board.relays
        followed = {target.name for target in self._monitor.targets}
        for alert in self._alerts.standing():
            relay = relays.get(alert.relay)
            heard = alert.relay not in followed if relay is None else relay.connection == "live"
            if heard and alert.subject not in seen:
                gone = f"{alert.breaker or alert.relay} is not there, or not judged by this rule, any more"
                self._take(Reading(_RULES[alert.rule], alert.relay, alert.breaker, None, gone))

    # -- within

    def _happened(self, happened: Happened) -> None:
        """Read a transition; of those before the start the rows tell what came of them."""
        transition = happened.transition
        if transition.at >= self._started_at:
            key = Key(happened.relay, transition.breaker)
            self._take(
                state_reading(key, transition.to_state, transition.evidence.text, shadow=transition.shadow)
            )

    def _take(self, reading: Reading) -> None:
        alert = self._alerts.take(reading, self._clock(), rfc3339(runtime.wall_clock()))
        if alert is not None:
            self._changes.append(alert)
            self._changed.set()

    async def _look_on(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a board that one rule can't read must not end the others' watch
                log.exception("the rules could not look at the board")
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def _keep_on(self) -> None:
        """Keep changes until the end; it is not cancelled, so that none is half kept."""
        while not self._closing:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._keep()
                self._storing_failed = False
            except StoreError as error:
                if not self._storing_failed:
                    log.warning("%s", error)
                self._storing_failed = True
                if not self._closing:
                    await asyncio.sleep(LOOK_INTERVAL_S)
                self._changed.set()
        await self._keep()

    async def _keep(self) -> None:
        """Write what has changed, and only then tell of it; what can't be written waits."""
        changes, self._changes = self._changes, []
        if not changes:
            return
        addressed = [(alert, routed(alert, self._kinds, self._routes)) for alert in changes]
        try:
            given_up = await asyncio.to_thread(self._store.keep, addressed)
        except StoreError:
            self._changes = changes + self._changes
            raise
        if given_up:
            log.error("%d alerts that waited to be sent are given up: the outbox is full", given_up)
        self._over = [*self._over, *(each for each in changes if each.change == "resolved")][-VIEWED_MAX:]
        for sender in self._senders:
            sender.wake()
        for alert in changes:
            self._tell(alert)

    def _tell(self, alert: Alert) -> None:
        told = msgspec.to_builtins(alert)
        for listener in tuple(self._listeners):
            try:
                listener(told)
            except Exception:  # one face that fails must not keep the others in the dark
                log.exception("a listener failed on the alert %s", alert.id)
