"""Where and when threads run: CPUs, policy and priority, nice, disk priority, timer slack, and the guard."""

from __future__ import annotations

import errno
import os
import platform
import resource
from pathlib import Path
from typing import ClassVar, Literal

from sprint.core.optimize import linux
from sprint.core.optimize.levels import NICE_LEAST, NICE_MAX, TIMER_SLACK_NS_MAX
from sprint.core.optimize.setting import Value
from sprint.tools.optimize.actuators.actuator import Actuator

RESET_ON_FORK = " reset-on-fork"
REALTIME_PRIORITY_MOST = 99
CPU_NUMBER_MAX = 8_191
RTTIME_US_MAX = 2**62

_POLICIES = {
    "other": os.SCHED_OTHER,
    "batch": os.SCHED_BATCH,
    "idle": os.SCHED_IDLE,
    "fifo": os.SCHED_FIFO,
    "rr": os.SCHED_RR,
}
_POLICY_NAMES = {number: name for name, number in _POLICIES.items()}


class Affinity(Actuator):
    """On which CPUs each thread may run: sched_setaffinity(2)."""

    threads: ClassVar[Literal["all", "main", "none"]] = "all"

    def read(self, pid: int) -> tuple[int, ...]:
        return tuple(sorted(os.sched_getaffinity(pid)))

    def write(self, pid: int, value: Value) -> None:
        os.sched_setaffinity(pid, numbers_of(value))

    def valid(self, value: Value) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) > 0
            and all(isinstance(cpu, int) and 0 <= cpu <= CPU_NUMBER_MAX for cpu in value)
        )


class Scheduler(Actuator):
    """The main thread's policy and priority: sched_setscheduler(2). The loop runs in the main thread."""

    threads: ClassVar[Literal["all", "main", "none"]] = "main"

    def read(self, pid: int) -> tuple[str, int]:
        number = os.sched_getscheduler(pid)
        name = _POLICY_NAMES.get(number & ~os.SCHED_RESET_ON_FORK, f"policy {number}")
        reset = RESET_ON_FORK if number & os.SCHED_RESET_ON_FORK else ""
        return name + reset, os.sched_getparam(pid).sched_priority

    def write(self, pid: int, value: Value) -> None:
        name, priority = pair_of(value)
        number = _POLICIES[name.removesuffix(RESET_ON_FORK)]
        parameter = os.sched_param(priority)
        flag = os.SCHED_RESET_ON_FORK if name.endswith(RESET_ON_FORK) else 0
        try:
            os.sched_setscheduler(pid, number | flag, parameter)
        except PermissionError:
            # Without CAP_SYS_NICE the flag stays for good; to leave a real-time policy is permitted, with it.
            if flag or number in {os.SCHED_FIFO, os.SCHED_RR}:
                raise
            os.sched_setscheduler(pid, number | os.SCHED_RESET_ON_FORK, parameter)

    def valid(self, value: Value) -> bool:
        if not isinstance(value, tuple) or len(value) != 2:
            return False
        name, priority = value
        if not isinstance(name, str) or not isinstance(priority, int):
            return False
        policy = name.removesuffix(RESET_ON_FORK)
        realtime = policy in {"fifo", "rr"}
        return policy in _POLICIES and (1 if realtime else 0) <= priority <= (
            REALTIME_PRIORITY_MOST if realtime else 0
        )


class Nice(Actuator):
    """Each thread's nice value: setpriority(2). On Linux it is a thread's own."""

    threads: ClassVar[Literal["all", "main", "none"]] = "all"

    def read(self, pid: int) -> int:
        return os.getpriority(os.PRIO_PROCESS, pid)

    def write(self, pid: int, value: Value) -> None:
        os.setpriority(os.PRIO_PROCESS, pid, number_of(value))

    def valid(self, value: Value) -> bool:
        return isinstance(value, int) and NICE_LEAST <= value <= NICE_MAX


class IoPriority(Actuator):
    """Each thread's priority at disks: ioprio_set(2)."""

    threads: ClassVar[Literal["all", "main", "none"]] = "all"

    def read(self, pid: int) -> tuple[str, int]:
        return linux.io_priority(pid, machine=platform.machine())

    def write(self, pid: int, value: Value) -> None:
        name, level = pair_of(value)
        linux.set_io_priority(pid, name, level, machine=platform.machine())

    def valid(self, value: Value) -> bool:
        if not isinstance(value, tuple) or len(value) != 2:
            return False
        name, level = value
        return name in linux.IO_CLASSES and isinstance(level, int) and 0 <= level <= linux.IO_LEVEL_MASK


class TimerSlack(Actuator):
    """How late the main thread's timers may fire, in ns: /proc/PID/timerslack_ns, proc(5)."""

    threads: ClassVar[Literal["all", "main", "none"]] = "main"

    def read(self, pid: int) -> int:
        return int(_slack_file(pid).read_text(encoding="ascii"))

    def write(self, pid: int, value: Value) -> None:
        _slack_file(pid).write_text(str(number_of(value)), encoding="ascii")

    def meets(self, wanted: Value, found: Value) -> bool:
        """At most what was wanted: the kernel makes it 0 for a thread under a real-time policy."""
        return isinstance(wanted, int) and isinstance(found, int) and found <= wanted

    def valid(self, value: Value) -> bool:
        return isinstance(value, int) and 0 <= value <= TIMER_SLACK_NS_MAX


class RealtimeGuard(Actuator):
    """Ends a real-time thread that spins: RLIMIT_RTTIME, soft and hard in us, -1 is none; setrlimit(2)."""

    def read(self, pid: int) -> tuple[int, int]:
        return resource.prlimit(pid, resource.RLIMIT_RTTIME)

    def write(self, pid: int, value: Value) -> None:
        soft, hard = numbers_of(value)
        try:
            resource.prlimit(pid, resource.RLIMIT_RTTIME, (soft, hard))
        except ValueError as error:
            # What the module makes of EINVAL, and of EPERM where a hard limit was to be raised.
            raise OSError(errno.EPERM, str(error)) from error

    def valid(self, value: Value) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) == 2
            and all(isinstance(each, int) and -1 <= each <= RTTIME_US_MAX for each in value)
        )


def numbers_of(value: Value) -> tuple[int, ...]:
    """Return a value as numbers; OSError EINVAL where it isn't."""
    if isinstance(value, tuple):
        numbers = tuple(each for each in value if isinstance(each, int))
        if len(numbers) == len(value):
            return numbers
    raise OSError(errno.EINVAL, f"{value!r} is no list of numbers")


def number_of(value: Value) -> int:
    """Return a value as a number; OSError EINVAL where it isn't."""
    if isinstance(value, int):
        return value
    raise OSError(errno.EINVAL, f"{value!r} is no number")


def pair_of(value: Value) -> tuple[str, int]:
    """Return a value as a name and a number; OSError EINVAL where it isn't."""
    if isinstance(value, tuple) and len(value) == 2:
        name, number = value
        if isinstance(name, str) and isinstance(number, int):
            return name, number
    raise OSError(errno.EINVAL, f"{value!r} is no name with a number")


def _slack_file(pid: int) -> Path:
    return Path(f"/proc/{pid}/timerslack_ns")
