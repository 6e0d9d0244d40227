"""The figures that the project's first papers name for a tuned process, each as what CPython has.

Those papers wrote of a Go runtime. Where CPython keeps the same figure it is given under their name; where it
keeps another one that answers the same question, under their name too, with `EQUALS` saying what it is; where
there is no such thing the value is null, and `EQUALS` says why.
"""

from __future__ import annotations

from typing import Any

import msgspec

MIB = 1 << 20

# What stands behind each name of the papers; the values are in `stats_of`.
EQUALS: dict[str, str] = {
    "os": "the operating system",
    "arch": "the processor's architecture",
    "go_version": "null: `python_version`",
    "python_version": "the interpreter's version",
    "num_cpu": "CPUs that the process may use, by affinity and the cgroup's quota",
    "gomaxprocs": "threads that may be given work; one at a time holds the interpreter lock",
    "optimal_threads": "worker threads that the level wants",
    "rt_capable": "whether the process may have a real-time priority",
    "heap_alloc_mb": "anonymous memory that is resident",
    "heap_sys_mb": "data segment with all that is mapped for the heap (VmData)",
    "heap_idle_mb": "mapped for the heap and not resident",
    "heap_inuse_mb": "as `heap_alloc_mb`: CPython's arenas are not told apart",
    "heap_released_mb": "null: what malloc_trim gave back is not counted by the allocator",
    "heap_objects": "blocks of memory that CPython's allocator has given out",
    "stack_inuse_mb": "null: the system tells of the main thread's stack only, `stack_sys_mb`",
    "stack_sys_mb": "stack of the main thread (VmStk)",
    "mspan_inuse_mb": "null: there are no spans",
    "mspan_sys_mb": "null: there are no spans",
    "mcache_inuse_mb": "null: there are no caches of a scheduler's processors",
    "mcache_sys_mb": "null: there are no caches of a scheduler's processors",
    "gc_cpu_fraction": "time in the collector over the time passed, of the last minute",
    "num_gc": "collections, of all generations",
    "num_forced_gc": "collections that the level asked for while the loop was idle",
    "gc_pause_ns": "all pauses together, in nanoseconds",
    "last_gc": "when the last collection ended, in Unix seconds",
    "pointer_size": "bytes of a pointer",
    "num_goroutine": "tasks on the event loop",
    "num_thread": "threads of the process",
    "num_cgo_call": "null: calls into C are not counted",
    "applied": "whether the level holds: all that it requires was read back",
    "level": "the level by name",
    "optimization_level": "the level as a number, basic 0 to turbo 4",
}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the process; sizes in bytes, times in seconds, None where it could not be read."""

    system: str
    machine: str
    python: str
    cpus: int = 1
    worker_threads: int | None = None
    optimal_threads: int | None = None
    may_be_real_time: bool | None = None
    resident_bytes: int | None = None
    mapped_bytes: int | None = None
    stack_bytes: int | None = None
    allocated_blocks: int | None = None
    gc_share: float | None = None
    collections: int | None = None
    asked_collections: int | None = None
    pauses_s: float | None = None
    last_collection: float | None = None
    pointer_bytes: int = 8
    tasks: int | None = None
    threads: int | None = None
    applied: bool | None = None
    level: str | None = None
    level_number: int | None = None


def stats_of(figures: Figures) -> dict[str, Any]:
    """Return every name of the papers with its value; null where there is none."""
    given = dict.fromkeys(EQUALS)
    idle = (
        figures.mapped_bytes - figures.resident_bytes
        if figures.mapped_bytes is not None and figures.resident_bytes is not None
        else None
    )
    return given | {
        "os": figures.system,
        "arch": figures.machine,
        "python_version": figures.python,
        "num_cpu": figures.cpus,
        "gomaxprocs": figures.worker_threads,
        "optimal_threads": figures.optimal_threads,
        "rt_capable": figures.may_be_real_time,
        "heap_alloc_mb": _mib(figures.resident_bytes),
        "heap_sys_mb": _mib(figures.mapped_bytes),
        "heap_idle_mb": _mib(idle if idle is None else max(0, idle)),
        "heap_inuse_mb": _mib(figures.resident_bytes),
        "heap_objects": figures.allocated_blocks,
        "stack_sys_mb": _mib(figures.stack_bytes),
        "gc_cpu_fraction": figures.gc_share,
        "num_gc": figures.collections,
        "num_forced_gc": figures.asked_collections,
        "gc_pause_ns": None if figures.pauses_s is None else round(figures.pauses_s * 1e9),
        "last_gc": figures.last_collection,
        "pointer_size": figures.pointer_bytes,
        "num_goroutine": figures.tasks,
        "num_thread": figures.threads,
        "applied": figures.applied,
        "level": figures.level,
        "optimization_level": figures.level_number,
    }


def _mib(size: int | None) -> float | None:
    return None if size is None else round(size / MIB, 1)
