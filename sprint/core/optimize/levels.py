"""The five levels as data: one field for each row of the specification's table, each may be set by itself.

`plan` makes settings out of a level's fields and the facts of a host. Figures are those of the table; where
it gives none (timer slack, busy poll, swappiness) the reason stands beside the figure in
docs/reference/optimize-settings.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec

from sprint.core.errors import ConfigError

LevelName = Literal["basic", "standard", "aggressive", "enterprise", "turbo"]
# `wanted`: had where the host permits it. `required`: the level is not reached without it.
Strength = Literal["off", "wanted", "required"]
# `asked`: only where somebody asks for it, by `realtime=required` or HIGH_PRIORITY.
Realtime = Literal["off", "asked", "required"]

REALTIME_PRIORITY = 10
REALTIME_PRIORITY_MAX = 50
THREAD_STACK_MB_LEAST = 1
THREAD_STACK_MB_MAX = 64
NICE_LEAST = -20
NICE_MAX = 19
MEMORY_PERCENT_MAX = 100
GC_PERCENT_MAX = 1_000
TIMER_SLACK_NS_MAX = 1_000_000_000
SWITCH_INTERVAL_US_MAX = 1_000_000
DMA_LATENCY_US_MAX = 2_000_000
BUSY_POLL_US_MAX = 1_000
CPUS_MAX = 8_192
# A field of a level that is this is left as the host has it.
LEAVE = -1


class LevelFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a level wants; each field is a key of `--set` and of `[optimize]`.

    Fields named `…_from_cpus` are the least CPUs a host must have for it. `cpus_pinned_max` 0 is all that are
    allowed. `gc_percent` is the collector's effort in percent of CPython's default, 0 turns it off.
    `timer_slack_ns`, `switch_interval_us`, `busy_poll_us` and `malloc_arenas_max` of 0, and
    `cpu_dma_latency_us`, `io_priority` and `swappiness` of -1 are left as they are. `system` false: nothing
    of the host is touched, only this process.
    """

    cpus_pinned: Strength = "off"
    cpus_pinned_max: int = 0
    cpus_pinned_from_cpus: int = 0
    isolated_cpus: bool = False
    memory_lock: Strength = "off"
    threads_per_cpu: int = 1
    preallocate_buffers: bool = False
    realtime: Realtime = "off"
    realtime_policy: Literal["fifo", "rr"] = "fifo"
    realtime_priority: int = REALTIME_PRIORITY
    realtime_unthrottled: bool = False
    nice: int = 0
    gc_percent: int = 100
    gc_full_when_idle: bool = False
    gc_freeze: bool = False
    memory_limit_percent: int = 50
    thread_stack_mb: int = 8
    huge_pages: Strength = "off"
    huge_pages_from_cpus: int = 0
    numa: Strength = "off"
    numa_from_cpus: int = 0
    timer_slack_ns: int = 0
    switch_interval_us: int = 0
    cpu_dma_latency_us: int = LEAVE
    io_priority: int = LEAVE
    busy_poll_us: int = 0
    swappiness: int = LEAVE
    malloc_arenas_max: int = 0
    system: bool = True


class Level(msgspec.Struct, frozen=True):
    """A level: its name, the seeds' word for it, what it is for, and what it wants."""

    name: LevelName
    label: str
    is_for: str
    fields: LevelFields


_BASIC = LevelFields()

_STANDARD = LevelFields(
    cpus_pinned="wanted",
    cpus_pinned_from_cpus=4,
    memory_lock="wanted",
    threads_per_cpu=2,
    gc_percent=50,
    gc_freeze=True,
    memory_limit_percent=75,
    huge_pages="wanted",
    huge_pages_from_cpus=8,
    numa="wanted",
    numa_from_cpus=16,
    timer_slack_ns=10_000,
    switch_interval_us=500,
)

_AGGRESSIVE = LevelFields(
    cpus_pinned="wanted",
    memory_lock="wanted",
    threads_per_cpu=2,
    preallocate_buffers=True,
    realtime="asked",
    nice=-5,
    gc_percent=25,
    gc_freeze=True,
    memory_limit_percent=80,
    thread_stack_mb=4,
    huge_pages="wanted",
    numa="wanted",
    timer_slack_ns=1_000,
    switch_interval_us=500,
    io_priority=4,
    malloc_arenas_max=4,
)

_ENTERPRISE = LevelFields(
    cpus_pinned="required",
    cpus_pinned_max=4,
    memory_lock="required",
    threads_per_cpu=2,
    preallocate_buffers=True,
    realtime="required",
    nice=-10,
    gc_percent=10,
    gc_full_when_idle=True,
    gc_freeze=True,
    memory_limit_percent=90,
    huge_pages="wanted",
    numa="wanted",
    timer_slack_ns=1,
    switch_interval_us=500,
    cpu_dma_latency_us=0,
    io_priority=0,
    busy_poll_us=50,
    swappiness=10,
    malloc_arenas_max=4,
)

