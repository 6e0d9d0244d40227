"""How much later than asked the system may wake this process: as little as it can."""

from __future__ import annotations

import contextlib
from pathlib import Path

# Of the process's first thread, in nanoseconds; Linux gives 50,000 unless it is told otherwise (proc(5)).
SLACK_FILE = Path("/proc/self/timerslack_ns")
SLACK_NS = 1_000


def want_exact_timers() -> None:
    """Have waits end within a microsecond of their time, where the system lets a process say so."""
    with contextlib.suppress(OSError):
        SLACK_FILE.write_text(str(SLACK_NS), encoding="ascii")
