"""What is told of a tuned process: a row for each setting, and all that a relay answers about itself.

The same record goes over the relay's admin API, into `sprint optimize status --json`, and onto the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from sprint.core.optimize.health import Finding, Word
from sprint.core.optimize.levels import LevelName
from sprint.core.optimize.plan import describe
from sprint.core.optimize.setting import Outcome, Refusal, Setting, Value

# Beyond the states of a setting that was applied: `kept` is as wanted without anybody's doing, `would change`
# would be set if the level were applied.
RowState = Literal["applied", "unsupported", "denied", "drifted", "kept", "would change"]
UNREADABLE = "?"
_MIB = 1 << 20
_UNITS = {
    "thread_stack": (_MIB, "MiB"),
    "memory_limit": (_MIB, "MiB"),
    "timer_slack": (1_000, "us"),
    "switch_interval": (1, "us"),
    "cpu_dma_latency": (1, "us"),
}
# What 0 of a setting means.
_DEFAULTS = {"thread_stack": "the system's", "memory_limit": "none"}
_SWITCHES = ("huge_pages", "gc_freeze", "gc_idle_collection", "preallocated_buffers")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as a person reads it; `now` and `wanted` are texts. `errno` 0 where nothing was refused."""

    setting: str
    now: str
    wanted: str
    state: RowState
    why: str
    required: bool = False
    says: str = ""
    errno: int = 0
    error: str = ""
    remedy: str = ""
    took_ms: float = 0.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """All that a relay tells of its tuning. `health` is the gravest word among the findings."""

    pid: int
    level: LevelName
    level_origin: str
    origins: dict[str, str]
    changes: dict[str, Any]
    settings: tuple[Row, ...]
    findings: tuple[Finding, ...]
    health: Word
    stats: dict[str, Any]
    runtime: dict[str, Any]
    notes: tuple[str, ...] = ()


def rows_of(outcomes: Iterable[Outcome]) -> tuple[Row, ...]:
    """Return the rows of settings that were tried."""
    return tuple(_row(outcome) for outcome in outcomes)


def untried_row(setting: Setting, found: Value | None, refusal: Refusal | None, *, as_wanted: bool) -> Row:
    """Return the row of a setting that nobody has tried to set: as it is now, and what would become of it."""
    state: RowState = "would change"
    if setting.unsupported:
        state = "unsupported"
    elif as_wanted:
        state = "kept"
    elif refusal is not None:
        state = "denied"
    return Row(
        setting=setting.key,
        now=text_of(setting, found),
        wanted=text_of(setting, setting.value),
        state=state,
        why=setting.why,
        required=setting.required,
        says=setting.unsupported,
        errno=refusal.errno if refusal and state == "denied" else 0,
        error=refusal.name if refusal and state == "denied" else "",
        remedy=refusal.remedy if refusal and state == "denied" else "",
    )


def text_of(setting: Setting, value: Value | None) -> str:
    """Return a value of a setting for people, with its unit; a question mark for one that wasn't read."""
    if value is None:
        return UNREADABLE
    if isinstance(value, int) and setting.key in _UNITS:
        divisor, unit = _UNITS[setting.key]
        if value == 0 and setting.key in _DEFAULTS:
            return _DEFAULTS[setting.key]
        return f"{value // divisor:,} {unit}" if value >= divisor else f"{value / divisor:g} {unit}"
    if setting.key in _SWITCHES and isinstance(value, int):
        return "yes" if value else "no"
    if setting.key == "memory_lock" and isinstance(value, tuple):
        return str(value[0])
    return describe(msgspec.structs.replace(setting, value=value))


def _row(outcome: Outcome) -> Row:
    setting, refusal = outcome.setting, outcome.refusal
    return Row(
        setting=setting.key,
        now=text_of(setting, outcome.found if outcome.found is not None else outcome.before),
        wanted=text_of(setting, setting.value),
        state=outcome.state,
        why=setting.why,
        required=setting.required,
        says=outcome.says or setting.unsupported,
        errno=refusal.errno if refusal else 0,
        error=refusal.name if refusal else "",
        remedy=refusal.remedy if refusal else "",
        took_ms=round(outcome.took_ms, 3),
    )
