"""One generator's run: the schedule's requests at their moments, until its end or until it is told to stop.

What is done with a request is the target's affair: `HttpGenerator`, `SimulatedTarget`.
"""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from sprint.core.loadtest.schedule import Schedule
from sprint.tools.loadtest.moments import NS_PER_MS, NS_PER_S, clock_ns
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.pacer import Pacer
from sprint.tools.loadtest.ready_set import ReadySet

BATCH_MAX = 16  # requests a turn: what has been answered meanwhile is read in between
AHEAD_MAX = 64  # moments that are worked out together: what is due then waits for some microseconds
SWEEP_S = 0.05
LATE_NS_MAX = 100 * NS_PER_MS  # beyond the end, what is still due is left
STOPPED = "the run was ended, the generator was behind"
TOO_SLOW = "the generator was too slow"
STOP_GRACE_S = 1.0  # for answers that are under way when somebody ends the run


class Target(Protocol):
    """What requests are sent to. `advance` does what is due by a moment; it returns when there is more.

    `send` is given the requests first, first + step, … with their moments, and notes of each how late it was
    come to.
    """

    @property
    def answers(self) -> ReadySet | None: ...
    @property
    def pending(self) -> int: ...
    @property
    def connections(self) -> int: ...
    @property
    def states(self) -> Mapping[str, str]: ...
    def begin(self, started_ns: int) -> None: ...
    def is_opening(self) -> bool: ...
    def send(self, first: int, step: int, moments_ns: Sequence[int]) -> None: ...
    def advance(self, now_ns: int) -> int | None: ...
    def sweep(self, now_ns: int) -> None: ...
    async def close(self) -> None: ...


class Part(NamedTuple):
    """Which one of so many generators this is, and how long an answer may take."""

    process: int
    processes: int
    timeout_ns: int


class Generating:
    """Sends to a target what a schedule says."""

    def __init__(
        self,
        schedule: Schedule,
        target: Target,
        outcomes: Outcomes,
        part: Part,
    ) -> None:
        self._schedule = schedule
        self._target = target
        self._outcomes = outcomes
        self._number = part.process
        self._step = part.processes
        self._grace_s = part.timeout_ns / NS_PER_S + 2 * SWEEP_S
        self._started_ns = 0
        self._ahead_ns: list[int] = []  # moments that are worked out
        self._ahead_at = 0  # the place of the next one
        self._stopped = asyncio.Event()
        self._sent_all = asyncio.Event()
        self.ended_ns = 0

    def __repr__(self) -> str:
        return f"Generating({self._schedule}, {self._target})"

    @property
    def pending(self) -> int:
        """How many requests were due and have no result yet."""
        return self._target.pending

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._target.connections

    @property
    def states(self) -> Mapping[str, str]:
        """The state of each breaker by its name."""
        return self._target.states

    @property
    def said(self) -> list[str]:
        """What a reader of the report should know: all of it is in the figures."""
        return []

    def stop(self) -> None:
        """Send no more, and wait a short while for what was sent."""
        self._grace_s = min(self._grace_s, STOP_GRACE_S)
        self._stop_sending(STOPPED)

    async def run(self, started_ns: int) -> None:
        """Send from a moment of the clock on, wait for the answers, and close the target."""
        self._started_ns = started_ns
        self._target.begin(started_ns)
        pacer = Pacer(
            asyncio.get_running_loop(),
            self._turn,
            self._sent_all.set,
            answers=self._target.answers,
            is_restless=self._target.is_opening,
        )
        sweeping = asyncio.create_task(self._sweep())
        try:
            pacer.start()
            await self._sent_all.wait()
            if pacer.error is not None:
                raise pacer.error
            await self._end_of_schedule()
            self.ended_ns = clock_ns()
            await self._last_answers()
        finally:
            pacer.stop()
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            await self._target.close()

    def _stop_sending(self, reason: str) -> None:
        """Leave what was due by now and isn't sent, and count it."""
        if not self._stopped.is_set():
            due = self._schedule.due(clock_ns() - self._started_ns)
            come_to = self._schedule.taken - (len(self._ahead_ns) - self._ahead_at)
            self._outcomes.never_sent(reason, due - come_to)
            self._ahead_ns, self._ahead_at = [], 0
            self._stopped.set()
            self._sent_all.set()

    def _turn(self, now_ns: int) -> int | None:
        """Send what is due, at most `BATCH_MAX`; return when there is more to do."""
        ahead_ns, at = self._ahead_ns, self._ahead_at
        if at < len(ahead_ns) and ahead_ns[at] <= now_ns:
            self._send_due(now_ns)
        next_ns = self._next_ns()
        if next_ns is None:
            self._sent_all.set()
        ends_ns = self._target.advance(now_ns)
        if next_ns is None or ends_ns is None:
            return ends_ns if next_ns is None else next_ns
        return min(next_ns, ends_ns)

    def _next_ns(self) -> int | None:
        """Return when the next request is due; None where none is to be sent any more."""
        if self._ahead_at < len(self._ahead_ns):
            return self._ahead_ns[self._ahead_at]
        if self._stopped.is_set():
            return None
        schedule, started_ns = self._schedule, self._started_ns
        moments_ns = schedule.take(schedule.duration_ns, AHEAD_MAX)
        self._ahead_ns, self._ahead_at = [started_ns + moment_ns for moment_ns in moments_ns], 0
        return self._ahead_ns[0] if moments_ns else None

    def _send_due(self, now_ns: int) -> None:
        if now_ns - self._started_ns > self._schedule.duration_ns + LATE_NS_MAX:
            self._stop_sending(TOO_SLOW)
        ahead_ns, at = self._ahead_ns, self._ahead_at
        end = bisect_right(ahead_ns, now_ns, at, min(at + BATCH_MAX, len(ahead_ns)))
        if end > at:
            # Noted first: one that can't be sent is not to be come to again.
            first, self._number = self._number, self._number + self._step * (end - at)
            self._ahead_at = end
            self._target.send(first, self._step, ahead_ns[at:end])

    async def _end_of_schedule(self) -> None:
        """Wait until the duration is over: the last request may be due well before."""
        left_s = (self._started_ns + self._schedule.duration_ns - clock_ns()) / NS_PER_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(left_s, 0.0)):
                await self._stopped.wait()

    async def _last_answers(self) -> None:
        """Wait until nothing is pending, as long as an answer may take."""
        begun_ns = clock_ns()
        while self._target.pending:
            if clock_ns() - begun_ns >= self._grace_s * NS_PER_S:
                return
            await asyncio.sleep(SWEEP_S)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._target.sweep(clock_ns())
