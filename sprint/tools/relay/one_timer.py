"""One timer on the event loop, armed for the earliest time that is due; later ones are found when it fires.

It keeps the time itself: for one that has passed, uvloop gives a handle that cannot tell when it is due.
uvloop and asyncio count from the same monotonic clock that every `now` comes from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class OneTimer:
    """Calls `fire` once at the armed time. All calls are on the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Callable[[], None]) -> None:
        self._loop = loop
        self._fire = fire
        self._handle: asyncio.Handle | None = None
        self._due = 0.0

    def __repr__(self) -> str:
        return f"OneTimer({'idle' if self._handle is None else self._due})"

    def arm(self, due: float | None) -> None:
        """Fire at `due`, or earlier where it is armed already; None disarms."""
        if due is None:
            self.cancel()
        elif self._handle is None or due < self._due:
            self.cancel()
            self._due = due
            self._handle = self._loop.call_at(due, self._fired)

    def cancel(self) -> None:
        """Disarm; again is harmless."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fired(self) -> None:
        self._handle = None
        self._fire()
