"""The collector's pauses under a heap as heavy as a relay's that has run for long.

`Heap` is made before anything is applied, as what a relay's start-up leaves. `pauses` then makes objects with
cycles of which half survive, so that the oldest generation fills and full rounds come.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

HEAP_OBJECTS = 300_000
SURVIVORS = 150_000  # half of the heap: CPython's full rounds wait for a quarter
OBJECTS_MAX = 4_000_000  # of one measurement; with the collector off each stays until it is over
MADE_PER_LOOK = 1_000


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
    seconds: float, *, clock_ns: Callable[[], int] = time.monotonic_ns, survivors: int = SURVIVORS
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
        _make_objects(seconds, clock_ns, survivors)
    finally:
        gc.callbacks.remove(seen)
    # What was made here is not left to a later measurement; this round is not one of those counted.
    gc.collect()
    return found


def _make_objects(seconds: float, clock_ns: Callable[[], int], survivors: int) -> None:
    kept: deque[dict[str, Any]] = deque(maxlen=survivors)
    end_ns = clock_ns() + int(seconds * 1_000_000_000)
    for _ in range(OBJECTS_MAX // MADE_PER_LOOK):
        for number in range(MADE_PER_LOOK // 2):
            cycle: dict[str, Any] = {"number": number}
            cycle["self"] = cycle
            kept.append({"number": number, "of": [cycle]})
        if clock_ns() >= end_ns:
            break
