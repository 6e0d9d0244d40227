"""The collector's share is of a window that moves, and one round at the start is not most of it."""

from __future__ import annotations

import asyncio

import pytest

from sprint.tools.optimize.measuring import SHARE_WINDOW_LEAST_S, SHARE_WINDOW_S, TICKS_PER_SECOND, Measuring
from sprint.tools.optimize.process_memory import ProcessMemory


class Pauses:
    last = 0.0
    seconds = 0.0
    collections = 0


def test_the_share_is_of_the_last_minute_and_of_ten_seconds_at_least() -> None:
    async def main() -> None:
        now, pauses = [100.0], Pauses()
        measuring = Measuring(ProcessMemory(), pauses, lambda: now[0])
        measuring.start()
        loop = asyncio.get_running_loop()
        try:
            pauses.seconds = 0.5
            now[0] += 1.0
            assert measuring.gc_share == pytest.approx(0.5 / SHARE_WINDOW_LEAST_S)
            for _ in range(SHARE_WINDOW_S + 5):
                now[0] += 1.0
                for _ in range(TICKS_PER_SECOND):
                    measuring.stop()
                    measuring._tick(loop)
            assert measuring.gc_share == 0.0, "the round at the start has left the window"
            pauses.seconds += 6.0
            assert measuring.gc_share == pytest.approx(6.0 / SHARE_WINDOW_S, rel=0.02)
        finally:
            measuring.stop()

    asyncio.run(main())
