"""Reads again what was applied: somebody may have set it otherwise since, or the kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sprint.core.optimize.remedy import refusal
from sprint.core.optimize.setting import Outcome, Process
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.threads import lives, threads_of

# Threads that a real-time one has made since have it at 0: SCHED_RESET_ON_FORK, sched(7). That is no drift.
RESET_ON_FORK = "nice"


def look_again(
    outcomes: Sequence[Outcome], process: Process, actuators: Mapping[str, Actuator]
) -> tuple[Outcome, ...]:
    """Return outcomes as they are now; only those that were applied can be others."""
    return tuple(
        _look(outcome, process, actuators[outcome.setting.key])
        if outcome.state == "applied" and outcome.setting.key in actuators
        else outcome
        for outcome in outcomes
    )


def _look(outcome: Outcome, process: Process, actuator: Actuator) -> Outcome:
    setting = outcome.setting
    if not actuator.host and not lives(process):
        return msgspec.structs.replace(outcome, state="drifted", says="the process has ended")
    whose = (
        threads_of(process.pid) if actuator.threads == "all" and setting.key != RESET_ON_FORK else [process]
    )
    for thread in whose:
        try:
            found = actuator.read(thread.pid)
        except OSError as error:
            if thread != process and not lives(thread):
                continue
            why = refusal(setting.key, error.errno or 0, setting.value)
            said = error.strerror or str(error)
            return msgspec.structs.replace(outcome, state="drifted", found=None, refusal=why, says=said)
        if not actuator.meets(setting.value, found):
            said = f"it was applied, and is {found!r} now"
            return msgspec.structs.replace(outcome, state="drifted", found=found, says=said)
    return outcome
