"""How many processors this process may use: fewer than there are under `taskset` and in some containers."""

from __future__ import annotations

import os


def usable_processors() -> int:
    """Return the number of processors that the system would run this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
