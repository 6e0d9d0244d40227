"""The collector's pauses under a heap as heavy as a relay's that has run for long.

`Heap` is made before anything is applied, as what a relay's start-up leaves. `pauses` then makes objects with
cycles of which half survive, so that the oldest generation fills and full rounds come. It waits in between as
a relay does: a real-time thread that never waits is ended by its guard. What it leaves is for the caller to
collect, once that thread is real-time no more.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

HEAP_OBJECTS = 300_000
SURVIVORS = 150_000  # half of the heap: CPython's full rounds wait for a quarter
OBJECTS_MAX = 4_000_000  # of one measurement; with the collector off each stays until it is over
MADE_PER_LOOK = 1_000
WAIT_S = 0.000_2


class Heap:
    """Some objects that the collector has to look at, as many as `objects`."""

    def __init__(self, objects: int = HEAP_OBJECTS) -> None:
        self.kept: list[dict[str, Any]] = [
            {"height": height, "parent": None} for height in range(objects // 2)
        ]
        for one, other in zip(self.kept, self.kept[1:], strict=False):
            other["parent"] = [one]

    def __repr__(self) -> str:
        return f"Heap({2 * len(self.kept)} objects)"


def pauses(
    seconds: float,
    *,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
    survivors: int = SURVIVORS,
) -> array[int]:
    """Return how long each round of the collector took, in ns, while objects are made for so long."""
    found, began = array("q"), 0

    def seen(phase: str, _: Mapping[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = clock_ns()
        else:
            found.append(clock_ns() - began)

    gc.callbacks.append(seen)
    try:
        for _ in _made(clock_ns, clock_ns() + int(seconds * 1_000_000_000), survivors):
            sleep(WAIT_S)
    finally:
        gc.callbacks.remove(seen)
    return found


def _made(clock_ns: Callable[[], int], end_ns: int, survivors: int) -> Iterator[int]:
    """Make objects until it is time to end; yield how many are kept, after each thousand of them."""
    kept: deque[dict[str, Any]] = deque(maxlen=survivors)
    for _ in range(OBJECTS_MAX // MADE_PER_LOOK):
        for number in range(MADE_PER_LOOK // 2):
            cycle: dict[str, Any] = {"number": number}
            cycle["self"] = cycle
            kept.append({"number": number, "of": [cycle]})
        yield len(kept)
        if clock_ns() >= end_ns:
            return
