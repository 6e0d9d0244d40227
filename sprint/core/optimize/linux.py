"""The calls of Linux that Python has no name for, by ctypes: thin, typed; a failure is OSError and its errno.

One of the three places of this folder that may call into the system; all but `set_io_priority` change only
the process that calls. What Python has itself (affinity, scheduler, limits) is called by
`tools.optimize.actuators`. Numbers of system calls: the kernel's arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
from functools import cache

MCL_CURRENT = 1
MCL_FUTURE = 2
MCL_ONFAULT = 4
PR_SET_THP_DISABLE = 41
PR_GET_THP_DISABLE = 42
MEMORY_POLICIES = ("default", "preferred", "bind", "interleave", "local")
NODES_MAX = 1_024
IO_CLASSES = ("none", "realtime", "best-effort", "idle")
IO_CLASS_SHIFT = 13
IO_LEVEL_MASK = 7
IO_WHO_PROCESS = 1
CLOCK_MONOTONIC = 1
TIMER_ABSTIME = 1
SECOND_NS = 1_000_000_000

_SYSTEM_CALLS = {
    "x86_64": {"ioprio_set": 251, "ioprio_get": 252, "set_mempolicy": 238, "get_mempolicy": 239},
    "aarch64": {"ioprio_set": 30, "ioprio_get": 31, "set_mempolicy": 237, "get_mempolicy": 236},
}


def lock_memory() -> None:
    """Lock all pages there are and will be, each from when it is first used: mlockall(2).

    On fault: without it the whole stack of every thread and each mapped file is read in at once.
    """
    _checked("mlockall", _libc().mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))


def unlock_memory() -> None:
    """Unlock all pages: munlockall(2)."""
    _checked("munlockall", _libc().munlockall())


def set_huge_pages(*, permitted: bool) -> None:
    """Permit this process transparent huge pages, or not: prctl(2), PR_SET_THP_DISABLE."""
    _checked("prctl", _libc().prctl(PR_SET_THP_DISABLE, int(not permitted), 0, 0, 0))


def huge_pages_are_permitted() -> bool:
    """Whether this process may have transparent huge pages: prctl(2), PR_GET_THP_DISABLE."""
    return _checked("prctl", _libc().prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)) == 0


def set_io_priority(thread: int, priority_class: str, level: int, *, machine: str) -> None:
    """Set a thread's class (`best-effort`) and level, 0 the first to 7: ioprio_set(2)."""
    value = IO_CLASSES.index(priority_class) << IO_CLASS_SHIFT | level
    _system_call("ioprio_set", machine, IO_WHO_PROCESS, thread, value)


def io_priority(thread: int, *, machine: str) -> tuple[str, int]:
    """Return a thread's class and level: ioprio_get(2)."""
    value = _system_call("ioprio_get", machine, IO_WHO_PROCESS, thread)
    return IO_CLASSES[value >> IO_CLASS_SHIFT & 3], value & IO_LEVEL_MASK


def set_memory_policy(policy: str, nodes: tuple[int, ...], *, machine: str) -> None:
    """Set from which NUMA nodes this thread gets memory: set_mempolicy(2)."""
    mask = (ctypes.c_uint64 * (NODES_MAX // 64))()
    for node in nodes:
        mask[node // 64] |= 1 << node % 64
    number = MEMORY_POLICIES.index(policy)
    # The kernel takes one bit less than it is told.
    size = NODES_MAX + 1 if nodes else 0
    _system_call("set_mempolicy", machine, number, ctypes.byref(mask) if nodes else None, size)


def memory_policy(*, machine: str) -> tuple[str, tuple[int, ...]]:
    """Return this thread's policy and its nodes: get_mempolicy(2). OSError where it is one not known."""
    number = ctypes.c_int(0)
    mask = (ctypes.c_uint64 * (NODES_MAX // 64))()
    _system_call("get_mempolicy", machine, ctypes.byref(number), ctypes.byref(mask), NODES_MAX + 1, None, 0)
    if number.value >= len(MEMORY_POLICIES):
        raise OSError(errno.EOPNOTSUPP, f"memory policy {number.value} is none of {MEMORY_POLICIES}")
    nodes = tuple(node for node in range(NODES_MAX) if mask[node // 64] >> node % 64 & 1)
    return MEMORY_POLICIES[number.value], nodes


def malloc_trim() -> bool:
    """Return whether the system was given back anything that malloc held unused (man page: malloc_trim)."""
    return bool(_libc().malloc_trim(0))


class Timespec(ctypes.Structure):
    """struct timespec, where time_t and long have 64 bits."""

    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64))


def sleep_until(deadline_ns: int) -> None:
    """Sleep until a time of the monotonic clock: clock_nanosleep(2) with TIMER_ABSTIME.

    It takes no time into account but the deadline's, as `time.sleep` does not: that one asks for a length.
    """
    deadline = Timespec(*divmod(deadline_ns, SECOND_NS))
    number = _libc().clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, ctypes.byref(deadline), None)
    # A signal may have come; who waits asks the clock anyway.
    if number not in {0, errno.EINTR}:
        raise OSError(number, f"clock_nanosleep: {errno.errorcode.get(number, number)}")


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    libc.malloc_trim.argtypes = [ctypes.c_size_t]
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return libc


def _system_call(name: str, machine: str, *arguments: object) -> int:
    numbers = _SYSTEM_CALLS.get(machine)
    if numbers is None:
        raise OSError(errno.ENOSYS, f"{name}: its number on {machine} is not known here")
    # Variadic: each number is widened by hand, or its upper half is whatever stood in the register.
    widened = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _checked(name, _libc().syscall(ctypes.c_long(numbers[name]), *widened))


def _checked(name: str, answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {errno.errorcode.get(number, number)}")
    return answer
