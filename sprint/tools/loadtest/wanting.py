"""How much of a processor another process wants, so that it can be told where it was too little.

What it ran is not the whole of it: on a machine that is busy it waits for its turn, and is as late as one
that runs all the time. Linux counts both (Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil

from sprint.tools.loadtest.moments import NS_PER_S, clock_ns

INTERVAL_S = 1.0
BUSY_SHARE_MIN = 0.9  # of an interval
# Fewer of them are not in a P99.
BUSY_INTERVALS_SHARE_MAX = 0.005


class Wanting:
    """Looks at a process each interval. `wanted_ns` says of one what it ran and waited so far."""

    def __init__(self, pid: int, wanted_ns: Callable[[int], int] | None = None) -> None:
        self._pid = pid
        self._wanted_ns = wanted_ns or wanted_by
        self.intervals = 0
        self.busy_intervals = 0

    def __repr__(self) -> str:
        return f"Wanting({self._pid}, {self.busy_intervals} of {self.intervals} busy)"

    @property
    def was_busy(self) -> bool:
        """Whether it was so for more than a moment of a long time."""
        return self.busy_intervals > BUSY_INTERVALS_SHARE_MAX * self.intervals

    async def run(self) -> None:
        """Look until cancelled, or until the process has gone."""
        before = (clock_ns(), self._wanted_ns(self._pid))
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                now = (clock_ns(), self._wanted_ns(self._pid))
            except (OSError, psutil.Error):
                return
            self.intervals += 1
            self.busy_intervals += now[1] - before[1] >= BUSY_SHARE_MIN * (now[0] - before[0])
            before = now


def wanted_by(pid: int) -> int:
    """Return how long a process has run and waited to run, in ns; where that isn't known, how long it ran."""
    try:
        ran_ns, waited_ns, _ = map(int, Path(f"/proc/{pid}/schedstat").read_text("ascii").split())
    except (FileNotFoundError, ValueError):
        used = psutil.Process(pid).cpu_times()
        return round((used.user + used.system) * NS_PER_S)
    return ran_ns + waited_ns
