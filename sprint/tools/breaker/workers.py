"""The breakers' background work: states, metrics, health, the adaptive threshold, and clearing up.

In a program with an event loop it is a task (`async with workers.running()`), in any other a thread
(`with workers.in_thread()`). Either ends at once when it is left: a round over ten thousand breakers stops
between two of them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil

from sprint.core.breaker.explain import Explanation
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.rounds import Intervals, Rounds, Work
from sprint.tools import runtime
from sprint.tools.breaker.circuit_breaker import CircuitBreaker
from sprint.tools.breaker.registry import BreakerRegistry

# A round gives the event loop its turn after so many breakers, some 1 ms of work.
BREAKERS_A_TURN = 50
STOP_S_MAX = 1.0

Metrics = Callable[[Explanation], object]

_logger = logging.getLogger(__name__)


def resource_share() -> float:
    """Return how much of the machine is used, 0.0 to 1.0: of its processors or its memory, the scarcer."""
    return max(psutil.cpu_percent(), psutil.virtual_memory().percent) / 100.0


class BreakerWorkers:
    """Does the background work of a registry. `metrics` is given the explanation of each breaker in turn.

    What a work raises is logged and counted in `errors`; the rounds go on.
    """

    def __init__(
        self,
        registry: BreakerRegistry,
        intervals: Intervals | None = None,
        *,
        metrics: Metrics | None = None,
        resources: Callable[[], float] = resource_share,
    ) -> None:
        self.errors = 0
        self._registry = registry
        self._intervals = intervals or Intervals()
        self._metrics = metrics
        self._resources = resources
        self._rounds = Rounds(self._intervals, registry.clock())

    def adopt(self, intervals: Intervals) -> None:
        """Go by other intervals, from the end of the current wait at the latest."""
        self._intervals = intervals
        self._rounds.adopt(intervals, self._registry.clock())

    def steps(self) -> Iterator[None]:
        """Do what is due, a few breakers at a step, so that whoever runs it can stop or do something else."""
        for work in self._rounds.take_due(self._registry.clock()):
            yield from self._round(work)

    def wait_s(self) -> float:
        """Return how long nothing is due."""
        return self._rounds.wait_s(self._registry.clock())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do the work in a task while within."""
        async with runtime.background(self._run()):
            yield

    @contextmanager
    def in_thread(self) -> Iterator[None]:
        """Do the work in a thread while within."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run_until, args=(stop,), name="sprint-breakers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(STOP_S_MAX)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.wait_s())
            for _ in self.steps():
                await asyncio.sleep(0)

    def _run_until(self, stop: threading.Event) -> None:
        while not stop.wait(self.wait_s()):
            for _ in self.steps():
                if stop.is_set():
                    return

    def _round(self, work: Work) -> Iterator[None]:
        if work == "cleanup":
            self._clear_up()
            return
        share = self._resource_share() if work == "health" else None
        for number, breaker in enumerate(self._registry, 1):
            self._do(work, breaker, share)
            if number % BREAKERS_A_TURN == 0:
                yield
        yield

    def _clear_up(self) -> None:
        try:
            self._registry.drop_idle(self._intervals.idle_s)
        except Exception:  # what is not dropped now is dropped in the next round
            self.errors += 1
            _logger.exception("background work 'cleanup' failed")

    def _resource_share(self) -> float | None:
        """Return the share in use; None, which is neutral, where it could not be measured."""
        try:
            return self._resources()
        except Exception:  # the rest of a breaker's health is still known
            self.errors += 1
            _logger.exception("what is in use of the machine could not be measured")
            return None

    def _do(self, work: Work, breaker: CircuitBreaker, share: float | None) -> None:
        try:
            if work == "metrics":
                if self._metrics is not None:
                    self._metrics(breaker.explain())
            elif work == "health":
                breaker.tend(lambda machine, now: machine.evaluate_health(now, resource_share=share))
            else:
                breaker.tend(Machine.evaluate_state if work == "state" else Machine.adapt)
        except Exception:  # one breaker's mishap must not end the work of all the others
            self.errors += 1
            _logger.exception("background work %r of breaker %r failed", work, breaker.name)
