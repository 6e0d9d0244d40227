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
from tests.bench.rows import tell

Taken = Mapping[str, list[float]]  # nanoseconds of one operation in each round, by the way it was done
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
    return lines(measure(runs, rounds))


def measure(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in runs}
    order, rng = list(runs), random.Random(rounds)
    for number in range(rounds):
        rng.shuffle(order)
        for name in order:
            taken[name].append(runs[name](number))
    return taken


def lines(taken: Taken) -> list[str]:
    first = next(iter(taken))
    found = [f"{'':52} {'ns':>8} {'times as fast':>14} {'(least to most)':>18}"]
    for name, values in taken.items():
        by_round = ratios(taken, name, first)
        spread = f"({min(by_round):.1f} to {max(by_round):.1f})"
        found.append(f"{name:52} {median(values):8.1f} {median(by_round):14.1f} {spread:>18}")
    return found


def ratios(taken: Taken, ours: str, peer: str) -> list[float]:
    """Return how many times faster `ours` was than `peer`, round by round."""
    return [other / one for one, other in zip(taken[ours], taken[peer], strict=True)]


def tell_ratio(target: str, taken: Taken, ours: str, peer: str) -> None:
    """Tell a target how many times faster `ours` was than `peer`: the median of the rounds' ratios."""
    tell(
        target,
        median(ratios(taken, ours, peer)),
        ours=f"{shown_ns(median(taken[ours]))}",
        peer=f"{shown_ns(median(taken[peer]))}, {peer}",
    )


def shown_ns(value: float) -> str:
    """Write nanoseconds in the unit that suits them."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} ns"