_TURBO = LevelFields(
    cpus_pinned="required",
    cpus_pinned_max=2,
    isolated_cpus=True,
    memory_lock="required",
    preallocate_buffers=True,
    realtime="required",
    nice=-10,
    gc_percent=0,
    gc_full_when_idle=True,
    gc_freeze=True,
    memory_limit_percent=95,
    thread_stack_mb=4,
    huge_pages="wanted",
    numa="wanted",
    timer_slack_ns=1,
    switch_interval_us=500,
    cpu_dma_latency_us=0,
    io_priority=0,
    busy_poll_us=50,
    swappiness=10,
    malloc_arenas_max=2,
)

# In rising order.
LEVELS: dict[LevelName, Level] = {
    "basic": Level("basic", "basic", "development", _BASIC),
    "standard": Level("standard", "standard", "production", _STANDARD),
    "aggressive": Level("aggressive", "high", "high throughput", _AGGRESSIVE),
    "enterprise": Level("enterprise", "maximum", "real time", _ENTERPRISE),
    "turbo": Level("turbo", "maximum", "ultra-low latency", _TURBO),
}

# Fields that make one setting: each alone would be nothing, or no collector at all.
TOGETHER = (
    ("cpus_pinned", "cpus_pinned_max", "cpus_pinned_from_cpus", "isolated_cpus"),
    ("realtime", "realtime_policy", "realtime_priority", "realtime_unthrottled"),
    ("gc_percent", "gc_full_when_idle"),
    ("huge_pages", "huge_pages_from_cpus"),
    ("numa", "numa_from_cpus"),
)

# Least and most of each number among the fields.
LIMITS: dict[str, tuple[int, int]] = {
    "cpus_pinned_max": (0, CPUS_MAX),
    "cpus_pinned_from_cpus": (0, CPUS_MAX),
    "threads_per_cpu": (1, 16),
    "realtime_priority": (1, REALTIME_PRIORITY_MAX),
    "nice": (NICE_LEAST, NICE_MAX),
    "gc_percent": (0, GC_PERCENT_MAX),
    "memory_limit_percent": (1, MEMORY_PERCENT_MAX),
    "thread_stack_mb": (THREAD_STACK_MB_LEAST, THREAD_STACK_MB_MAX),
    "huge_pages_from_cpus": (0, CPUS_MAX),
    "numa_from_cpus": (0, CPUS_MAX),
    "timer_slack_ns": (0, TIMER_SLACK_NS_MAX),
    "switch_interval_us": (0, SWITCH_INTERVAL_US_MAX),
    "cpu_dma_latency_us": (LEAVE, DMA_LATENCY_US_MAX),
    "io_priority": (LEAVE, 7),
    "busy_poll_us": (0, BUSY_POLL_US_MAX),
    "swappiness": (LEAVE, 200),
    "malloc_arenas_max": (0, 1_024),
}


def lower_level(name: LevelName) -> LevelName | None:
    """Return the next lower level; None below `basic`."""
    names = list(LEVELS)
    place = names.index(name)
    return names[place - 1] if place else None


def changed(fields: LevelFields, changes: Mapping[str, object]) -> LevelFields:
    """Return fields with some set anew. Texts are read as their field's type: `nice=-5`, `gc_freeze=off`.

    ConfigError names the key, what was given, and what it may be.
    """
    values = msgspec.structs.asdict(fields)
    for key, given in changes.items():
        if key not in values:
            raise ConfigError(
                f"optimize: {key!r} is no field of a level; there are {', '.join(sorted(values))}"
            )
        values[key] = _converted(key, given)
    return LevelFields(**values)


def _right(key: str, kind: Any) -> str:
    """Say what a field may be; nothing where its type says it."""
    if get_origin(kind) is Literal:
        return f"want {', '.join(get_args(kind))}"
    if key in LIMITS:
        return f"want a whole number from {LIMITS[key][0]} to {LIMITS[key][1]}"
    return "want true or false" if kind is bool else ""


def _converted(key: str, given: object) -> object:
    (field,) = (each for each in msgspec.structs.fields(LevelFields) if each.name == key)
    if field.type is bool and isinstance(given, str):
        given = {"on": "true", "off": "false"}.get(given.lower(), given)
    try:
        value = msgspec.convert(given, field.type, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"optimize: {key} = {given!r}: {_right(key, field.type) or error}") from error
    if key in LIMITS:
        least, most = LIMITS[key]
        if not least <= value <= most:
            raise ConfigError(f"optimize: {key} = {value}: may be {least} to {most}")
    return value
