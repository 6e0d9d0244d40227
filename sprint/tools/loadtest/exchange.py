"""Sends what is due over free connections and takes the answers, many of each in one call.

At a high rate a quarter of what a request costs is Python's, and much of that is calls. So the usual case is
written out here: a free connection, an answer in one read that is known. All else is done by the connection
and its owner.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sprint.tools.loadtest.http_connection import READ_SIZE, HttpConnection, KnownAnswers
from sprint.tools.loadtest.moments import clock_ns
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.ready_set import ReadySet
from sprint.tools.loadtest.request_template import RequestTemplate


class Waiting(NamedTuple):
    """A request that was due and has no connection yet."""

    number: int
    scheduled_ns: int
    short_since_ns: int  # since when a worker was missing; 0 where a connection is only being opened


class Exchange:
    """Requests of some templates, in turn, over the connections that are `free`, the last one first.

    `freed` is called after answers were taken, for requests that wait. With `takes_together` false each
    connection reads its own answers.
    """

    def __init__(
        self,
        templates: Sequence[RequestTemplate],
        outcomes: Outcomes,
        freed: Callable[[], None],
        *,
        takes_together: bool = True,
    ) -> None:
        self._templates = templates
        self._turns = len(templates)
        self._only = templates[0].always if len(templates) == 1 else None
        self._outcomes = outcomes
        self._freed = freed
        self._by_descriptor: dict[int, HttpConnection] = {}
        self.known = KnownAnswers()
        self.answers = ReadySet(self._take if takes_together else None)
        self.free: list[HttpConnection] = []
        self.in_flight = 0

    def __repr__(self) -> str:
        return f"Exchange({self.in_flight} in flight, {len(self.free)} free)"

    def add(self, connection: HttpConnection) -> None:
        """Take the answers of a connection together with others', as long as it is open."""
        self._by_descriptor[connection.descriptor] = connection

    def forget(self, connection: HttpConnection) -> None:
        """Forget a connection that was closed; another may have its descriptor by now."""
        if self._by_descriptor.get(connection.descriptor) is connection:
            del self._by_descriptor[connection.descriptor]

    def send(self, first: int, step: int, moments_ns: Sequence[int]) -> int:
        """Send the requests first, first + step, … that were due at these moments; return how many.

        Fewer than all where no connection is free for more.
        """
        free, only = self.free, self._only
        late_ns: list[int] = []
        size, number, now_ns = 0, first, 0
        for scheduled_ns in moments_ns:
            connection = free.pop() if free else None
            while connection is not None and connection.closed:
                connection = free.pop() if free else None
            if connection is None:
                break
            now_ns = clock_ns()
            late_ns.append(now_ns - scheduled_ns)
            request = self.request(number) if only is None else only
            connection.send(request, scheduled_ns, now_ns)
            size += len(request)
            number += step
        if late_ns:
            self.in_flight += len(late_ns)
            self._outcomes.sent_together(late_ns, now_ns, size)
        return len(late_ns)

    def send_waiting(self, waiting: deque[Waiting]) -> None:
        """Send what waits, as far as connections are free."""
        free, size, count = self.free, 0, 0
        while waiting and free:
            connection = free.pop()
            if connection.closed:
                continue
            number, scheduled_ns, short_since_ns = waiting.popleft()
            request, now_ns = self.request(number), clock_ns()
            connection.send(request, scheduled_ns, now_ns)
            size += len(request)
            count += 1
            if short_since_ns:
                self._outcomes.waited(now_ns - short_since_ns)
        self.in_flight += count
        self._outcomes.sent(size)

    def request(self, number: int) -> bytes:
        """Return the bytes of the n-th request."""
        return self._templates[number % self._turns].request(number)

    def _take(self, events: list[tuple[int, int]]) -> None:
        """Take answers that came whole and are known; let their connections do all else."""
        of, known_of, free = self._by_descriptor.get, self.known.by_size.get, self.free
        responses_ns: list[int] = []
        services_ns: list[int] = []
        received = done_ns = 0
        for descriptor, ready_for in events:
            connection = of(descriptor)
            if connection is None or connection.closed or ready_for != select.EPOLLIN:
                self.answers.call(descriptor, ready_for)
                continue
            try:
                data = connection.receive(READ_SIZE)
            except OSError as error:
                connection.unread(error)
                continue
            now_ns = clock_ns()
            head = known_of(len(data))
            if head is None or not data.startswith(head) or connection.received or not connection.busy:
                connection.take(data, now_ns)
                continue
            done_ns = now_ns
            connection.busy = False
            received += len(data)
            responses_ns.append(done_ns - connection.scheduled_ns)
            services_ns.append(done_ns - connection.sent_ns)
            free.append(connection)
        if responses_ns:
            self.in_flight -= len(responses_ns)
            self._outcomes.succeeded_together(responses_ns, services_ns, done_ns, received)
            self._freed()
