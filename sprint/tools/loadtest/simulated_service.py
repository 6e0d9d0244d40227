"""The target that needs no network: the breaker of a tier around a service that is simulated.

A call takes a time between the two that were asked for and fails at a rate that may change while the run goes
on. What the breaker doesn't let through is rejected and takes no time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sprint.core.breaker.outcomes import State
from sprint.core.errors import CircuitOpenError
from sprint.tools.breaker import CircuitBreaker, HeldPermit
from sprint.tools.loadtest.moments import NS_PER_MS, clock_ns
from sprint.tools.loadtest.outcomes import Outcomes

NO_WORKER = "no worker free"
IN_FLIGHT_MAX = 1_000_000  # calls at a time; some 200 MB

# Seconds after the run's start in, share of calls that fail out.
FailureRate = Callable[[float], float]
Random = Callable[[], float]


class Service(NamedTuple):
    """The simulated service: latencies in ms, evenly spread between the two."""

    latency_ms_min: float
    latency_ms_max: float
    failure_rate: FailureRate


class ServiceLimits(NamedTuple):
    workers_max: int
    timeout_ns: int


class _Call(NamedTuple):
    done_ns: int
    number: int
    scheduled_ns: int
    sent_ns: int
    fails: bool
    permit: HeldPermit


class SimulatedTarget:
    """Calls of a simulated service through a breaker. `random` gives numbers of 0 <= x < 1."""

    def __init__(
        self,
        breaker: CircuitBreaker,
        service: Service,
        outcomes: Outcomes,
        limits: ServiceLimits,
        random: Random,
    ) -> None:
        self.breaker = breaker
        self.breaker.listen(outcomes.changed)
        self._service = service
        self._outcomes = outcomes
        self._workers_max = min(limits.workers_max, IN_FLIGHT_MAX)
        self._timeout_ns = limits.timeout_ns
        self._random = random
        self._calls: list[_Call] = []
        self._started_ns = 0

    def __repr__(self) -> str:
        return f"SimulatedTarget({self.breaker!r}, {len(self._calls)} in flight)"

    @property
    def answers(self) -> None:
        """The sockets that answers come by: there are none in process."""

    @property
    def in_flight(self) -> int:
        return len(self._calls)

    @property
    def pending(self) -> int:
        return len(self._calls)

    @property
    def connections(self) -> int:
        """How many connections are open: there are none in process."""
        return 0

    def is_opening(self) -> bool:
        """Whether connections are being opened: there are none in process."""
        return False

    @property
    def states(self) -> dict[str, State]:
        """The state of each breaker by its name."""
        return {self.breaker.name: self.breaker.state}

    def begin(self, started_ns: int) -> None:
        """Count the time of the run from here on."""
        self._started_ns = started_ns

    def send(self, first: int, step: int, moments_ns: Sequence[int]) -> None:
        """Make the calls first, first + step, …, due at these moments."""
        for place, scheduled_ns in enumerate(moments_ns):
            now_ns = clock_ns()
            self._outcomes.dispatched(scheduled_ns, now_ns)
            self._call(first + place * step, scheduled_ns, now_ns)

    def _call(self, number: int, scheduled_ns: int, now_ns: int) -> None:
        """Make the n-th call, if the breaker lets it through and a worker is free."""
        if len(self._calls) >= self._workers_max:
            self._outcomes.never_sent(NO_WORKER)
            return
        try:
            permit = self.breaker.admit()
        except CircuitOpenError:
            self._outcomes.rejected(scheduled_ns, clock_ns())
            return
        service = self._service
        width_ms = service.latency_ms_max - service.latency_ms_min
        taken_ns = round((service.latency_ms_min + width_ms * self._random()) * NS_PER_MS)
        elapsed_s = (scheduled_ns - self._started_ns) / 1e9
        fails = self._random() < service.failure_rate(elapsed_s)
        done_ns = now_ns + min(taken_ns, self._timeout_ns)
        heapq.heappush(self._calls, _Call(done_ns, number, scheduled_ns, now_ns, fails, permit))

    def advance(self, now_ns: int) -> int | None:
        """End the calls whose time has come; return when the next one ends."""
        calls = self._calls
        while calls and calls[0].done_ns <= now_ns:
            self._end(heapq.heappop(calls), clock_ns())
        return calls[0].done_ns if calls else None

    def sweep(self, now_ns: int) -> None:
        """Nothing: a call's own end is never later than its timeout."""

    async def close(self) -> None:
        """Give all calls up that are still under way."""
        for call in self._calls:
            call.permit.settle("cancelled")
            self._outcomes.unanswered()
        self._calls.clear()

    def _end(self, call: _Call, done_ns: int) -> None:
        timed_out = call.done_ns - call.sent_ns >= self._timeout_ns
        if timed_out or call.fails:
            kind = "timeout" if timed_out else "simulated"
            call.permit.settle("failure", why=f"the simulated service {'hangs' if timed_out else 'failed'}")
            self._outcomes.failed(kind, call.scheduled_ns, done_ns)
        else:
            call.permit.success()
            self._outcomes.succeeded(call.scheduled_ns, call.sent_ns, done_ns)
