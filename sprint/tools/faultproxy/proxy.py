"""A TCP proxy in front of one target, with faults that are put on and taken off while connections go through.

    async with FaultProxy(proxy_of({"name": "node", "target": "127.0.0.1:19444"})) as proxy:
        proxy.add(kind="latency", latency_ms=200, ttl_ms=30_000)

All of it is on one event loop. Stopping it leaves no socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Collection
from typing import Any, Self

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import (
    Address,
    Fields,
    ProxySettings,
    changed_toxic,
    shown,
    toxic_of,
    toxic_row,
)
from sprint.core.faultproxy.connection import ConnectionFaults, Rng
from sprint.core.faultproxy.drawing import SeededDraws
from sprint.core.faultproxy.targets import check_target
from sprint.core.faultproxy.toxics import TOXICS_PER_PROXY_MAX, ActiveToxic, ToxicSet
from sprint.tools.faultproxy.link import Link, reset_when_closed, timer_s
from sprint.tools.faultproxy.listening import ListeningSocket
from sprint.tools.faultproxy.reading import ReadBuffer
from sprint.tools.runtime import clock, log_fields

CONNECT_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 5.0
# How often ends that are not read are looked at, and so how much later their reset is passed on at most.
WATCH_INTERVAL_S = 0.5
log = logging.getLogger(__name__)


class FaultProxy:
    """One proxy. `allowed` are targets beyond loopback that the caller answers for."""

    def __init__(self, settings: ProxySettings, *, allowed: Collection[str] = ()) -> None:
        check_target(settings.target, allowed)
        self.settings = settings
        self._toxics = ToxicSet()
        self._address = settings.listen
        self._listening: ListeningSocket | None = None
        self._reading = ReadBuffer()
        self._links: set[Link] = set()
        self._openings: dict[asyncio.Task[None], Link] = {}
        self._unbegun: set[Link] = set()  # of those that are being opened
        self._over: deque[ActiveToxic] = deque(maxlen=TOXICS_PER_PROXY_MAX)
        self._emptied = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.connections_made = 0
        self.connections_refused = 0
        self.connections_failed = 0
        self._sent_size = {"upstream": 0, "downstream": 0}  # of connections that have ended

    def __repr__(self) -> str:
        return (
            f"FaultProxy({self.settings.name}: {self._listening} to {self.settings.target}, {self._toxics})"
        )

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def address(self) -> Address:
        """Where it listens; what was asked for before `start`."""
        return self._address

    @property
    def connection_count(self) -> int:
        """Connections that are open or being opened."""
        return len(self._links) + len(self._unbegun)

    def start(self) -> None:
        """Listen. ListenError where the port is taken."""
        self._listening = ListeningSocket(self.settings.listen, self._accepted)
        self._address = self._listening.address
        self._watch_connections()

    async def stop(self) -> None:
        """End all connections and let go of the port; afterwards no socket is left. May be called again."""
        for timer in (self._expiry, self._watch):
            if timer is not None:
                timer.cancel()
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        openings = list(self._openings)
        for opening, link in self._openings.items():
            # With its target there it is whole within a turn, and is then reset as it comes.
            if link not in self._links:
                opening.cancel()
        for link in list(self._links):
            link.drop()
        await asyncio.gather(*openings, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while self._links:
                    self._emptied.clear()
                    await self._emptied.wait()

    def add(self, **fields: Any) -> ActiveToxic:
        """Put a toxic behind those there are: `add(kind="latency", latency_ms=200)`."""
        return self.add_toxic(fields)

    def add_toxic(self, fields: Fields) -> ActiveToxic:
        """Put a toxic behind those there are; fields as in the API."""
        added = self._toxics.add(toxic_of(fields), clock())
        self._apply("fault put on", toxic=added.toxic.name, kind=added.toxic.kind)
        return added

    def change(self, name: str, fields: Fields) -> ActiveToxic:
        """Change some fields of a toxic; it and its time to live begin anew, its counts go on."""
        changed = self._toxics.change(changed_toxic(self._found(name).toxic, fields), clock())
        self._apply("fault changed", toxic=name)
        return changed

    def remove(self, name: str) -> ActiveToxic:
        """Take a toxic off. ConfigError where there is none of that name."""
        removed = self._found(name)
        self._toxics.remove(name)
        self._apply("fault taken off", toxic=name)
        return removed

    def reset(self) -> int:
        """Take all toxics off; return how many there were."""
        count = self._toxics.clear()
        self._apply("all faults taken off", count=count)
        return count

    def find(self, name: str) -> ActiveToxic | None:
        """Return a toxic in force."""
        return self._toxics.find(name)

    def view(self) -> dict[str, Any]:
        """Return the proxy as it is shown."""
        now = clock()
        upstream = sum(link.client.received_size for link in self._links)
        downstream = sum(link.target.received_size for link in self._links)
        return {
            "name": self.settings.name,
            "listen": str(self.address),
            "target": str(self.settings.target),
            "seed": self.settings.seed,
            "connections": self.connection_count,
            "connections_max": self.settings.connections_max,
            "connections_made": self.connections_made,
            "connections_refused": self.connections_refused,
            "connections_failed": self.connections_failed,
            "bytes_upstream": self._sent_size["upstream"] + upstream,
            "bytes_downstream": self._sent_size["downstream"] + downstream,
            "toxics": [toxic_row(active, now) for active in self._toxics.active],
            "toxics_over": [toxic_row(each, now) for each in self._over],
        }

    def _found(self, name: str) -> ActiveToxic:
        active = self._toxics.find(name)
        if active is None:
            there = ", ".join(each.toxic.name for each in self._toxics.active) or "none"
            raise ConfigError(f"no toxic {shown(name)} on proxy {self.settings.name}; there is {there}")
        return active

    def _apply(self, said: str, **fields: object) -> None:
        """Have listener and connections be as the toxics say, and look again when the next one expires."""
        log_fields(log, logging.WARNING, said, proxy=self.settings.name, **fields)
        if self._listening is not None:
            if self._toxics.is_down:
                self._listening.refuse()
            else:
                self._listening.take()
        for link in list(self._links):
            link.adopt(self._toxics.active)
        self._await_expiry()

    def _await_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        due = self._toxics.next_expiry()
        loop = asyncio.get_running_loop()
        self._expiry = None if due is None else loop.call_later(timer_s(due - clock()), self._expire)

    def _expire(self) -> None:
        gone = self._toxics.expire(clock())
        if gone:
            self._over.extend(gone)
            self._apply("time of faults is over", toxics=[each.toxic.name for each in gone])
        else:
            self._await_expiry()

    def _watch_connections(self) -> None:
        for link in list(self._links):
            link.end_if_dead()
        self._watch = asyncio.get_running_loop().call_later(WATCH_INTERVAL_S, self._watch_connections)

    def _accepted(self, connected: socket.socket) -> None:
        # What ends before it is a whole connection is reset, by whomever it is closed.
        reset_when_closed(connected, on=True)
        if self.connection_count >= self.settings.connections_max:
            self.connections_refused += 1
            connected.close()
            return
        self.connections_made += 1
        link = Link(
            ConnectionFaults(self.connections_made, self._rng_of), self._reading, self._begun, self._gone
        )
        opening = asyncio.get_running_loop().create_task(self._open(link, connected))
        self._openings[opening] = link
        self._unbegun.add(link)
        opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[None]) -> None:
        self._unbegun.discard(self._openings.pop(opening))

    async def _open(self, link: Link, connected: socket.socket) -> None:
        """Connect to the target, then let the client speak."""
        is_reached = is_whole = False
        try:
            is_reached = await self._reach_target(link)
            if is_reached:
                await asyncio.get_running_loop().connect_accepted_socket(lambda: link.client, connected)
                is_whole = True
        finally:
            if not is_reached:
                connected.close()
            if not is_whole:
                link.abandon()

    async def _reach_target(self, link: Link) -> bool:
        target = self.settings.target
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: link.target, target.host, target.port
                )
        except (OSError, TimeoutError) as error:
            self.connections_failed += 1
            log_fields(log, logging.INFO, "target not reached", proxy=self.settings.name, error=str(error))
            return False
        return True

    def _begun(self, link: Link) -> None:
        self._links.add(link)
        self._unbegun.discard(link)
        link.adopt(self._toxics.active)

    def _gone(self, link: Link) -> None:
        self._links.discard(link)
        self._sent_size["upstream"] += link.client.received_size
        self._sent_size["downstream"] += link.target.received_size
        if not self._links:
            self._emptied.set()

    def _rng_of(self, label: str) -> Rng:
        return SeededDraws(f"{self.settings.seed}/{self.settings.name}/{label}")
