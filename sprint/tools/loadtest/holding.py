"""Holds many WebSockets to one target and measures what is delivered over them.

A delivery's time is how long after the first of this process' connections another one had the same bytes:
what fan-out costs beyond the first subscriber, and how long this process took to read them. It needs no clock
in the message; where all are late alike it shows nothing. See `core.loadtest.arrivals` for which is which.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import NamedTuple

from sprint.core.loadtest.arrivals import MESSAGES_REMEMBERED, Arrivals
from sprint.tools.loadtest.assignment import StreamWork
from sprint.tools.loadtest.http_generator import kind_of
from sprint.tools.loadtest.moments import NS_PER_MS, NS_PER_S, clock_ns
from sprint.tools.loadtest.opening import Place
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.websocket_connection import WebSocketConnection, opening_of

OPENING_MAX = 100  # at a time
KEY_SIZE = 16
OPENING = "opening a WebSocket"
TOO_LATE = "too late to measure"
FORGOTTEN = f"it had first come more than {MESSAGES_REMEMBERED:,} messages before"
NOT_BEGUN = "the run ended before this WebSocket was begun to be opened"


class Held(NamedTuple):
    """How long opening one may take, how long all are held, and the numbers that the connections have."""

    timeout_ns: int
    duration_ns: int
    first_number: int = 0
    step: int = 1


class Holding:
    """Opens the connections of its work, holds them until the time is over, and counts what comes."""

    def __init__(self, work: StreamWork, place: Place, outcomes: Outcomes, held: Held) -> None:
        self._work = work
        self._place = place
        self._outcomes = outcomes
        self._count = work.connections
        self._timeout_s = held.timeout_ns / NS_PER_S
        self._duration_ns = held.duration_ns
        self._numbers = range(held.first_number, held.first_number + held.step * self._count, held.step)
        self._open: set[WebSocketConnection] = set()
        self._begun = 0
        self._answered: dict[WebSocketConnection, asyncio.Future[None]] = {}
        self._arrivals = Arrivals(self._count)
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
        if not self._count:
            return []  # there were fewer connections than generators
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
        self._end()
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)

    # -- what connections tell

    def opened(self, connection: WebSocketConnection, done_ns: int) -> None:
        self._open.add(connection)
        self._opened += 1
        self._slowest_ns = max(self._slowest_ns, done_ns - connection.begun_ns)
        connection.listener = self._arrivals.listener(connection.asked_ns)
        self._settle(connection)

    def delivered(self, connection: WebSocketConnection, digest: bytes, size: int, done_ns: int) -> None:
        listener = connection.listener
        if listener is None:
            raise AssertionError("a message over a connection that is not open")
        self.deliveries += 1
        first_ns = self._arrivals.came(listener, digest, done_ns)
        if first_ns is None:
            self._outcomes.failed(TOO_LATE, done_ns, done_ns, size, example=FORGOTTEN)
        else:
            self._outcomes.succeeded(first_ns, first_ns, done_ns, size)

    def ended(self, connection: WebSocketConnection, kind: str) -> None:
        now_ns = clock_ns()
        if connection in self._open:
            self._open.discard(connection)
            self._outcomes.failed(f"lost: {kind}", now_ns, now_ns, example="a WebSocket that was held")
        elif is_awaited(self._answered[connection]):
            self._outcomes.failed(kind, connection.begun_ns, now_ns, example=OPENING)
            self._settle(connection)

    # -- within

    def _end(self) -> None:
        """Close all, and count those that are not open yet."""
        self.held = len(self._open)
        for connection, answer in self._answered.items():
            if is_awaited(answer):
                connection.abort()
                self._outcomes.unanswered()
        self._outcomes.never_sent(NOT_BEGUN, self._count - self._begun)
        for connection in self._open:
            connection.abort()

    async def _open_all(self, started_ns: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in self._numbers:
                await self._slots.acquire()
                self._begun += 1
                group.create_task(self._open_one(self._new_connection(number)))
        self._all_open_ns = clock_ns() - started_ns

    def _new_connection(self, number: int) -> WebSocketConnection:
        opening = opening_of(self._work, os.urandom(KEY_SIZE), number, os.urandom)
        connection = WebSocketConnection(self, opening)
        self._answered[connection] = asyncio.get_running_loop().create_future()
        return connection

    async def _open_one(self, connection: WebSocketConnection) -> None:
        url, place = self._work.url, self._place
        answer = self._answered[connection]
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    place.address,
                    place.port,
                    ssl=place.tls,
                    server_hostname=url.host if place.tls is not None else None,
                )
                await answer
        except (OSError, TimeoutError) as error:
            if is_awaited(answer) and connection.listener is None:
                self._outcomes.failed(kind_of(error), connection.begun_ns, clock_ns(), example=OPENING)
        finally:
            self._answered.pop(connection, None)
            self._slots.release()
            if not connection.is_open:
                connection.abort()

    def _settle(self, connection: WebSocketConnection) -> None:
        answer = self._answered[connection]
        if not answer.done():
            answer.set_result(None)


def is_awaited(answer: asyncio.Future[None]) -> bool:
    """Whether it isn't known yet what becomes of an opening; a timeout cancels it before it is counted."""
    return not answer.done() or answer.cancelled()
