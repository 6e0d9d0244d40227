"""What the rows of a level come to on Windows and macOS: settings of `windows.py` and `macos.py`.

CPython's own settings are the same everywhere and are not here. A row that a platform has nothing for is in
the plan as unsupported, with what comes nearest. Windows: HIGH class, REALTIME only where it is asked for, as
a REALTIME process goes before the mouse, the keyboard and the flushing of disks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict, Unpack

from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LevelFields, Strength
from sprint.core.optimize.setting import Scope, Setting, Value
from sprint.core.optimize.windows import NO_THROTTLING
from sprint.core.optimize.windows_functions import CPUS_PER_GROUP

WINDOWS = "win32"
MACOS = "darwin"
MEGABYTE = 1024 * 1024
# The least that stays in memory: the buffers, and what a relay's interpreter uses without pause.
WORKING_SET_LEAST_BYTES = 256 * MEGABYTE
THREAD_PRIORITY_HIGHEST = 2
TIMER_PERIOD_MS = 1
# Priorities asked for above the level's own say that REALTIME is meant, as `--rt-priority` does on Linux.
REALTIME_FROM_PRIORITY = 11
# A block's way takes 1 to 3 ms of CPU; a thread that takes more is put back into time sharing by XNU.
TIME_CONSTRAINT_NS = (0, 5_000_000, 10_000_000, 1)
AFFINITY_TAG = 1

REMEDIES = {
    "large_page_privilege": "give the user Lock pages in memory (SeLockMemoryPrivilege): secpol.msc, Local "
    "Policies, User Rights Assignment; then log on anew",
    "priority_class": "REALTIME wants Increase scheduling priority (SeIncreaseBasePriorityPrivilege), which "
    "administrators have: start the relay elevated, or leave HIGH, which needs nothing",
    "working_set_bytes": "give the user Increase a process working set (SeIncreaseWorkingSetPrivilege) in "
    "secpol.msc, or ask for less: the least working sets of all processes must fit into memory",
    "buffer_lock_bytes": "on Windows raise the least working set first (working_set_bytes); on macOS raise "
    "the limit: ulimit -l unlimited",
    "affinity_tag": "Apple silicon has no affinity tags; thread_quality user_interactive keeps a thread on "
    "its performance cores",
    "thread_quality": "a thread that was given a Mach policy has left the classes of quality: start anew",
}


def plan_elsewhere(fields: LevelFields, facts: HostFacts) -> tuple[Setting, ...]:
    """Return the platform's own part of a level, in the order of application; empty on other platforms."""
    parts = {WINDOWS: _windows, MACOS: _macos}
    return tuple(parts[facts.platform](fields, facts)) if facts.platform in parts else ()


def remedy_elsewhere(key: str) -> str:
    """Return what would permit a setting that was refused; empty where nothing is known of it."""
    return REMEDIES.get(key, "")


def _windows(fields: LevelFields, facts: HostFacts) -> Iterator[Setting]:
    if _is_wanted(fields.cpus_pinned, facts, fields.cpus_pinned_from_cpus):
        yield _setting(
            "cpu_affinity", _cpus_of_one_group(fields, facts), "process",
            "SetProcessAffinityMask: caches stay warm; CPUs of one processor group",
            required=fields.cpus_pinned == "required",
        )  # fmt: skip
    if _is_wanted(fields.memory_lock, facts, 0):
        yield _setting(
            "working_set_bytes", (WORKING_SET_LEAST_BYTES, _memory_limit(fields, facts)), "process",
            "SetProcessWorkingSetSize: so much stays in memory; VirtualLock locks no more than the least",
            required=fields.memory_lock == "required",
        )  # fmt: skip
    if _is_wanted(fields.huge_pages, facts, fields.huge_pages_from_cpus):
        yield _setting(
            "large_page_privilege", "enabled", "process", "buffers in large pages: VirtualAllocExNuma"
        )
    if _is_wanted(fields.numa, facts, fields.numa_from_cpus):
        lacking = "Windows has no policy of a process; buffers come from the pinned CPUs' node all the same"
        yield _setting("numa_policy", "", "process", "memory near the CPUs", unsupported=lacking)
    if fields.timer_slack_ns:
        yield _setting(
            "power_throttling", NO_THROTTLING, "process",
            "full speed, and the timer's period kept where no window is seen: SetProcessInformation",
        )  # fmt: skip
        yield _setting("timer_period_ms", TIMER_PERIOD_MS, "process", "timers to 1 ms in place of 15.6")
    yield from _priorities(fields)


