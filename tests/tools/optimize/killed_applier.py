"""Applies turbo to another process and is killed at a moment: before or after a write to disk or kernel.

    python -m tests.tools.optimize.killed_applier JOURNAL_FOLDER PID MOMENT
    python -m tests.tools.optimize.killed_applier JOURNAL_FOLDER restore MOMENT

Moments are counted from 0: each fsync of the journal and each write of an actuator has one before and one
after it. Where MOMENT is past the last, it prints how many there were, and ends without a restore.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from sprint.core.optimize.levels import LEVELS, changed
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Value
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.applying import Target, apply
from sprint.tools.optimize.facts import read_facts
from sprint.tools.optimize.restoring import restore_all


class Moments:
    """Counts moments, and is killed at one."""

    def __init__(self, last: int) -> None:
        self.count = 0
        self._last = last
        self._fsync = os.fsync

    def pass_one(self) -> None:
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def fsync(self, descriptor: int) -> None:
        self.pass_one()
        self._fsync(descriptor)
        self.pass_one()


class Watched(Actuator):
    """An actuator whose writes are moments."""

    def __init__(self, watched: Actuator, moments: Moments) -> None:
        self._watched = watched
        self._moments = moments
        for name in ("threads", "host", "inside", "lasting", "held"):
            setattr(self, name, getattr(watched, name))

    def read(self, pid: int) -> Value:
        return self._watched.read(pid)

    def write(self, pid: int, value: Value) -> None:
        self._moments.pass_one()
        self._watched.write(pid, value)
        self._moments.pass_one()

    def meets(self, wanted: Value, found: Value) -> bool:
        return self._watched.meets(wanted, found)

    def valid(self, value: Value) -> bool:
        return self._watched.valid(value)


def main() -> None:
    folder, moments = Path(sys.argv[1]), Moments(int(sys.argv[3]))
    os.fsync = moments.fsync  # type: ignore[assignment]
    watched = {key: Watched(actuator, moments) for key, actuator in SYSTEM_ACTUATORS.items()}
    if sys.argv[2] == "restore":
        restore_all(folder, actuators=watched)
        print(moments.count)
        return
    pid = int(sys.argv[2])
    fields = changed(LEVELS["turbo"].fields, {"cpus_pinned_max": 1})
    settings = plan(fields, read_facts(pid), "process")
    target = Target.of_process(pid)
    apply(settings, target=target, journal_folder=folder, clock=time.perf_counter, actuators=watched)
    print(moments.count)


if __name__ == "__main__":
    main()
