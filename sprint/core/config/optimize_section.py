"""`[optimize]` of `sprint.toml`: a level, and single fields of it set otherwise than the level has them.

The fields are those of a level, which the core of `sprint optimize` holds; each may be left out, and then is
the level's. Their limits are held there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from sprint.core.optimize.asked import FIELDS
from sprint.core.optimize.levels import LevelFields

OF_THE_LEVEL = "the level's"
_WORDS = "`off`, `wanted` or `required`"

FIELD_TEXTS: dict[str, str] = {
    "cpus_pinned": f"the process stays on some CPUs: {_WORDS}",
    "cpus_pinned_max": "on so many at most; 0: all that are allowed",
    "cpus_pinned_from_cpus": "only where there are so many CPUs",
    "isolated_cpus": "on those that the kernel keeps free (`isolcpus=`), where there are some",
    "memory_lock": f"memory is not paged out (mlockall): {_WORDS}",
    "threads_per_cpu": "threads for work beside the event loop, for each CPU",
    "preallocate_buffers": "memory for blocks is taken at the start",
    "realtime": "real-time priority: `off`, `asked` (only where it is asked for by name) or `required`",
    "realtime_policy": "`fifo` or `rr`",
    "realtime_priority": "its priority, 1 to 50",
    "realtime_unthrottled": "go on though the kernel's own limit for real-time work is off",
    "nice": "niceness; below 0 is before others",
    "gc_percent": "effort of the garbage collector in percent of CPython's default; 0: not by itself",
    "gc_full_when_idle": "full collections while the event loop is idle, not in the middle of work",
    "gc_freeze": "what was made until the start is over is left out of collections",
    "memory_limit_percent": "of the memory allowed, above which garbage is collected and memory given back",
    "thread_stack_mb": "stack of each thread, in MB",
    "huge_pages": f"transparent huge pages: {_WORDS}",
    "huge_pages_from_cpus": "only where there are so many CPUs",
    "numa": f"memory from the node of the network card or the CPUs: {_WORDS}",
    "numa_from_cpus": "only where there are so many CPUs",
    "timer_slack_ns": "how late the kernel may end a wait; 0: as it is",
    "switch_interval_us": "how long a thread may hold the interpreter lock; 0: as it is",
    "cpu_dma_latency_us": "how long a CPU may take to wake up; -1: as it is",
    "io_priority": "of best effort, 0 (first) to 7; -1: as it is",
    "busy_poll_us": "how long a socket is polled before it waits; of the host; 0: as it is",
    "swappiness": "how readily the host pages out; -1: as it is",
    "malloc_arenas_max": "arenas of the C allocator; 0: as it is",
    "system": "false: nothing of the host is touched, only this process",
}


def _about(text: str, default: str = "") -> Meta:
    """Describe a key as the other sections do; read at the start only."""
    return Meta(description=text, extra={"flag": "", "at_once": False, "default": default})


class OptimizeKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys that are no field of a level."""

    level: Annotated[
        Literal["basic", "standard", "aggressive", "enterprise", "turbo", "high", "maximum"] | None,
        Meta(
            description="how far process and host are tuned; `high` and `maximum` are words for `aggressive` "
            "and `enterprise`",
            extra={
                "flag": "--optimize",
                "at_once": False,
                "default": "the tier's with `--tier`, else `standard`",
            },
        ),
    ] = None
    fallback: Annotated[
        bool, _about("where what a level requires is refused, undo it and take the next lower")
    ] = False


def _section() -> type[OptimizeKeys]:
    """Make the record: the keys above, and a level's fields, each of which may be left out."""
    kinds = get_type_hints(LevelFields)
    fields: list[Any] = [
        (name, Annotated[kinds[name] | None, _about(FIELD_TEXTS[name], OF_THE_LEVEL)], None)
        for name in FIELDS
    ]
    made: type[Any] = msgspec.defstruct(
        "OptimizeSection",
        fields,
        bases=(OptimizeKeys,),
        module=__name__,
        frozen=True,
        forbid_unknown_fields=True,
    )
    made.__doc__ = "`[optimize]`: what is None is the level's."
    return made


if TYPE_CHECKING:
    OptimizeSection = OptimizeKeys
else:
    OptimizeSection = _section()