def _priorities(fields: LevelFields) -> Iterator[Setting]:
    if fields.realtime == "required":
        is_asked = fields.realtime_priority >= REALTIME_FROM_PRIORITY
        yield _setting(
            "priority_class", "realtime" if is_asked else "high", "process",
            "before other programs" + (", and before the system's own input and disks" if is_asked else ""),
            required=True,
        )  # fmt: skip
        yield _setting(
            "thread_priority", THREAD_PRIORITY_HIGHEST, "thread", "the loop's thread before the others"
        )
    elif fields.nice < 0:
        yield _setting("priority_class", "above_normal", "process", "before other programs")


def _macos(fields: LevelFields, facts: HostFacts) -> Iterator[Setting]:
    if _is_wanted(fields.cpus_pinned, facts, fields.cpus_pinned_from_cpus):
        is_apple_silicon = facts.kernel.endswith("arm64")
        yield _setting(
            "affinity_tag", AFFINITY_TAG, "thread",
            "threads of one tag share a cache; macOS pins to no CPU",
            unsupported="Apple silicon has no affinity tags" if is_apple_silicon else "",
        )  # fmt: skip
    if _is_wanted(fields.memory_lock, facts, 0):
        lacking = "macOS has no mlockall; buffers that are allocated at start are locked by mlock"
        yield _setting("memory_lock", "", "process", "nothing is paged out", unsupported=lacking)
    if _is_wanted(fields.huge_pages, facts, fields.huge_pages_from_cpus):
        lacking = "macOS gives no large pages to a program; those of Apple silicon have 16 KB anyway"
        yield _setting("huge_pages", 1, "process", "fewer misses of the TLB", unsupported=lacking)
    if _is_wanted(fields.numa, facts, fields.numa_from_cpus):
        yield _setting("numa_policy", "", "process", "memory near the CPUs", unsupported="Macs have one node")
    # One of the two: a thread with a Mach policy has left the classes of quality.
    if fields.realtime == "required":
        yield _setting(
            "time_constraint_ns", TIME_CONSTRAINT_NS, "thread",
            "runs within 10 ms of being woken, for up to 5 ms: THREAD_TIME_CONSTRAINT_POLICY",
            required=True,
        )  # fmt: skip
    elif fields.nice < 0 or fields.timer_slack_ns:
        yield _setting(
            "thread_quality", ("user_interactive", 0), "thread",
            "before other threads, on performance cores, and its timers are not put off",
        )  # fmt: skip


def _is_wanted(strength: Strength, facts: HostFacts, from_cpus: int) -> bool:
    return strength != "off" and facts.cpus >= from_cpus


def _cpus_of_one_group(fields: LevelFields, facts: HostFacts) -> tuple[int, ...]:
    """Return the last CPUs of the group that has most of those allowed: the first serve interrupts."""
    groups: dict[int, list[int]] = {}
    for cpu in facts.cpus_allowed:
        groups.setdefault(cpu // CPUS_PER_GROUP, []).append(cpu)
    largest = max(groups.values(), key=len)
    return tuple(largest[-(fields.cpus_pinned_max or len(largest)) :])


def _memory_limit(fields: LevelFields, facts: HostFacts) -> int:
    return max(WORKING_SET_LEAST_BYTES, facts.memory_bytes * fields.memory_limit_percent // 100)


class _More(TypedDict, total=False):
    required: bool
    unsupported: str


def _setting(key: str, value: Value, scope: Scope, why: str, **more: Unpack[_More]) -> Setting:
    return Setting(key=key, value=value, scope=scope, why=why, **more)
