"""Holds many WebSockets to one target and measures what is delivered over them.

A delivery's time is how long after the first of this process' connections another one had the same bytes:
what fan-out costs beyond the first subscriber, and how long this process took to read them. It needs no clock
in the message; where all are late alike it shows nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import OrderedDict
from typing import NamedTuple

from sprint.tools.loadtest.assignment import StreamWork
from sprint.tools.loadtest.http_generator import kind_of
from sprint.tools.loadtest.moments import NS_PER_MS, NS_PER_S, clock_ns
from sprint.tools.loadtest.opening import Place
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.websocket_connection import WebSocketConnection, opening_of

MESSAGES_REMEMBERED = 4_096  # of which the first arrival is known
OPENING_MAX = 100  # at a time
KEY_SIZE = 16


class Times(NamedTuple):
    """How long opening one may take, and how long all are held."""

    timeout_ns: int
    duration_ns: int


class Holding:
    """Opens the connections of its work, holds them until the time is over, and counts what comes."""

    def __init__(self, work: StreamWork, place: Place, outcomes: Outcomes, times: Times) -> None:
        self._work = work
        self._place = place
        self._outcomes = outcomes
        self._count = work.connections
        self._timeout_s = times.timeout_ns / NS_PER_S
        self._duration_ns = times.duration_ns
        self._open: set[WebSocketConnection] = set()
        self._answered: dict[WebSocketConnection, asyncio.Future[str]] = {}
        self._first_ns: OrderedDict[bytes, int] = OrderedDict()
        self._slots = asyncio.Semaphore(OPENING_MAX)
        self._stopped = asyncio.Event()
        self._all_open_ns = self._slowest_ns = 0
        self._opened = 0
        self.deliveries = 0
        self.held = 0
        self.ended_ns = 0

    def __repr__(self) -> str:
        return f"Holding({len(self._open)} of {self._count} open, {self.deliveries} deliveries)"

    @property
    def pending(self) -> int:
        """How many are being opened."""
        return len(self._answered)

    @property
    def connections(self) -> int:
        return len(self._open)

    @property
    def states(self) -> dict[str, str]:
        """The state of each breaker by its name: there are none."""
        return {}

    @property
    def said(self) -> list[str]:
        """What a reader of the report should know."""
        text = (
            f"{self._opened:,} of {self._count:,} WebSockets were opened, the last after "
            f"{self._all_open_ns / NS_PER_S:.3g} s, the slowest in {self._slowest_ns / NS_PER_MS:.3g} ms; "
            f"{self.held:,} were held to the end."
        )
        return [text]

    def stop(self) -> None:
        """End before the time."""
        self._stopped.set()

    async def run(self, started_ns: int) -> None:
        """Hold from a moment of the clock on for so long, and close all."""
        await asyncio.sleep(max(0.0, (started_ns - clock_ns()) / NS_PER_S))
        opening = asyncio.create_task(self._open_all(started_ns))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (started_ns + self._duration_ns - clock_ns()) / NS_PER_S)):
                await self._stopped.wait()
        self.ended_ns = clock_ns()
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        self.held = len(self._open)
        for connection in self._open:
            connection.abort()

    # -- what connections tell

    def opened(self, connection: WebSocketConnection, done_ns: int) -> None:
        self._open.add(connection)
        self._opened += 1
        self._slowest_ns = max(self._slowest_ns, done_ns - connection.begun_ns)
        self._settle(connection, "")

    def delivered(self, digest: bytes, size: int, done_ns: int) -> None:
        self.deliveries += 1
        first_ns = self._first_ns.get(digest)
        if first_ns is None:
            first_ns = self._first_ns[digest] = done_ns
            if len(self._first_ns) > MESSAGES_REMEMBERED:
                self._first_ns.popitem(last=False)
        self._outcomes.succeeded(first_ns, first_ns, done_ns, size)

    def ended(self, connection: WebSocketConnection, kind: str) -> None:
        self._open.discard(connection)
        if connection in self._answered:
            self._settle(connection, kind)
        else:
            now_ns = clock_ns()
            self._outcomes.failed(f"lost: {kind}", now_ns, now_ns, example="a WebSocket that was held")

    # -- within

    async def _open_all(self, started_ns: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                await self._slots.acquire()
                group.create_task(self._open_one())
        self._all_open_ns = clock_ns() - started_ns

    async def _open_one(self) -> None:
        url, place = self._work.url, self._place
        connection = WebSocketConnection(self, opening_of(self._work, os.urandom(KEY_SIZE)))
        answer = self._answered[connection] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    place.address,
                    place.port,
                    ssl=place.tls,
                    server_hostname=url.host if place.tls is not None else None,
                )
                kind = await answer
        except (OSError, TimeoutError) as error:
            kind = kind_of(error)
        finally:
            self._answered.pop(connection, None)
            self._slots.release()
            if not connection.is_open:
                connection.abort()
        if kind:
            self._outcomes.failed(kind, connection.begun_ns, clock_ns(), example="opening a WebSocket")

    def _settle(self, connection: WebSocketConnection, kind: str) -> None:
        answer = self._answered.get(connection)
        if answer is not None and not answer.done():
            answer.set_result(kind)
