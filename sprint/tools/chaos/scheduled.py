"""Runs something by a schedule, one run at a time, until it is stopped or has been run often enough."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from sprint.core.chaos.schedule import Draw, Schedule
from sprint.tools.chaos.local_zone import local_now

# A clock that is set while we wait is noticed within this time.
LOOK_EVERY_S = 30.0

Run = Callable[[], Awaitable[None]]
Tell = Callable[[str, str], None]


class Chance(NamedTuple):
    """What a schedule stands on: the time, in the zone that cron expressions mean, and a draw."""

    now: Callable[[], datetime] = local_now
    draw: Draw = random.random


class Scheduled:
    """Runs `run` by a schedule, `runs_max` times at most."""

    def __init__(
        self,
        schedule: Schedule,
        run: Run,
        tell: Tell,
        *,
        runs_max: int | None = None,
        chance: Chance | None = None,
    ) -> None:
        self._schedule = schedule
        self._run = run
        self._tell = tell
        self._runs_max = runs_max
        self._now, self._draw = chance or Chance()
        self._stopped = asyncio.Event()
        self.runs = 0

    def stop(self) -> None:
        """Begin no further run; one that goes on is not ended by this."""
        self._stopped.set()

    async def run(self) -> None:
        """Run until the schedule has no further time, the runs are done, or it is stopped."""
        last: datetime | None = None
        while not self._stopped.is_set() and (self._runs_max is None or self.runs < self._runs_max):
            due = self._schedule.next(self._now(), last, self._draw)
            if due is None:
                return
            if due.timestamp() > self._now().timestamp():
                self._tell("waiting", f"the next run is due at {due.isoformat(timespec='seconds')}")
            await self._until(due)
            if self._stopped.is_set():
                return
            self.runs += 1
            await self._run()
            last = due

    async def _until(self, due: datetime) -> None:
        while not self._stopped.is_set():
            # Not their difference: two times of a zone that sets its clocks aren't as far apart as they look.
            left_s = due.timestamp() - self._now().timestamp()
            if left_s <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_EVERY_S)):
                    await self._stopped.wait()
