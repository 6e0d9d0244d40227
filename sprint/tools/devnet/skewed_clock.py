"""A node's wall clock, which can be made to go ahead or behind for a time. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal


class SkewedClock:
    """`wall_clock` gives Unix seconds; `now` is on the caller's monotonic clock."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._skews: dict[str, tuple[float, float]] = {}  # by how much, and until when

    def __repr__(self) -> str:
        return f"SkewedClock({self._skews})"

    def skew(self, way: Literal["ahead", "behind"], skew_s: float, lasts_s: float, now: float) -> None:
        """Go wrong for a time. A later skew takes the earlier one's place, one the other way is added."""
        self._skews[way] = (skew_s if way == "ahead" else -skew_s, now + lasts_s)

    def time(self, now: float) -> float:
        """Return the Unix time that the node takes it to be."""
        return self._wall_clock() + sum(skew_s for skew_s, until in self._skews.values() if now < until)
