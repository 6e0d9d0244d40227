"""Collects garbage while the event loop is idle, and watches how much memory the process has.

It asks itself ten times a second whether a round is due; `core.optimize.idle_collection` says which. What a
full one finds alive it may freeze, and a whole one thaws. Where memory is over its limit, it hands what is
free in the heap back to the system.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator

from sprint.core.optimize.idle_collection import Measured, Round, due, due_over_limit, freezes, keeps_priority
from sprint.tools.optimize.object_growth import ObjectGrowth
from sprint.tools.optimize.process_memory import ProcessMemory

ASK_S = 0.1
_GENERATIONS: dict[Round, int] = {"young": 1, "full": 2, "whole": 2}
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
    """Runs on the loop from `start` to `stop`, and as long as there is a limit. `limit_bytes` 0 is none.

    Memory is sampled whether it runs or not, as long as somebody calls `sample`.
    """

    def __init__(
        self, memory: ProcessMemory, clock: Callable[[], float], trim: Callable[[], object] = lambda: None
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._trim = trim
        self._growth = ObjectGrowth()
        self._handle: asyncio.TimerHandle | None = None
        self._asked_at = self._thread_s = self._full_at = self._whole_at = 0.0
        self._bytes_after_full = self._bytes_after_whole = self._objects_after_full = 0
        self._may_freeze = False
        self._frozen = self._whole = 0
        self._limit_bytes = 0
        self.runs = False
        self.asked = 0  # collections that were made here
        self.trimmed = 0

    @property
    def limit_bytes(self) -> int:
        return self._limit_bytes

    def limit(self, limit_bytes: int) -> None:
        """Watch how much memory there is from now on, on the running loop; 0 ends that."""
        self._limit_bytes = limit_bytes
        self._ask_or_not()

    @property
    def over_limit(self) -> bool:
        """Tell whether the process has more memory than its level allows."""
        return 0 < self._limit_bytes < self._memory.resident_bytes

    def start(self) -> None:
        """Collect from now on, on the running loop; again is harmless."""
        if not self.runs:
            self.runs = True
            self._growth.start()
            self._objects_after_full = self._growth.objects
            self._ask_or_not()

    def stop(self) -> None:
        """Collect no more; again is harmless."""
        self.runs = False
        self._growth.stop()
        self._ask_or_not()

    def close(self) -> None:
        """Stop, and watch no limit any more."""
        self._limit_bytes = 0
        self.stop()

    @property
    def frozen_objects(self) -> int:
        return self._whole + self._frozen

    def froze(self, objects: int) -> None:
        """Take note that all objects, so many, were frozen after a round: what comes may be as well.

        0: that all were thawed, and that nothing is to be frozen.
        """
        self._may_freeze = objects > 0
        self._frozen, self._whole = 0, objects
        self._bytes_after_whole = self._memory.sample()
        self._whole_at = self._clock()
        self._growth.froze()
        self._objects_after_full = 0

    def _ask_or_not(self) -> None:
        wanted = self.runs or self._limit_bytes > 0
        if wanted and self._handle is None:
            loop = asyncio.get_running_loop()
            self._asked_at = self._full_at = self._clock()
            self._thread_s = time.thread_time()
            self._bytes_after_full = self._memory.resident_bytes
            self._handle = loop.call_later(ASK_S, self._ask, loop)
        elif not wanted and self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = loop.call_later(ASK_S, self._ask, loop)
        measured = self._measured(self._clock())
        automatic = gc.get_threshold()[0] > 0
        round_ = due(measured, automatic=automatic) if self.runs else due_over_limit(measured)
        if round_ is not None:
            self.collect(round_)
        # What the collection itself took is no work of the loop's.
        self._asked_at, self._thread_s = self._clock(), time.thread_time()

    def _measured(self, now: float) -> Measured:
        return Measured(
            busy_share=(time.thread_time() - self._thread_s) / max(now - self._asked_at, 1e-9),
            young_objects=gc.get_count()[0],
            grown_objects=self._growth.objects - self._objects_after_full,
            alive_objects=self._objects_after_full,
            since_full_s=now - self._full_at,
            grown_bytes=self._memory.resident_bytes - self._bytes_after_full,
            frozen_objects=self._frozen,
            whole_objects=self._whole,
            whole_grown_bytes=self._memory.resident_bytes - self._bytes_after_whole,
            since_whole_s=now - self._whole_at,
            over_limit=self.over_limit,
        )

    def collect(self, round_: Round) -> None:
        """Make a round now, and take note of what is left."""
        with contextlib.nullcontext() if self._is_short(round_) else as_any_other():
            if round_ == "whole":
                gc.unfreeze()
            gc.collect(_GENERATIONS[round_])
            if round_ == "whole":
                gc.freeze()
                self.froze(gc.get_freeze_count())
            elif round_ == "full":
                self._freeze_what_is_much()
        self.asked += 1
        if round_ != "young":
            self._take_note()

    def _is_short(self, round_: Round) -> bool:
        """Count what a round looks at, a tenth of its work: on an estimate a process' life must not hang."""
        if round_ == "whole":
            return False
        return keeps_priority(self._growth.count() if round_ == "full" else self._growth.count_young())

    def _freeze_what_is_much(self) -> None:
        if self._may_freeze and freezes(alive := self._growth.objects):
            gc.freeze()
            self._frozen += alive
            self._growth.froze()

    def _take_note(self) -> None:
        if self.over_limit:
            self._trim()
            self.trimmed += 1
        self._objects_after_full = self._growth.objects
        self._full_at = self._clock()
        self._bytes_after_full = self._memory.sample()
