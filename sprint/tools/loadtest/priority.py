"""The command makes way for its generators: what it adds up and shows is not to hold up what is due.

Each second it adds up what the generators recorded, some 10 ms at a high rate. On a machine whose processors
all have work a generator, or the target, would wait for that.
"""

from __future__ import annotations

import contextlib
import os

NICER_BY = 10  # a tenth of the weight that others have (sched(7)); without a privilege there is no way back
NICE_MAX = 19


def make_way() -> None:
    """Have the calling thread run after others, as far as the system lets it; children keep theirs."""
    with contextlib.suppress(OSError):
        before = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, min(NICE_MAX, before + NICER_BY))
