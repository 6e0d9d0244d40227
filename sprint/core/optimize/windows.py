"""Settings of Windows: priority, affinity, memory, large pages, timer, through the calls of its own headers.

`Windows(abi).knobs()` gives a `Knob` for each setting: what `read` gave, `write` takes, so that a change is
verified and taken back by the same two calls. `allocate` is for buffers, whose NUMA node and page size are
chosen when they are made. Nothing of this was run on hardware; the tests run it on a recorded fake.

Sources: the Win32 pages of each function, named where a rule comes from them.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sprint.core.optimize import windows_functions as win
from sprint.core.optimize.abi import (
    Abi,
    Function,
    Knob,
    Region,
    allowed_by,
    succeeded,
    wanted_all_or_none,
    wanted_int,
    wanted_pair,
    wanted_text,
)  # fmt: skip
from sprint.core.optimize.setting import Value

# SetThreadPriority: THREAD_PRIORITY_IDLE, LOWEST to HIGHEST, TIME_CRITICAL.
THREAD_PRIORITIES = {-15, -2, -1, 0, 1, 2, 15}
# Both mechanisms taken over and off: full speed, and the timer's period as it was asked for.
NO_THROTTLING = (win.POWER_THROTTLING_EXECUTION_SPEED | win.POWER_THROTTLING_IGNORE_TIMER_RESOLUTION, 0)
TIMER_PERIOD_MS_MAX = 16  # what the system has where nobody asks, 15.6 ms
CPUS_MAX = 64 * win.CPUS_PER_GROUP
PAGES_PER_QUERY = 1024
_PRIVILEGE_STATES = {"enabled": win.SE_PRIVILEGE_ENABLED, "disabled": 0, "absent": 0}


class Windows:
    """A process of Windows, this one or that of `pid`, and the calling thread.

    `buffers` are what `buffer_lock` holds in memory. `close` gives the handle of another process back.
    """

    def __init__(self, abi: Abi, *, pid: int | None = None, buffers: Sequence[Region] = ()) -> None:
        self._abi = abi
        self._buffers = tuple(buffers)
        self._period_ms = 0  # what timeBeginPeriod was asked for and has not been given back
        self._opened = pid is not None
        if pid is None:
            self._process = self._call(win.GetCurrentProcess)
        else:
            self._process = self._call(win.OpenProcess, win.PROCESS_ACCESS, 0, pid)

    def __repr__(self) -> str:
        return f"Windows(process={self._process:#x}, buffers={len(self._buffers)})"

    def close(self) -> None:
        if self._opened:
            self._call(win.CloseHandle, self._process)
            self._opened = False

    def knobs(self) -> tuple[Knob, ...]:
        """Return the settings of this process; of another one those that can be changed from outside."""
        process = (
            Knob("cpu_affinity", self.cpus, self.set_cpus, allowed_by(_wanted_cpus)),
            Knob("priority_class", self.priority_class, self.set_priority_class, allowed_by(_wanted_class)),
            Knob("working_set_bytes", self.working_set, self.set_working_set, allowed_by(_wanted_sizes)),
            Knob(
                "power_throttling", self.power_throttling, self.set_power_throttling, allowed_by(_wanted_bits)
            ),
        )
        if self._opened:
            return process
        return (
            *process,
            Knob(
                "thread_priority", self.thread_priority, self.set_thread_priority,
                allowed_by(_wanted_priority),
            ),
            Knob(
                "buffer_lock_bytes", self.locked_bytes, self.set_locked_bytes,
                allowed_by(self._wanted_lock),
            ),
            Knob(
                "large_page_privilege", self.large_page_privilege, self.set_large_page_privilege,
                allowed_by(_wanted_privilege),
            ),
            Knob(
                "timer_period_ms", self.timer_period_ms, self.set_timer_period_ms, allowed_by(_wanted_period),
                _no_coarser,
            ),
        )  # fmt: skip

    def cpus(self) -> tuple[int, ...]:
        """Return the CPUs it may run on: 64 times the processor group and the number in it.

        With several groups, those of the calling thread: GetProcessAffinityMask answers 0 for a process that
        has threads in more than one.
        """
        if self._has_groups():
            affinity = win.GroupAffinity()
            self._call(win.GetThreadGroupAffinity, self._own_thread(), affinity)
            return _cpus_of(affinity.mask, affinity.group)
        of_process, of_system = ctypes.c_size_t(), ctypes.c_size_t()
        self._call(win.GetProcessAffinityMask, self._process, of_process, of_system)
        return _cpus_of(of_process.value, 0)

    def set_cpus(self, value: Value) -> None:
        cpus = _wanted_cpus(value)
        groups = {cpu // win.CPUS_PER_GROUP for cpu in cpus}
        if len(groups) != 1:
            raise OSError(errno.EINVAL, f"CPUs {cpus} are of {len(groups)} processor groups; want one")
        mask = sum(1 << cpu % win.CPUS_PER_GROUP for cpu in set(cpus))
        if self._has_groups():
            affinity = win.GroupAffinity(mask=mask, group=groups.pop())
            self._call(win.SetThreadGroupAffinity, self._own_thread(), affinity, win.GroupAffinity())
        elif groups == {0}:
            self._call(win.SetProcessAffinityMask, self._process, mask)
        else:
            raise OSError(errno.EINVAL, f"CPUs {cpus}: this machine has one processor group, 0 to 63")

    def priority_class(self) -> str:
        found = self._call(win.GetPriorityClass, self._process)
        names = [name for name, number in win.PRIORITY_CLASSES.items() if number == found]
        if not names:
            raise OSError(errno.EIO, f"GetPriorityClass gave {found:#x}, which is no class that is known")
        return names[0]

    def set_priority_class(self, value: Value) -> None:
        """Set it. Without SeIncreaseBasePriorityPrivilege "realtime" silently becomes "high"."""
        self._call(win.SetPriorityClass, self._process, win.PRIORITY_CLASSES[_wanted_class(value)])

    def thread_priority(self) -> int:
        found = self._call(win.GetThreadPriority, self._thread())
        if found == win.THREAD_PRIORITY_ERROR_RETURN:
            raise OSError(errno.EIO, "GetThreadPriority failed with THREAD_PRIORITY_ERROR_RETURN")
        return found

    def set_thread_priority(self, value: Value) -> None:
        priority = _wanted_priority(value)
        self._call(win.SetThreadPriority, self._thread(), priority)

    def working_set(self) -> tuple[int, ...]:
        """Return the least and the most that it keeps in memory, in bytes."""
        least, most = ctypes.c_size_t(), ctypes.c_size_t()
        self._call(win.GetProcessWorkingSetSize, self._process, least, most)
        return least.value, most.value

    def set_working_set(self, value: Value) -> None:
        least, most = _wanted_sizes(value)
        self._call(win.SetProcessWorkingSetSize, self._process, least, most)

    def power_throttling(self) -> tuple[int, ...]:
        """Return which mechanisms are taken over, and which of those are on, as bits."""
        state = win.PowerThrottling(version=win.POWER_THROTTLING_VERSION)
        self._power_throttling(win.GetProcessInformation, state)
        return state.control, state.state

    def set_power_throttling(self, value: Value) -> None:
        control, on = _wanted_bits(value)
        state = win.PowerThrottling(version=win.POWER_THROTTLING_VERSION, control=control, state=on)
        self._power_throttling(win.SetProcessInformation, state)

    def locked_bytes(self) -> int:
        """Return how many bytes of the buffers' pages are locked, as the system has it page by page."""
        return sum(win.PAGE_SIZE for region in self._buffers for locked in self._pages(region) if locked)

    def set_locked_bytes(self, value: Value) -> None:
        """Lock all buffers, or none with 0. VirtualLock wants a least working set that covers them."""
        wanted = self._wanted_lock(value)
        for region in self._buffers:
            locked = all(self._pages(region))
            if wanted and not locked:
                self._call(win.VirtualLock, region.address, region.size_bytes)
            elif not wanted and locked:
                self._call(win.VirtualUnlock, region.address, region.size_bytes)

    def large_page_privilege(self) -> str:
        """Return "enabled", "disabled", or "absent" where the user was not given it."""
        with self._token() as token:
            wanted, all_of_it, needed = self._lock_memory(), win.Privileges(), ctypes.c_uint32()
            size = ctypes.sizeof(all_of_it)
            self._call(win.GetTokenInformation, token, win.TOKEN_PRIVILEGES_CLASS, all_of_it, size, needed)
        for privilege in all_of_it.privileges[: all_of_it.count]:
            if (privilege.luid.low, privilege.luid.high) == (wanted.low, wanted.high):
                return "enabled" if privilege.attributes & win.SE_PRIVILEGE_ENABLED else "disabled"
        return "absent"

    def set_large_page_privilege(self, value: Value) -> None:
        attributes = _PRIVILEGE_STATES[_wanted_privilege(value)]
        with self._token() as token:
            privilege = win.Privilege(self._lock_memory(), attributes)
            new = win.OnePrivilege(count=1, privileges=(win.Privilege * 1)(privilege))
            old, size = win.OnePrivilege(), ctypes.c_uint32()
            arguments = (token, 0, new, ctypes.sizeof(old), old, size)
            answer = self._abi.call(win.AdjustTokenPrivileges, *arguments)
        # It succeeds where nothing was changed, and says so by the error alone.
        refused = answer.error == win.ERROR_NOT_ALL_ASSIGNED and value != "absent"
        if not answer.result or refused:
            raise win.ERRORS.refused(win.AdjustTokenPrivileges, answer.error)

    def timer_period_ms(self) -> int:
        """Return the timer's period, rounded to what can be asked for: 16 where nobody asks."""
        coarsest, finest, now = (ctypes.c_uint32() for _ in range(3))
        self._call(win.NtQueryTimerResolution, coarsest, finest, now)
        return max(1, round(now.value / win.TIMER_UNITS_PER_MS))

    def set_timer_period_ms(self, value: Value) -> None:
        """Ask for a period. Each timeBeginPeriod needs its timeEndPeriod: what was asked before is ended."""
        period_ms = _wanted_period(value)
        if self._period_ms:
            self._call(win.TimeEndPeriod, self._period_ms)
            self._period_ms = 0
        if self.timer_period_ms() > period_ms:
            self._call(win.TimeBeginPeriod, period_ms)
            self._period_ms = period_ms

    def node_of(self, cpu: int) -> int | None:
        """Return the NUMA node of a CPU; None where no node says that it has it."""
        highest = ctypes.c_uint32()
        self._call(win.GetNumaHighestNodeNumber, highest)
        for node in range(highest.value + 1):
            affinity = win.GroupAffinity()
            self._call(win.GetNumaNodeProcessorMaskEx, node, affinity)
            if cpu in _cpus_of(affinity.mask, affinity.group):
                return node
        return None

    def allocate(self, size_bytes: int, *, node: int, large_pages: bool = False) -> Region:
        """Return memory that comes from a NUMA node; large pages want their privilege enabled first."""
        kind = win.MEM_RESERVE | win.MEM_COMMIT
        if large_pages:
            page_size = self._call(win.GetLargePageMinimum)
            if not page_size:
                raise OSError(errno.ENOTSUP, "GetLargePageMinimum gave 0: this processor has no large pages")
            size_bytes = -(-size_bytes // page_size) * page_size
            kind |= win.MEM_LARGE_PAGES
        arguments = (self._process, None, size_bytes, kind, win.PAGE_READWRITE, node)
        return Region(self._call(win.VirtualAllocExNuma, *arguments), size_bytes)

    def free(self, region: Region) -> None:
        # MEM_RELEASE takes the whole reservation, and wants 0 for its size.
        self._call(win.VirtualFree, region.address, 0, win.MEM_RELEASE)

    def _power_throttling(self, function: Function, state: win.PowerThrottling) -> None:
        self._call(function, self._process, win.PROCESS_POWER_THROTTLING, state, ctypes.sizeof(state))

    @contextmanager
    def _token(self) -> Iterator[int]:
        """This process' access token, closed again."""
        token = ctypes.c_void_p()
        self._call(win.OpenProcessToken, self._process, win.TOKEN_ACCESS, token)
        try:
            yield token.value or 0
        finally:
            self._call(win.CloseHandle, token.value or 0)

    def _wanted_lock(self, value: Value) -> int:
        whole = sum(_size_of_pages(region) for region in self._buffers)
        return wanted_all_or_none("buffer_lock_bytes", value, whole)

    def _lock_memory(self) -> win.Luid:
        luid = win.Luid()
        self._call(win.LookupPrivilegeValue, None, win.SE_LOCK_MEMORY, luid)
        return luid

    def _pages(self, region: Region) -> list[bool]:
        """Tell of each page of a region whether it is locked."""
        first = region.address - region.address % win.PAGE_SIZE
        addresses = range(first, region.address + region.size_bytes, win.PAGE_SIZE)
        found: list[bool] = []
        for start in range(0, len(addresses), PAGES_PER_QUERY):
            part = addresses[start : start + PAGES_PER_QUERY]
            pages = (win.WorkingSetPage * len(part))(*(win.WorkingSetPage(address) for address in part))
            self._call(win.QueryWorkingSetEx, self._process, pages, ctypes.sizeof(pages))
            both = win.WORKING_SET_VALID | win.WORKING_SET_LOCKED
            found += [page.attributes & both == both for page in pages]
        return found

    def _has_groups(self) -> bool:
        return self._call(win.GetActiveProcessorGroupCount) > 1

    def _own_thread(self) -> int:
        if self._opened:
            raise OSError(errno.ENOTSUP, "with several processor groups each thread sets its own affinity")
        return self._thread()

    def _thread(self) -> int:
        return self._call(win.GetCurrentThread)

    def _call(self, function: Function, *arguments: object) -> int:
        return succeeded(self._abi, win.ERRORS, function, *arguments)


def _cpus_of(mask: int, group: int) -> tuple[int, ...]:
    bits = range(win.CPUS_PER_GROUP)
    return tuple(group * win.CPUS_PER_GROUP + bit for bit in bits if mask >> bit & 1)


def _size_of_pages(region: Region) -> int:
    first = region.address // win.PAGE_SIZE
    last = (region.address + region.size_bytes - 1) // win.PAGE_SIZE
    return (last - first + 1) * win.PAGE_SIZE


def _no_coarser(wanted: Value, found: Value) -> bool:
    return _wanted_period(found) <= _wanted_period(wanted)


def _wanted_cpus(value: Value) -> tuple[int, ...]:
    cpus = tuple(cpu for cpu in value if isinstance(cpu, int)) if isinstance(value, tuple) else ()
    if not cpus or cpus != value or not all(0 <= cpu < CPUS_MAX for cpu in cpus):
        raise ValueError(f"cpu_affinity: want numbers of CPUs below {CPUS_MAX}, not {value!r}")
    return cpus


def _wanted_class(value: Value) -> str:
    return wanted_text("priority_class", value, win.PRIORITY_CLASSES)


def _wanted_priority(value: Value) -> int:
    priority = wanted_int("thread_priority", value)
    if priority not in THREAD_PRIORITIES:
        raise ValueError(f"thread_priority {priority}: want one of {sorted(THREAD_PRIORITIES)}")
    return priority


def _wanted_sizes(value: Value) -> tuple[int, int]:
    least, most = wanted_pair("working_set_bytes", value)
    if not 0 < least <= most:
        raise ValueError(f"working_set_bytes {least} to {most}: want the least first, and above 0")
    return least, most


def _wanted_bits(value: Value) -> tuple[int, int]:
    control, on = wanted_pair("power_throttling", value)
    if control & ~NO_THROTTLING[0] or on & ~control:
        raise ValueError(
            f"power_throttling {control}, {on}: want bits of {NO_THROTTLING[0]}, on only if taken over"
        )
    return control, on


def _wanted_privilege(value: Value) -> str:
    return wanted_text("large_page_privilege", value, _PRIVILEGE_STATES)


def _wanted_period(value: Value) -> int:
    period_ms = wanted_int("timer_period_ms", value)
    if not 1 <= period_ms <= TIMER_PERIOD_MS_MAX:
        raise ValueError(f"timer_period_ms {period_ms}: want 1 to {TIMER_PERIOD_MS_MAX}")
    return period_ms
