"""Settings of macOS: time constraints, affinity tags, quality of service and locked buffers of the thread.

`MacOS(abi).knobs()` gives a `Knob` for each setting. Mach's policies are of the calling thread, and so is its
quality of service: macOS has neither CPU pinning nor mlockall nor NUMA. A thread that was given a Mach policy
has left the classes of quality of service for good, pthread/qos.h says, so a plan asks for one of the two.
Nothing of this was run on hardware; the tests run it on a recorded fake.

Sources: mach/thread_policy.h, mach/mach_time.h, mach/kern_return.h, pthread/qos.h, sys/qos.h, mlock(2).
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Sequence
from ctypes import POINTER, Structure
from ctypes import c_int32 as signed
from ctypes import c_size_t as size
from ctypes import c_uint32 as unsigned
from ctypes import c_void_p as pointer

from sprint.core.optimize.abi import (
    Abi,
    ErrorNames,
    Function,
    Knob,
    Region,
    allowed_by,
    succeeded,
    wanted_all_or_none,
    wanted_int,
)
from sprint.core.optimize.setting import Value

THREAD_STANDARD_POLICY, THREAD_STANDARD_POLICY_COUNT = 1, 0
THREAD_TIME_CONSTRAINT_POLICY, THREAD_TIME_CONSTRAINT_POLICY_COUNT = 2, 4
THREAD_AFFINITY_POLICY, THREAD_AFFINITY_POLICY_COUNT = 4, 1
# sys/qos.h
QUALITIES = {
    "user_interactive": 0x21, "user_initiated": 0x19, "default": 0x15, "utility": 0x11, "background": 0x09,
    "unspecified": 0x00,
}  # fmt: skip
RELATIVE_PRIORITY_MIN = -15
# XNU refuses computations outside of 50 µs to 50 ms with KERN_INVALID_ARGUMENT.
COMPUTATION_NS_MIN, COMPUTATION_NS_MAX = 50_000, 50_000_000
TIME_SHARED = (0, 0, 0, 1)  # what a thread without a time constraint reads as
FIELD_MAX = 0xFFFFFFFF
TAG_MAX = 0x7FFFFFFF

ERRORS = ErrorNames(
    {
        4: ("KERN_INVALID_ARGUMENT", errno.EINVAL),
        5: ("KERN_FAILURE", errno.EIO),
        8: ("KERN_NO_ACCESS", errno.EACCES),
        37: ("KERN_TERMINATED", errno.ESRCH),
        46: ("KERN_NOT_SUPPORTED", errno.ENOTSUP),
        49: ("KERN_OPERATION_TIMED_OUT", errno.ETIMEDOUT),
        53: ("KERN_DENIED", errno.EPERM),
    }
)
# What pthread functions and mlock fail with: Darwin's own numbers, which beyond 34 are not those of Linux.
POSIX_ERRORS = ErrorNames(
    {
        1: ("EPERM", errno.EPERM),
        3: ("ESRCH", errno.ESRCH),
        12: ("ENOMEM", errno.ENOMEM),
        22: ("EINVAL", errno.EINVAL),
        35: ("EAGAIN", errno.EAGAIN),
        45: ("ENOTSUP", errno.ENOTSUP),
        78: ("ENOSYS", errno.ENOSYS),
    }
)


class TimebaseInfo(Structure):
    """mach_timebase_info: a tick is so many nanoseconds as numerator / denominator."""

    _fields_ = (("numerator", unsigned), ("denominator", unsigned))


class TimeConstraint(Structure):
    """thread_time_constraint_policy, in ticks of mach_absolute_time."""

    _fields_ = (
        ("period", unsigned),
        ("computation", unsigned),
        ("constraint", unsigned),
        ("preemptible", unsigned),
    )


class Affinity(Structure):
    """thread_affinity_policy: threads with one tag share a second-level cache; 0 is no tag."""

    _fields_ = (("tag", signed),)


_SYSTEM = "/usr/lib/libSystem.B.dylib"


def _of_mach(name: str, *arguments: type) -> Function:
    return Function(_SYSTEM, name, signed, arguments, "nonzero", "in result", "c")


MachTimebaseInfo = _of_mach("mach_timebase_info", POINTER(TimebaseInfo))
# The policy is a pointer to integers, which a structure of its flavour stands for: declared as untyped.
ThreadPolicySet = _of_mach("thread_policy_set", unsigned, unsigned, pointer, unsigned)
ThreadPolicyGet = _of_mach(
    "thread_policy_get", unsigned, unsigned, pointer, POINTER(unsigned), POINTER(unsigned)
)
PthreadSelf = Function(_SYSTEM, "pthread_self", pointer, (), "never", convention="c")
PthreadMachThread = Function(_SYSTEM, "pthread_mach_thread_np", unsigned, (pointer,), "zero", convention="c")
PthreadSetQuality = _of_mach("pthread_set_qos_class_self_np", unsigned, signed)
PthreadGetQuality = _of_mach("pthread_get_qos_class_np", pointer, POINTER(unsigned), POINTER(signed))
MemoryLock = Function(_SYSTEM, "mlock", signed, (pointer, size), "nonzero", convention="c")
MemoryUnlock = Function(_SYSTEM, "munlock", signed, (pointer, size), "nonzero", convention="c")


class MacOS:
    """The calling thread of this process. `buffers` are what `buffer_lock_bytes` holds in memory."""

    def __init__(self, abi: Abi, *, buffers: Sequence[Region] = ()) -> None:
        self._abi = abi
        self._buffers = tuple(buffers)
        self._locked: list[Region] = []

    def __repr__(self) -> str:
        return f"MacOS(buffers={len(self._buffers)}, locked={len(self._locked)})"

    def knobs(self) -> tuple[Knob, ...]:
        """Return the settings of the calling thread and of this process' buffers."""
        return (
            Knob("thread_quality", self.quality, self.set_quality, allowed_by(_wanted_quality)),
            Knob(
                "time_constraint_ns",
                self.time_constraint_ns,
                self.set_time_constraint_ns,
                allowed_by(_wanted_constraint),
                self._same_ticks,
            ),
            Knob("affinity_tag", self.affinity_tag, self.set_affinity_tag, allowed_by(_wanted_tag)),
            Knob(
                "buffer_lock_bytes", self.locked_bytes, self.set_locked_bytes, allowed_by(self._wanted_lock)
            ),
        )

    def quality(self) -> tuple[str | int, ...]:
        """Return the thread's class of quality of service and its priority in it, -15 to 0."""
        found, priority = ctypes.c_uint32(), ctypes.c_int32()
        self._posix(PthreadGetQuality, self._call(PthreadSelf), found, priority)
        names = [name for name, number in QUALITIES.items() if number == found.value]
        if not names:
            raise OSError(errno.EIO, f"pthread_get_qos_class_np gave {found.value:#x}, which is no class")
        return names[0], priority.value

    def set_quality(self, value: Value) -> None:
        """Set it. A thread can't be made "unspecified" again: it gets the default class."""
        name, priority = _wanted_quality(value)
        wanted = QUALITIES["default" if name == "unspecified" else name]
        self._posix(PthreadSetQuality, wanted, priority)

    def time_constraint_ns(self) -> tuple[int, ...]:
        """Return period, computation and constraint in ns, and 1 where it may be preempted.

        `TIME_SHARED` where the thread has none: what Mach gives then is the default of the policy.
        """
        policy, count = TimeConstraint(), ctypes.c_uint32(THREAD_TIME_CONSTRAINT_POLICY_COUNT)
        is_default = ctypes.c_uint32(0)
        thread = self._thread()
        self._call(
            ThreadPolicyGet, thread, THREAD_TIME_CONSTRAINT_POLICY, ctypes.byref(policy), count, is_default
        )
        if is_default.value:
            return TIME_SHARED
        base = self._timebase()
        ticks = (policy.period, policy.computation, policy.constraint)
        period, computation, constraint = (part * base.numerator // base.denominator for part in ticks)
        return period, computation, constraint, policy.preemptible

    def set_time_constraint_ns(self, value: Value) -> None:
        """Set it; `TIME_SHARED` takes it away."""
        wanted = _wanted_constraint(value)
        thread = self._thread()
        if wanted == TIME_SHARED:
            nothing = ctypes.byref(ctypes.c_int32())
            count = THREAD_STANDARD_POLICY_COUNT
            self._call(ThreadPolicySet, thread, THREAD_STANDARD_POLICY, nothing, count)
            return
        policy = TimeConstraint(*self._ticks(wanted), wanted[3])
        count = THREAD_TIME_CONSTRAINT_POLICY_COUNT
        self._call(ThreadPolicySet, thread, THREAD_TIME_CONSTRAINT_POLICY, ctypes.byref(policy), count)

    def affinity_tag(self) -> int:
        """Return the thread's tag, 0 for none. ENOTSUP on Apple silicon, which has no tags."""
        policy, count = Affinity(), ctypes.c_uint32(THREAD_AFFINITY_POLICY_COUNT)
        is_default = ctypes.c_uint32(0)
        thread = self._thread()
        self._call(ThreadPolicyGet, thread, THREAD_AFFINITY_POLICY, ctypes.byref(policy), count, is_default)
        return int(policy.tag)

    def set_affinity_tag(self, value: Value) -> None:
        policy = Affinity(_wanted_tag(value))
        thread, count = self._thread(), THREAD_AFFINITY_POLICY_COUNT
        self._call(ThreadPolicySet, thread, THREAD_AFFINITY_POLICY, ctypes.byref(policy), count)

    def locked_bytes(self) -> int:
        """Return how many bytes were locked here: macOS has no way to ask which pages are."""
        return sum(buffer.size_bytes for buffer in self._locked)

    def set_locked_bytes(self, value: Value) -> None:
        """Lock all buffers, or none with 0. ENOMEM or EAGAIN where RLIMIT_MEMLOCK is less."""
        wanted = self._wanted_lock(value)
        while not wanted and self._locked:
            self._posix(MemoryUnlock, *self._locked[-1])
            self._locked.pop()
        for buffer in self._buffers[len(self._locked) :] if wanted else ():
            self._posix(MemoryLock, *buffer)
            self._locked.append(buffer)

    def _same_ticks(self, wanted: Value, found: Value) -> bool:
        """Tell whether both are the same in ticks: nanoseconds are not read back exactly as written."""
        one, other = _wanted_constraint(wanted), _wanted_constraint(found)
        near = all(abs(a - b) <= 1 for a, b in zip(self._ticks(one), self._ticks(other), strict=True))
        return near and one[3] == other[3]

    def _ticks(self, constraint: tuple[int, ...]) -> tuple[int, ...]:
        base = self._timebase()
        return tuple(part * base.denominator // base.numerator for part in constraint[:3])

    def _timebase(self) -> TimebaseInfo:
        info = TimebaseInfo()
        self._call(MachTimebaseInfo, info)
        return info

    def _thread(self) -> int:
        """Return the thread's Mach port. That of mach_thread_self would have to be given back each time."""
        return self._call(PthreadMachThread, self._call(PthreadSelf))

    def _wanted_lock(self, value: Value) -> int:
        whole = sum(buffer.size_bytes for buffer in self._buffers)
        return wanted_all_or_none("buffer_lock_bytes", value, whole)

    def _call(self, function: Function, *arguments: object) -> int:
        return succeeded(self._abi, ERRORS, function, *arguments)

    def _posix(self, function: Function, *arguments: object) -> int:
        return succeeded(self._abi, POSIX_ERRORS, function, *arguments)


def _wanted_quality(value: Value) -> tuple[str, int]:
    name, priority = value if isinstance(value, tuple) and len(value) == 2 else ("", 0)
    known = isinstance(name, str) and name in QUALITIES
    if known and isinstance(priority, int) and RELATIVE_PRIORITY_MIN <= priority <= 0:
        return str(name), priority
    wanted = f"a class and a priority of {RELATIVE_PRIORITY_MIN} to 0"
    raise ValueError(f"thread_quality: want {wanted}, not {value!r}")


def _wanted_constraint(value: Value) -> tuple[int, int, int, int]:
    """Return period, computation, constraint in ns and whether it may be preempted, as XNU takes them."""
    numbers = tuple(part for part in value if isinstance(part, int)) if isinstance(value, tuple) else ()
    if len(numbers) != 4 or numbers != value:
        raise ValueError(f"time_constraint_ns: want four numbers, not {value!r}")
    period, computation, constraint, preemptible = numbers
    shared = numbers == TIME_SHARED
    in_bounds = COMPUTATION_NS_MIN <= computation <= COMPUTATION_NS_MAX
    in_order = computation <= constraint <= FIELD_MAX and 0 <= period <= FIELD_MAX
    if not shared and not (in_bounds and in_order and preemptible in {0, 1}):
        raise ValueError(
            f"time_constraint_ns {numbers}: want a computation of {COMPUTATION_NS_MIN} to "
            f"{COMPUTATION_NS_MAX} within its constraint, both below 4.3 s, and 0 or 1"
        )
    return period, computation, constraint, preemptible


def _wanted_tag(value: Value) -> int:
    tag = wanted_int("affinity_tag", value)
    if not 0 <= tag <= TAG_MAX:
        raise ValueError(f"affinity_tag {tag}: want 0 to {TAG_MAX}")
    return tag
