"""A virtual clock: callbacks in the order of their times, ties in the order they were set."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class VirtualClock:
    def __init__(self) -> None:
        self.now = 0.0
        self._order = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def call_at(self, at: float, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._due, (max(at, self.now), self._order, action))

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        self.call_at(self.now + delay_s, action)

    def run_until(self, end: float, steps_max: int = 500_000) -> None:
        """Run what is due up to `end`. Fails rather than spin for ever at one moment."""
        steps = 0
        while self._due and self._due[0][0] <= end:
            self.now, _, action = heapq.heappop(self._due)
            action()
            steps += 1
            if steps > steps_max:
                raise AssertionError(f"{steps_max} steps by virtual second {self.now:.3f}: something spins")
        self.now = end
