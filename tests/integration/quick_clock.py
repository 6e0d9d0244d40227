"""A clock that runs ahead while nobody has anything to do, so that minutes of faults take seconds.

    clock = QuickClock()
    clock.install()                      # before anything of `sprint` is imported
    with asyncio.Runner(loop_factory=clock.new_loop) as runner: …

Sockets and threads are real and take their time: only where no socket has had anything for `QUIET_S` does the
clock leap, to the loop's next timer or by `LEAP_S`. So nothing runs out of time because the machine is busy.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable

QUIET_S = 0.002  # real; longer than a message takes on loopback
LEAP_S = 0.25


class QuickClock:
    """Stands in for `time.monotonic` and `time.time` of the whole process. It leaps only while `leaping`."""

    def __init__(self) -> None:
        self._monotonic: Callable[[], float] = time.monotonic
        self._time: Callable[[], float] = time.time
        self.ahead_s = 0.0
        self.leaping = False

    def __repr__(self) -> str:
        return f"QuickClock({self.ahead_s:.3f} s ahead)"

    def install(self) -> None:
        """Let this process live by this clock; who has taken `time.monotonic` by name before does not."""
        time.monotonic = self.monotonic
        time.time = self.time

    def monotonic(self) -> float:
        return self._monotonic() + self.ahead_s

    def time(self) -> float:
        return self._time() + self.ahead_s

    def real(self) -> float:
        """Return monotonic seconds that never leap."""
        return self._monotonic()

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_LeapingSelector(self))


class _LeapingSelector(selectors.DefaultSelector):
    """Waits for sockets a moment only; where none has anything, the clock leaps instead."""

    def __init__(self, clock: QuickClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self._clock.leaping or timeout is None or timeout <= QUIET_S:
            return super().select(timeout)
        ready = super().select(QUIET_S)
        if not ready:
            self._clock.ahead_s += min(timeout - QUIET_S, LEAP_S)
        return ready
