"""Processes by name: pid and start time, so that a pid which was given out again is never touched.

Stands on /proc of Linux; elsewhere the faults that act on processes are refused.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from sprint.core.chaos.undo import ProcessName
from sprint.core.errors import ConfigError

PID_LEAST = 2
GONE_WAIT_S = 5.0
STOPPED = "T"
# A zombie runs no more: only its exit code is still there.
ENDED_STATES = "ZXx"


def name_of(pid: int) -> ProcessName:
    """Return the name of a running process. ConfigError where there is none, or none may be touched."""
    if pid < PID_LEAST:
        raise ConfigError(f"pid {pid}: want {PID_LEAST} or more; 1 and what is below it are never touched")
    found = _state_and_start(pid)
    if found is None or found[0] in ENDED_STATES:
        raise ConfigError(f"pid {pid}: no such process runs (looked for in /proc)")
    return ProcessName(pid, found[1])


def state_of(process: ProcessName) -> str | None:
    """Return the state letter of proc(5), `T` where it is stopped; None where it is gone or ended."""
    found = _state_and_start(process.pid)
    if found is None or found[1] != process.started_ticks or found[0] in ENDED_STATES:
        return None
    return found[0]


def lives(process: ProcessName) -> bool:
    """Tell whether that very process runs, or is stopped."""
    return state_of(process) is not None


def send_signal(process: ProcessName, number: signal.Signals) -> bool:
    """Send a signal to that very process; False where it is gone. PermissionError where it is not ours."""
    with _held(process) as descriptor:
        if descriptor is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
            return True
        return False


def end(process: ProcessName, wait_s: float = GONE_WAIT_S) -> bool:
    """Kill that very process and wait until it is gone; False where it was. TimeoutError where it stays."""
    with _held(process) as descriptor:
        if descriptor is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        ready, _, _ = select.select([descriptor], [], [], wait_s)
        if not ready:
            raise TimeoutError(f"process {process.pid} is there {wait_s:g} s after SIGKILL")
        return True


def descriptor_limit(process: ProcessName) -> int | None:
    """Return a process's soft limit of open descriptors; None where it is gone."""
    found = _limits(process)
    return None if found is None else found[0]


def descriptor_limit_leaving(process: ProcessName, spare: int) -> int | None:
    """Return the limit at which a process can open `spare` descriptors more; None where it is gone.

    A limit is on their numbers, and the lowest that is free is given out: those that were closed amid others
    count as spare. PermissionError where it is not ours.
    """
    if not lives(process):
        return None
    try:
        taken = {int(each.name) for each in Path(f"/proc/{process.pid}/fd").iterdir()}
    except (FileNotFoundError, ProcessLookupError):
        return None
    return nth_free(taken, spare)


def nth_free(taken: Iterable[int], place: int) -> int:
    """Return the number at a place among those that are not taken, the lowest at 0."""
    found = place
    for number in sorted(taken):
        found += number <= found
    return found


def set_descriptor_limit(process: ProcessName, limit: int) -> bool:
    """Set a process's soft limit, the hard one stays; False where it is gone."""
    found = _limits(process)
    if found is None:
        return False
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (limit, found[1]))
    return True


def _limits(process: ProcessName) -> tuple[int, int] | None:
    try:
        return resource.prlimit(process.pid, resource.RLIMIT_NOFILE) if lives(process) else None
    except ProcessLookupError:
        return None


@contextlib.contextmanager
def _held(process: ProcessName) -> Iterator[int | None]:
    """Hold a descriptor of the process: what it names does not change, even if the pid is given out again."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor if lives(process) else None
    finally:
        os.close(descriptor)


def _state_and_start(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in brackets and may hold any letters; fields are counted behind its last bracket.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])
