"""The settings of CPython itself, in this process only: collector, threads, interpreter lock, buffers.

    runtime = PythonRuntime(clock)
    actuators = {**SYSTEM_ACTUATORS, **runtime.actuators()}

Each is read and written as any other setting. None outlives the process, so none is in the journal. What
collects garbage while the loop is idle, and watches memory, is the `IdleCollector` beside this.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Literal

from sprint.core.optimize.setting import Value
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.idle_collector import IdleCollector, as_any_other
from sprint.tools.optimize.preallocation import Preallocated, preallocate

WORKER_THREADS_MAX = 1_024
STACK_BYTES_MIN = 32 << 10  # what CPython takes at the least
STACK_BYTES_MAX = 1 << 30
SWITCH_INTERVAL_US_MAX = 1_000_000
MEMORY_BYTES_MAX = 1 << 50
THRESHOLD_MAX = 2**31 - 1
_MICROSECONDS = 1_000_000


class PythonRuntime:
    """What of CPython a level sets, and what it was told so far."""

    def __init__(
        self, collector: IdleCollector | None = None, trim: Callable[[], object] = lambda: None
    ) -> None:
        """`collector` works on a running loop; without one the settings that need it are refused.

        `trim` gives back to the system what is free in the heap.
        """
        self._collector = collector
        self._trim = trim
        self._workers = self._frozen = 0
        self.preallocated: Preallocated | None = None

    def actuators(self) -> Mapping[str, Actuator]:
        """Return how each setting of CPython is read and written."""
        return {
            "gc_threshold": InProcess(gc.get_threshold, _set_threshold, _is_threshold),
            "gc_freeze": InProcess(lambda: int(self.frozen_objects > 0), self._freeze, _within(1)),
            "gc_idle_collection": InProcess(self._is_collecting, self._collect_when_idle, _within(1)),
            "memory_limit": InProcess(self._memory_limit, self._limit_memory, _within(MEMORY_BYTES_MAX)),
            "thread_stack": InProcess(_stack, _set_stack, _is_stack),
            "switch_interval": InProcess(
                _switch_interval, _set_switch_interval, _within(SWITCH_INTERVAL_US_MAX)
            ),
            "worker_threads": InProcess(lambda: self._workers, self._work_with, _within(WORKER_THREADS_MAX)),
            "preallocated_buffers": InProcess(
                lambda: int(self.preallocated is not None), self._preallocate, _within(1)
            ),
        }

    def freeze(self) -> None:
        """Leave all that was made so far out of later collections, as after the warm-up."""
        self._freeze(1)

    @property
    def frozen_objects(self) -> int:
        """How many objects are frozen, as they were counted when they were: to count them takes a while."""
        return self._frozen if self._collector is None else self._collector.frozen_objects

    @property
    def worker_threads(self) -> int:
        """Threads of the loop's own pool; 0 where it was left at its default."""
        return self._workers

    def _is_collecting(self) -> int:
        return int(self._collector is not None and self._collector.runs)

    def _collect_when_idle(self, value: Value) -> None:
        collector = self._needed()
        if value:
            collector.start()
        else:
            collector.stop()

    def _memory_limit(self) -> int:
        return 0 if self._collector is None else self._collector.limit_bytes

    def _limit_memory(self, value: Value) -> None:
        self._needed().limit(_number(value))

    def _freeze(self, value: Value) -> None:
        """Collect what is garbage, and leave the rest out of later collections; or take it in again."""
        if value:
            with as_any_other():
                gc.collect()
                gc.freeze()
                self._frozen = gc.get_freeze_count()
        else:
            gc.unfreeze()
            self._frozen = 0
        if self._collector is not None:
            self._collector.froze(self._frozen)

    def _needed(self) -> IdleCollector:
        if self._collector is None:
            raise OSError(errno.EOPNOTSUPP, "there is no event loop here that is ever idle")
        return self._collector

    def _work_with(self, value: Value) -> None:
        """Give the loop a pool of so many threads, its default one for 0; work of the old one goes on."""
        threads = _number(value)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise OSError(
                errno.EOPNOTSUPP, "there is no event loop here whose threads could be set"
            ) from error
        pool = ThreadPoolExecutor(threads or None, thread_name_prefix="sprint-work")
        loop.set_default_executor(pool)
        self._workers = threads

    def _preallocate(self, value: Value) -> None:
        if value:
            self.preallocated = preallocate()
        else:
            self._trim()
            self.preallocated = None


class InProcess(Actuator):
    """A setting of this process, as `apply` reads and writes it. Whose `pid` is asked for is left aside."""

    threads: ClassVar[Literal["all", "main", "none"]] = "none"
    host: ClassVar[bool] = False
    inside: ClassVar[bool] = True
    lasting: ClassVar[bool] = False  # it ends with the process, so nothing of it is journalled

    def __init__(
        self, read: Callable[[], Value], write: Callable[[Value], None], valid: Callable[[Value], bool]
    ) -> None:
        self._read = read
        self._write = write
        self._valid = valid

    def read(self, pid: int) -> Value:  # whose id it is makes no difference
        del pid
        return self._read()

    def valid(self, value: Value) -> bool:
        """Whether it may be set to a value."""
        return self._valid(value)

    def write(self, pid: int, value: Value) -> None:
        """Set it; OSError where it cannot be, as of a setting of the system."""
        del pid
        try:
            self._write(value)
        except (ValueError, TypeError, RuntimeError) as error:
            raise OSError(errno.EINVAL, str(error)) from error


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r}: want a whole number")
    return value


def _within(most: int) -> Callable[[Value], bool]:
    """Return a check for a whole number from 0 to `most`."""
    return lambda value: isinstance(value, int) and 0 <= value <= most


def _is_threshold(value: Value) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and all(isinstance(each, int) and 0 <= each <= THRESHOLD_MAX for each in value)
    )


def _set_threshold(value: Value) -> None:
    if not isinstance(value, tuple):
        raise TypeError(f"{value!r}: want three thresholds")
    gc.set_threshold(*(_number(each) for each in value))


def _is_stack(value: Value) -> bool:
    return isinstance(value, int) and (value == 0 or STACK_BYTES_MIN <= value <= STACK_BYTES_MAX)


def _stack() -> int:
    """Return the stack of threads to come, 0 for the system's; asking sets it to that, so it is put back."""
    size = threading.stack_size()
    threading.stack_size(size)
    return size


def _set_stack(value: Value) -> None:
    """Set the stack of threads that begin from now on; those that run keep theirs."""
    threading.stack_size(_number(value))


def _switch_interval() -> int:
    return round(sys.getswitchinterval() * _MICROSECONDS)


def _set_switch_interval(value: Value) -> None:
    sys.setswitchinterval(_number(value) / _MICROSECONDS)
