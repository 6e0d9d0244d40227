"""Collects garbage while the event loop is idle, and watches how much memory the process has.

It asks itself ten times a second whether a collection is due; `core.optimize.idle_collection` says so. After
a full one it hands what is free in the heap back to the system, where memory is over its limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator

from sprint.core.optimize.idle_collection import FULL_EVERY_S, Measured, due, next_full_every_s
from sprint.tools.optimize.process_memory import ProcessMemory

ASK_S = 0.1
_RESET_ON_FORK = getattr(os, "SCHED_RESET_ON_FORK", 0)
_REALTIME = (getattr(os, "SCHED_FIFO", None), getattr(os, "SCHED_RR", None))


@contextlib.contextmanager
def as_any_other() -> Iterator[None]:
    """Run this thread as one that is not real-time, and then as it was.

    A round over a large heap is one call that nothing can interrupt: at a real-time policy it would be taken
    for a thread that has run wild, and its guard would end the process.
    """
    policy = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else 0
    if policy & ~_RESET_ON_FORK not in _REALTIME:
        yield
        return
    parameters = os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_OTHER | _RESET_ON_FORK, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


class IdleCollector:
    """Runs on the loop from `start` to `stop`. `limit_bytes` of 0 is no limit.

    Memory is sampled whether it runs or not, as long as somebody calls `sample`.
    """

    def __init__(
        self, memory: ProcessMemory, clock: Callable[[], float], trim: Callable[[], object] = lambda: None
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._trim = trim
        self._handle: asyncio.TimerHandle | None = None
        self._asked_at = self._thread_s = self._full_at = 0.0
        self._bytes_after_full = 0
        self.full_every_s = FULL_EVERY_S
        self.limit_bytes = 0
        self.asked = 0  # collections that were made here
        self.trimmed = 0

    @property
    def runs(self) -> bool:
        return self._handle is not None

    @property
    def over_limit(self) -> bool:
        """Tell whether the process has more memory than its level allows."""
        return 0 < self.limit_bytes < self._memory.resident_bytes

    def start(self) -> None:
        """Begin, on the running loop; again is harmless."""
        if self._handle is not None:
            return
        loop = asyncio.get_running_loop()
        self._asked_at = self._full_at = self._clock()
        self._thread_s = time.thread_time()
        self._bytes_after_full = self._memory.resident_bytes
        self._handle = loop.call_later(ASK_S, self._ask, loop)

    def stop(self) -> None:
        """Collect no more; again is harmless."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = loop.call_later(ASK_S, self._ask, loop)
        now, thread_s = self._clock(), time.thread_time()
        passed_s = max(now - self._asked_at, 1e-9)
        measured = Measured(
            busy_share=(thread_s - self._thread_s) / passed_s,
            young_objects=gc.get_count()[0],
            since_full_s=now - self._full_at,
            grown_bytes=self._memory.resident_bytes - self._bytes_after_full,
            over_limit=self.over_limit,
            full_every_s=self.full_every_s,
        )
        generation = due(measured, automatic=gc.get_threshold()[0] > 0)
        if generation is not None:
            self.collect(generation)
        # What the collection itself took is no work of the loop's.
        self._asked_at, self._thread_s = self._clock(), time.thread_time()

    def collect(self, generation: int) -> None:
        """Collect now, and take note of what is left."""
        began = self._clock()
        with as_any_other():
            gc.collect(generation)
        self.asked += 1
        if generation == 2:
            self.full_every_s = next_full_every_s(self.full_every_s, self._clock() - began)
            if self.over_limit:
                self._trim()
                self.trimmed += 1
            self._full_at = self._clock()
            self._bytes_after_full = self._memory.sample()
