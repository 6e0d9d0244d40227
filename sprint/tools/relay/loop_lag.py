"""How late the event loop is: a timer that measures how long after it was due it fired.

Everything of a relay but proofs, files and the store's writer runs on one loop, so this is the time that any
of it may wait before it begins. Its resolution is that of uvloop's timers, one millisecond.
"""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, Histogram

from sprint.tools.runtime import clock

INTERVAL_S = 0.1
BOUNDS_S = (0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """`sprint_event_loop_lag_seconds`, observed ten times a second from `start` to `stop`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "sprint_event_loop_lag_seconds",
            "How late the event loop ran a timer",
            registry=registry,
            buckets=BOUNDS_S,
        )
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to measure; to be called on the loop."""
        self._due = clock() + INTERVAL_S
        self._handle = asyncio.get_running_loop().call_later(INTERVAL_S, self._fired)

    def stop(self) -> None:
        """Measure no more; again is harmless."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fired(self) -> None:
        # uvloop's timers count in whole milliseconds: one may fire that much early, which is no lag.
        self._seconds.observe(max(0.0, clock() - self._due))
        self.start()
