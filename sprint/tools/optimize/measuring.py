"""Measures a process from within, as long as it runs: memory ten times a second, CPU and pauses once.

What the figures are called is the core's affair (`core.optimize.stats`); here they are read.
"""

from __future__ import annotations

import asyncio
import gc
import platform
import resource
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sprint.core.optimize.stats import Figures
from sprint.tools.optimize.process_memory import ProcessMemory

MEMORY_S = 0.1
TICKS_PER_SECOND = 10
SHARE_WINDOW_S = 60
SHARE_WINDOW_LEAST_S = 10.0
_STATUS = Path("/proc/self/status")
_TASKS = Path("/proc/self/task")
_KILOBYTE = 1_024


class Pauses(Protocol):
    """The account of the collector's pauses, which the relay keeps."""

    last: float

    @property
    def seconds(self) -> float:
        """All pauses together."""

    @property
    def collections(self) -> int:
        """How many there were."""


class Measuring:
    """Runs on the loop from `start` to `stop`.

    `gc_share` is of the last minute, `cpu_share` of the last second.
    """

    def __init__(self, memory: ProcessMemory, pauses: Pauses, clock: Callable[[], float]) -> None:
        self.memory = memory
        self.pauses = pauses
        self._clock = clock
        self._handle: asyncio.TimerHandle | None = None
        self._ticks = 0
        # When, and how long all pauses were by then: one of each second of the window, and the one before.
        self._pauses_by: deque[tuple[float, float]] = deque(maxlen=SHARE_WINDOW_S + 1)
        self._cpu_by = (0.0, 0.0)
        self.cpu_share = 0.0

    def start(self) -> None:
        """Begin, on the running loop."""
        now = self._clock()
        self._pauses_by.append((now, self.pauses.seconds))
        self._cpu_by = (now, time.process_time())
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(MEMORY_S, self._tick, loop)

    def stop(self) -> None:
        """Measure no more; again is harmless."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @property
    def gc_share(self) -> float:
        """Time in the collector over the time passed, of the last minute or since the start.

        Of at least ten seconds: else the one long round at the start would be most of the first second.
        """
        if not self._pauses_by:
            return 0.0
        began, seconds = self._pauses_by[0]
        return (self.pauses.seconds - seconds) / max(self._clock() - began, SHARE_WINDOW_LEAST_S)

    @property
    def tasks(self) -> int:
        return len(asyncio.all_tasks())

    @property
    def threads(self) -> int:
        """Threads of the process, also those that are none of Python's."""
        try:
            return sum(1 for _ in _TASKS.iterdir())
        except OSError:
            return threading.active_count()

    @staticmethod
    def context_switches() -> tuple[int, int]:
        """Return how often the process waited, and how often it was made to wait (getrusage(2))."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_nvcsw, used.ru_nivcsw

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = loop.call_later(MEMORY_S, self._tick, loop)
        self.memory.sample()
        self._ticks += 1
        if self._ticks % TICKS_PER_SECOND == 0:
            now, used = self._clock(), time.process_time()
            before, used_before = self._cpu_by
            self.cpu_share = (used - used_before) / max(now - before, 1e-3)
            self._cpu_by = (now, used)
            self._pauses_by.append((now, self.pauses.seconds))


def stack_bytes() -> int | None:
    """Return the main thread's stack (VmStk of proc_pid_status(5)); None where the system doesn't tell."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("VmStk:")), None)
    return int(found.split()[1]) * _KILOBYTE if found else None


def figures_of(measuring: Measuring) -> Figures:
    """Return what is known of this process now; what a level makes of it is for the caller to add."""
    memory, pauses = measuring.memory, measuring.pauses
    return Figures(
        system=platform.system().lower(),
        machine=platform.machine(),
        python=platform.python_version(),
        resident_bytes=memory.resident_bytes,
        mapped_bytes=memory.data_bytes,
        stack_bytes=stack_bytes(),
        allocated_blocks=sys.getallocatedblocks(),
        gc_share=round(measuring.gc_share, 6),
        collections=pauses.collections,
        pauses_s=pauses.seconds,
        last_collection=pauses.last or None,
        pointer_bytes=struct.calcsize("P"),
        tasks=measuring.tasks,
        threads=measuring.threads,
    )


def runtime_of(measuring: Measuring) -> dict[str, object]:
    """Return what else is told of the interpreter: the loop, the collector, the share of a CPU."""
    loop = type(asyncio.get_running_loop())
    return {
        "event_loop": f"{loop.__module__}.{loop.__qualname__}",
        "cpu_share": round(measuring.cpu_share, 4),
        "gc_thresholds": list(gc.get_threshold()),
        "switch_interval_us": round(sys.getswitchinterval() * 1e6),
    }
