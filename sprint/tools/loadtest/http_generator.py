"""Sends requests over as many connections as are needed, whatever the answers do.

A request that finds no free connection waits for the first one that is free, or for one that is opened for
it, up to `workers_max` of them. That wait is part of its response time, which counts from when it was due.
One that waits longer than the timeout, or for which there is no room, has failed and is counted.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from sprint.tools.loadtest.exchange import Exchange, Waiting
from sprint.tools.loadtest.http_connection import HttpConnection
from sprint.tools.loadtest.moments import NS_PER_S, clock_ns
from sprint.tools.loadtest.opening import Place, open_socket
from sprint.tools.loadtest.outcomes import ERROR_FROM, Outcomes
from sprint.tools.loadtest.request_template import RequestTemplate

WAITING_MAX = 200_000  # requests that were due and have no connection yet; some 25 MB
CONNECTING_MAX = 256  # at a time: more at once would overrun the backlog of most servers
NO_ROOM = "no worker free and too many waiting"
NO_CONNECTION = "no worker was free in time"
RUN_ENDED = "the run ended while it waited for a worker"
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Limits(NamedTuple):
    """`is_head`: answers have no body, whatever they say. `one_request_each`: so much of a connection."""

    workers_max: int
    timeout_ns: int
    is_head: bool
    one_request_each: bool = False


class HttpGenerator:
    """Requests of some templates, in turn, to one target."""

    def __init__(
        self,
        place: Place,
        templates: Sequence[RequestTemplate],
        outcomes: Outcomes,
        limits: Limits,
    ) -> None:
        self._place = place
        self._outcomes = outcomes
        self._exchange = Exchange(
            templates, outcomes, self._serve_waiting, takes_together=not limits.one_request_each
        )
        self._free = self._exchange.free
        self._workers_max = limits.workers_max
        self._timeout_ns = limits.timeout_ns
        self._is_head = limits.is_head
        self._one_request_each = limits.one_request_each
        self._open: set[HttpConnection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._waiting: deque[Waiting] = deque()
        self._closing = False
        self.answers = self._exchange.answers
        self.connections_made = 0

    def __repr__(self) -> str:
        return (
            f"HttpGenerator({self._place.url.text}, {self._exchange.in_flight} in flight, "
            f"{len(self._waiting)} waiting, {len(self._open)} connections)"
        )

    @property
    def pending(self) -> int:
        """How many requests were due and have no result yet."""
        return self._exchange.in_flight + len(self._waiting)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def is_opening(self) -> bool:
        """Whether connections are being opened."""
        return bool(self._connecting)

    @property
    def states(self) -> dict[str, str]:
        """The state of each breaker by its name: there are none."""
        return {}

    def begin(self, started_ns: int) -> None:
        """Watch for answers from now on; by the time of the run nothing is done."""
        del started_ns
        self.answers.join(asyncio.get_running_loop())

    def send(self, first: int, step: int, moments_ns: Sequence[int]) -> None:
        """Send the requests first, first + step, …, due at these moments, or have them wait."""
        sent = self._exchange.send(first, step, moments_ns)
        if sent < len(moments_ns):
            self._wait(first + sent * step, step, moments_ns[sent:])

    def advance(self, now_ns: int) -> int | None:
        """Return None: there is nothing to do but when answers come."""
        del now_ns
        return None

    def sweep(self, now_ns: int) -> None:
        """Fail what has had no answer in time, or found no connection."""
        waiting, limit_ns = self._waiting, now_ns - self._timeout_ns
        while waiting and waiting[0].scheduled_ns <= limit_ns:
            self._outcomes.failed("timeout", waiting.popleft().scheduled_ns, now_ns, example=NO_CONNECTION)
        for connection in [each for each in self._open if each.busy and each.sent_ns <= limit_ns]:
            self._fail(connection, "timeout", now_ns)
            connection.abort()
            self.gone(connection)

    async def close(self) -> None:
        """Close all connections; what is still pending is failed as unanswered."""
        self._closing = True
        for task in self._connecting:
            task.cancel()
        for connection in list(self._open):
            if connection.busy:
                self._exchange.in_flight -= 1
                self._outcomes.unanswered()
            connection.abort()
        self._outcomes.never_sent(RUN_ENDED, len(self._waiting))
        self._waiting.clear()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        self._open.clear()
        self._free.clear()
        self.answers.close()

    # -- what connections tell

    def answered(self, connection: HttpConnection, status: int, done_ns: int) -> None:
        self._exchange.in_flight -= 1
        outcomes, scheduled_ns, received = self._outcomes, connection.scheduled_ns, connection.received
        if status < ERROR_FROM:
            outcomes.succeeded(scheduled_ns, connection.sent_ns, done_ns, received)
        else:
            outcomes.refused(status, connection.head, scheduled_ns, done_ns, received)
        self._take_up(connection)

    def broken(self, connection: HttpConnection, kind: str) -> None:
        self._fail(connection, kind, clock_ns())

    def gone(self, connection: HttpConnection) -> None:
        self._open.discard(connection)
        self._exchange.forget(connection)
        self._connect_more()

    # -- within

    def _wait(self, first: int, step: int, moments_ns: Sequence[int]) -> None:
        """Have requests wait for connections, and open some for them where there may be more."""
        now_ns = clock_ns()
        self._outcomes.sent_together([now_ns - moment_ns for moment_ns in moments_ns], now_ns, 0)
        room = max(0, WAITING_MAX - len(self._waiting))
        self._outcomes.never_sent(NO_ROOM, max(0, len(moments_ns) - room))
        to_open = self._workers_max - len(self._open) - len(self._connecting)
        for place, moment_ns in enumerate(moments_ns[:room]):
            is_short = place >= to_open
            self._waiting.append(Waiting(first + place * step, moment_ns, now_ns if is_short else 0))
        if to_open > 0:
            self._connect_more()

    def _serve_waiting(self) -> None:
        """Send what waits over the connections that have become free."""
        if self._waiting:
            self._exchange.send_waiting(self._waiting)

    def _take_up(self, connection: HttpConnection) -> None:
        """Give a connection that has become free its next request, or keep it for later."""
        if connection.closed or self._closing:
            return
        if self._one_request_each and connection.used:
            connection.abort()
            self.gone(connection)
            return
        self._free.append(connection)
        self._serve_waiting()

    def _fail(self, connection: HttpConnection, kind: str, now_ns: int) -> None:
        self._exchange.in_flight -= 1
        self._outcomes.failed(kind, connection.scheduled_ns, now_ns, connection.received)

    def _connect_more(self) -> None:
        """Open as many connections as there are requests without one."""
        if self._closing:
            return
        room = self._workers_max - len(self._open) - len(self._connecting)
        wanted = len(self._waiting) - len(self._connecting)
        for _ in range(min(room, wanted, CONNECTING_MAX - len(self._connecting))):
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        """Open one connection; where that fails, the request that has waited longest has failed with it."""
        try:
            async with asyncio.timeout(self._timeout_ns / NS_PER_S):
                opened = await open_socket(self._place)
        except (OSError, TimeoutError) as error:
            if self._waiting:
                waited = self._waiting.popleft()
                self._outcomes.failed(kind_of(error), waited.scheduled_ns, clock_ns(), example=str(error))
        else:
            self.connections_made += 1
            connection = HttpConnection(
                self, opened, self.answers, self._exchange.known, is_head=self._is_head
            )
            self._open.add(connection)
            self._exchange.add(connection)
            self._take_up(connection)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._connecting.discard(task)
            self._connect_more()


def kind_of(error: Exception) -> str:
    """Return the kind of a failure to connect."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    return "no_descriptors" if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS else "connect"
