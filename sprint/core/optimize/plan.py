"""From a level's fields and a host's facts to settings, in the order they are applied, each with its reason.

What this host or this target hasn't got is in the plan too, as unsupported and why. The order matters: the
guard on real-time threads stands before they are made, and they are made last, so that nothing of the start
runs above everything else. A restore goes the other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypedDict, Unpack

import msgspec

from sprint.core.optimize.cpu_choice import choose_cpus, preferred_node
from sprint.core.optimize.cpu_list import format_cpu_list
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEAVE, LevelFields, Strength
from sprint.core.optimize.plan_elsewhere import MACOS, WINDOWS, plan_elsewhere
from sprint.core.optimize.setting import Scope, Setting, Value

# Whom a plan is for: this process, another that runs, or a command that is to be started.
TargetKind = Literal["self", "process", "command"]

# A real-time thread that has used the CPU for so long without once waiting gets SIGXCPU, and SIGKILL at the
# second: RLIMIT_RTTIME, setrlimit(2). The longest stretch a relay has is a full round of the garbage
# collector, 101 to 125 ms where start-up was not frozen; twice that is no longer work. The second is for who
# handles the signal: it leaves a handler 300 ms, and is over before people call a machine hung.
GUARD_SOFT_US = 200_000
GUARD_HARD_US = 500_000
DEFAULT_GC_THRESHOLDS = (700, 10, 10)
GC_THRESHOLD_MAX = 2**31 - 1
MEGABYTE = 1024 * 1024
SYSCTLS = ("net.core.busy_poll", "net.core.busy_read", "vm.swappiness")
HUGE_PAGES_OFF = "never"
HUGE_PAGES_ADVISED = "madvise"

# Settings that only the process itself can make; those of the first line it keeps when it becomes another
# program, so that they can be made for a command before it starts.
KEPT_BY_EXEC = frozenset({"numa_policy", "huge_pages", "cpu_dma_latency", "malloc_arenas"})
IN_PROCESS = frozenset(
    {
        *("memory_lock", "worker_threads", "preallocated_buffers", "gc_threshold", "gc_freeze"),
        *("gc_idle_collection", "memory_limit", "thread_stack", "switch_interval"),
    }
)
SELF_ONLY = "only the process itself can set this, and it would not outlast its exec: sprint relay --optimize"
NOT_FROM_OUTSIDE = (
    "only the process itself can set this: start it under `sprint optimize apply -- COMMAND` "
    "or `sprint relay --optimize`"
)

UNTHROTTLED = (
    "kernel.sched_rt_runtime_us is -1: nothing holds real-time threads back on this host; "
    "sysctl kernel.sched_rt_runtime_us=950000, or ask for it by --set realtime_unthrottled=on"
)


class _More(TypedDict, total=False):
    required: bool
    unsupported: str


def plan(fields: LevelFields, facts: HostFacts, kind: TargetKind = "self") -> tuple[Setting, ...]:
    """Return what a level comes to on a host, for a target of a kind, in the order it is to be applied."""
    if facts.platform in {WINDOWS, MACOS}:
        own = (*plan_elsewhere(fields, facts), *_runtime(fields, facts))
        return tuple(_for_target(setting, kind) for setting in own)
    parts = (
        _placing(fields, facts),
        _scheduling(fields),
        _latency(fields, facts),
        _runtime(fields, facts),
        _memory_lock(fields, facts),
        _realtime(fields, facts),
    )
    return tuple(_for_target(setting, kind) for part in parts for setting in part)


def lock_is_covered(limit: int, *, may_lock: bool, bytes_most: int) -> bool:
    """Whether a process may lock all it will ever have: by CAP_IPC_LOCK, or a limit that covers its most.

    A limit that covers only what is there now is worse than none: with MCL_FUTURE each later allocation above
    it fails (mlockall(2)), and the process with it.
    """
    return may_lock or limit < 0 or limit >= bytes_most


def memory_limit_bytes(fields: LevelFields, facts: HostFacts) -> int:
    """Return the level's share of what the cgroup or the host allows."""
    return facts.memory_bytes * fields.memory_limit_percent // 100


