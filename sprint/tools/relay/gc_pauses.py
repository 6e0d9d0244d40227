"""How long the garbage collector holds the process up: `sprint_gc_pause_seconds`.

Python's collector stops every thread while it looks through what was made. Counts are kept in plain lists:
it may run in the middle of anything, so also where a metric of the client library holds its lock.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Literal

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from sprint.tools.runtime import clock, wall_clock

BOUNDS_S = (0.000_01, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
GENERATIONS = 3


class GcPauses(Collector):
    """Counts from `start` to `stop`, by the generation that was collected."""

    def __init__(self) -> None:
        self._counts = [[0] * (len(BOUNDS_S) + 1) for _ in range(GENERATIONS)]
        self._sums = [0.0] * GENERATIONS
        self._begun = 0.0
        self.last = 0.0  # when the newest ended, in Unix seconds; 0 before there is one

    def start(self) -> None:
        gc.callbacks.append(self._note)

    def stop(self) -> None:
        """Count no more; again is harmless."""
        if self._note in gc.callbacks:
            gc.callbacks.remove(self._note)

    @property
    def seconds(self) -> float:
        """All pauses together."""
        return sum(self._sums)

    @property
    def collections(self) -> int:
        return sum(map(sum, self._counts))

    def counts(self, generation: int) -> tuple[int, ...]:
        """Return the pauses up to each bound from the one before, and those beyond the last."""
        return tuple(self._counts[generation])

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(
            "sprint_gc_pause_seconds",
            "How long a collection of garbage held the process up",
            labels=("generation",),
        )
        bounds = [*map(str, BOUNDS_S), "+Inf"]
        for generation, counts in enumerate(self._counts):
            buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
            family.add_metric((str(generation),), buckets, self._sums[generation])
        yield family

    def _note(self, phase: Literal["start", "stop"], info: dict[str, Any]) -> None:
        if phase == "start":
            self._begun = clock()
            return
        seconds, generation = clock() - self._begun, info["generation"]
        self._counts[generation][bisect_left(BOUNDS_S, seconds)] += 1
        self._sums[generation] += seconds
        self.last = wall_clock()
