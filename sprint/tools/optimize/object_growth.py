"""Counts the objects that the collector looks at, without looking at them: by what each of its rounds says.

    growth = ObjectGrowth()
    growth.start()
    growth.objects

A round begins with so many objects made and not freed since the last, which CPython counts, and ends with so
many collected: the rest has come to stay. It is an estimate from above: what was freed without the collector
while CPython's count stood at 0 is missed. `count` looks at all objects, and puts it right.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Mapping
from typing import Any


class ObjectGrowth:
    """`objects` are those that are not frozen and have outlived a round."""

    def __init__(self) -> None:
        self.objects = 0
        self._young = 0

    def start(self) -> None:
        """Count from now on; again is harmless."""
        if self._seen not in gc.callbacks:
            self.count()
            gc.callbacks.append(self._seen)

    def stop(self) -> None:
        """Count no more; again is harmless."""
        with contextlib.suppress(ValueError):
            gc.callbacks.remove(self._seen)

    def count(self) -> int:
        """Look at all objects that are not frozen; return how many there are."""
        # In the round that follows, those since the last one would be counted once more.
        self.objects = len(gc.get_objects()) - gc.get_count()[0]
        return self.objects + gc.get_count()[0]

    @staticmethod
    def count_young() -> int:
        """Look at the objects of the two younger generations; return how many there are."""
        return len(gc.get_objects(0)) + len(gc.get_objects(1))

    def froze(self) -> None:
        """Take note that all objects were frozen."""
        self.objects = 0

    def _seen(self, phase: str, told: Mapping[str, Any]) -> None:
        if phase == "start":
            self._young = gc.get_count()[0]
        else:
            self.objects = max(0, self.objects + self._young - told["collected"])