def gc_thresholds(percent: int, *, full: bool = True) -> tuple[int, int, int]:
    """Return the thresholds for an effort in percent of CPython's default; a first of 0 turns it off.

    The youngest generation alone decides how often there is a round: a threshold twice as high is half the
    effort. Without `full` the collector makes no full rounds by itself: they come when nothing waits.
    """
    youngest, middle, oldest = DEFAULT_GC_THRESHOLDS
    if percent == 0:
        return (0, middle, oldest)
    return (min(youngest * 100 // percent, GC_THRESHOLD_MAX), middle, oldest if full else GC_THRESHOLD_MAX)


def _placing(fields: LevelFields, facts: HostFacts) -> Iterator[Setting]:
    """Yield where it runs: the CPUs, the memory node, huge pages."""
    if _is_wanted(fields.cpus_pinned, facts.cpus, fields.cpus_pinned_from_cpus):
        cpus, why = choose_cpus(fields, facts)
        yield _setting("cpu_affinity", cpus, "process", why, required=fields.cpus_pinned == "required")
    if _is_wanted(fields.numa, facts.cpus, fields.numa_from_cpus):
        node = preferred_node(facts)
        yield _setting(
            "numa_policy", ("preferred", node), "thread",
            f"memory from node {node}, where the network cards or the pinned CPUs are",
            required=fields.numa == "required",
            unsupported="" if len(facts.numa_nodes) > 1 else "this host has one NUMA node: nothing to prefer",
        )  # fmt: skip
    if _is_wanted(fields.huge_pages, facts.cpus, fields.huge_pages_from_cpus):
        yield _huge_pages(fields, facts)


def _huge_pages(fields: LevelFields, facts: HostFacts) -> Setting:
    mode = facts.huge_pages_mode
    why = "large buffers in 2 MB pages: fewer misses of the TLB"
    if mode == HUGE_PAGES_ADVISED:
        why += "; this host gives them only to memory that asks by madvise"
    off = {
        HUGE_PAGES_OFF: "/sys/kernel/mm/transparent_hugepage/enabled is never: "
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled would permit it",
        "": "this kernel is built without transparent huge pages",
    }
    required = fields.huge_pages == "required"
    return _setting("huge_pages", 1, "process", why, required=required, unsupported=off.get(mode, ""))


def _scheduling(fields: LevelFields) -> Iterator[Setting]:
    if fields.nice:
        yield _setting(
            "nice", fields.nice, "process", "the threads that aren't real-time go before other programs"
        )
    if fields.io_priority != LEAVE:
        yield _setting(
            "io_priority", ("best-effort", fields.io_priority), "process",
            "the log's writes go before other programs'; the scheduler of some disks heeds it",
        )  # fmt: skip


def _latency(fields: LevelFields, facts: HostFacts) -> Iterator[Setting]:
    """Yield what shortens a wake-up: first this thread's, then the host's."""
    if fields.timer_slack_ns:
        yield _setting(
            "timer_slack", fields.timer_slack_ns, "thread",
            "the loop's timers fire when they are due: by default up to 50 us later",
        )  # fmt: skip
    if fields.malloc_arenas_max:
        yield _setting(
            "malloc_arenas", fields.malloc_arenas_max, "process",
            "fewer arenas of malloc: less memory held by threads that have ended",
        )  # fmt: skip
    if not fields.system:
        return
    if fields.cpu_dma_latency_us != LEAVE:
        yield _setting(
            "cpu_dma_latency", fields.cpu_dma_latency_us, "host",
            f"idle CPUs wake up within {fields.cpu_dma_latency_us} us; costs power while it is held",
            unsupported="" if facts.dma_latency else "this kernel has no /dev/cpu_dma_latency",
        )  # fmt: skip
    wanted = {"vm.swappiness": fields.swappiness}
    if fields.busy_poll_us:
        wanted = {
            "net.core.busy_poll": fields.busy_poll_us,
            "net.core.busy_read": fields.busy_poll_us,
            **wanted,
        }
    whys = {
        "net.core.busy_poll": "a poll of sockets asks the card for so many us before it sleeps",
        "net.core.busy_read": "a read of a socket asks the card for so many us before it sleeps",
        "vm.swappiness": "the kernel drops cached files before it swaps out programs",
    }
    for name, value in wanted.items():
        if value != LEAVE:
            missing = "" if name in facts.sysctls else f"this kernel has no {name}"
            yield _setting(f"sysctl:{name}", str(value), "host", whys[name], unsupported=missing)


def _runtime(fields: LevelFields, facts: HostFacts) -> Iterator[Setting]:
    """Yield what only the Python process itself sets."""
    threads = facts.cpus * fields.threads_per_cpu
    yield _setting(
        "worker_threads", threads, "process", f"{fields.threads_per_cpu} for each of {facts.cpus} CPUs"
    )
    yield _setting(
        "thread_stack", fields.thread_stack_mb * MEGABYTE, "process", "the stack of threads made from here on"
    )
    limit = memory_limit_bytes(fields, facts)
    share = f"{fields.memory_limit_percent} % of {facts.memory_bytes // MEGABYTE} MB"
    yield _setting("memory_limit", limit, "process", f"{share}; above it garbage is collected")
    if fields.preallocate_buffers:
        yield _setting("preallocated_buffers", 1, "process", "no large allocation on a block's way")
    if fields.gc_percent != 100:
        yield _setting(
            "gc_threshold", gc_thresholds(fields.gc_percent, full=not fields.gc_full_when_idle), "process",
            f"the collector at {fields.gc_percent} % of its default effort",
        )  # fmt: skip
    if fields.gc_freeze:
        yield _setting("gc_freeze", 1, "process", "what start-up made is left out of each full round")
    if fields.gc_full_when_idle:
        yield _setting("gc_idle_collection", 1, "process", "full rounds only when nothing waits")
    if fields.switch_interval_us:
        yield _setting(
            "switch_interval", fields.switch_interval_us, "process",
            "a thread that computes gives the loop its turn after so many us; by default 5,000",
        )  # fmt: skip


def _memory_lock(fields: LevelFields, facts: HostFacts) -> Iterator[Setting]:
    if fields.memory_lock != "off":
        yield _setting(
            "memory_lock", ("all", memory_limit_bytes(fields, facts)), "process",
            "no page of the process is ever fetched from disk",
            required=fields.memory_lock == "required",
        )  # fmt: skip


def _realtime(fields: LevelFields, facts: HostFacts) -> Iterator[Setting]:
    """Yield the guard and then the policy: no moment is one without the other."""
    if fields.realtime != "required":
        return
    unsupported = "" if facts.realtime_runtime_us != LEAVE or fields.realtime_unthrottled else UNTHROTTLED
    hard = GUARD_HARD_US if facts.may("sys_resource") else facts.limits.get("rttime", (LEAVE, LEAVE))[1]
    soft = GUARD_SOFT_US if hard == LEAVE else min(GUARD_SOFT_US, hard)
    if facts.realtime_runtime_us == LEAVE and hard == LEAVE:
        unsupported = (
            UNTHROTTLED + "; here not even then, as the guard's hard limit asks for CAP_SYS_RESOURCE"
        )
    yield _setting(
        "realtime_guard", (soft, hard), "process",
        f"a real-time thread that runs {GUARD_SOFT_US // 1000} ms without a wait is stopped"
        + ("" if hard == GUARD_HARD_US else "; the hard limit stays: CAP_SYS_RESOURCE could put it back"),
        required=True, unsupported=unsupported,
    )  # fmt: skip
    yield _setting(
        "scheduler", (f"{fields.realtime_policy} reset-on-fork", fields.realtime_priority), "thread",
        "the loop's thread runs as soon as it has something to do; threads and programs it starts don't",
        required=True, unsupported=unsupported,
    )  # fmt: skip


def _is_wanted(strength: Strength, cpus: int, from_cpus: int) -> bool:
    return strength != "off" and cpus >= from_cpus


def _for_target(setting: Setting, kind: TargetKind) -> Setting:
    """Say of a setting that it can't be had in such a target, where that is so."""
    key, said = setting.key, setting.unsupported
    if not said and key == "malloc_arenas" and kind == "self":
        said = "glibc takes it at start only: MALLOC_ARENA_MAX in the environment, or apply -- COMMAND"
    if not said and kind == "process" and key in KEPT_BY_EXEC | IN_PROCESS:
        said = NOT_FROM_OUTSIDE
    if not said and kind == "command" and key in IN_PROCESS:
        said = SELF_ONLY
    return msgspec.structs.replace(setting, unsupported=said)


def _setting(key: str, value: Value, scope: Scope, why: str, **more: Unpack[_More]) -> Setting:
    return Setting(key=key, value=value, scope=scope, why=why, **more)


def describe(setting: Setting) -> str:
    """Return a setting's value for people: `0-3`, `fifo reset-on-fork 10`, `50`."""
    value = setting.value
    if setting.key == "cpu_affinity" and isinstance(value, tuple):
        return format_cpu_list(tuple(int(cpu) for cpu in value))
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
