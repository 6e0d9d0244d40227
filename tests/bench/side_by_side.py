"""Runs several ways to do the same work in turns, and tells how many times faster each is than the first.

All take their turn in every round, in a changing order, and the ratio is taken within the round: so what
else the machine does touches them alike. Time is that of the thread, without what others run in between.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping

from tests.bench.figures import median

Run = Callable[[int], float]  # of a round's number; returns nanoseconds for one operation


def timed(work: Callable[[], object], operations: int) -> float:
    """Do work with the collector of garbage off; return nanoseconds for one operation."""
    gc.disable()
    try:
        start = time.thread_time_ns()
        work()
        return (time.thread_time_ns() - start) / operations
    finally:
        gc.enable()


def rows(runs: Mapping[str, Run], rounds: int) -> list[str]:
    """A table: medians in nanoseconds, and those of the ratios to the first with their range."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    order, rng = list(runs), random.Random(rounds)
    for number in range(rounds):
        rng.shuffle(order)
        for name in order:
            taken[name].append(runs[name](number))
    first = next(iter(taken.values()))
    lines = [f"{'':52} {'ns':>8} {'times as fast':>14} {'(least to most)':>18}"]
    for name, values in taken.items():
        ratios = [one / other for one, other in zip(first, values, strict=True)]
        spread = f"({min(ratios):.1f} to {max(ratios):.1f})"
        lines.append(f"{name:52} {median(values):8.1f} {median(ratios):14.1f} {spread:>18}")
    return lines
