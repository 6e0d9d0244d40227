"""The one time limit that all of a relay's stop stands under; it runs from the first who asks."""

from __future__ import annotations

import asyncio

from sprint.tools.runtime import clock
from sprint.tools.store import Store
from sprint.tools.web.server import STOP_TIMEOUT_S


class Drain:
    """What is left of STOP_TIMEOUT_S."""

    def __init__(self) -> None:
        self._ends_at: float | None = None

    def left_s(self, longest_s: float = STOP_TIMEOUT_S) -> float:
        """Return what is left, or `longest_s` where that is less."""
        if self._ends_at is None:
            self._ends_at = clock() + STOP_TIMEOUT_S
        return min(longest_s, max(0.0, self._ends_at - clock()))

    async def close(self, store: Store) -> None:
        await asyncio.to_thread(store.close, self.left_s())
