"""How late a thread is woken, by cyclictest's method: it sleeps to absolute times, and asks the clock then.

A thread that asked for lengths would count from when it was late, and so never tell how late it is. Where a
wake-up comes after the next deadline, that one is left out, as it would measure the same delay twice.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sprint.core.optimize.linux import sleep_until

INTERVAL_NS = 1_000_000
_SECOND_NS = 1_000_000_000


def wake_ups(
    seconds: float,
    *,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[int], None] = sleep_until,
    interval_ns: int = INTERVAL_NS,
) -> array[int]:
    """Return how many ns after each of its deadlines this thread was awake; a deadline every ms."""
    late = array("q")
    deadline_ns = clock_ns() + interval_ns
    end_ns = deadline_ns + int(seconds * _SECOND_NS)
    while deadline_ns < end_ns:
        sleep(deadline_ns)
        now_ns = clock_ns()
        if now_ns < deadline_ns:
            continue  # a signal woke it
        late.append(now_ns - deadline_ns)
        deadline_ns += interval_ns * ((now_ns - deadline_ns) // interval_ns + 1)
    return late


@contextmanager
def busy_thread() -> Iterator[None]:
    """Have another thread of this interpreter run Python code all the time."""
    ending = threading.Event()
    thread = threading.Thread(target=_run_until, args=(ending,), name="bench-busy", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _run_until(ending: threading.Event) -> None:
    counted = 0
    while not ending.is_set():
        for _ in range(1_000):
            counted += 1
