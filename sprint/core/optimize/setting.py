"""A setting as it is planned, and what became of it.

`plan` makes `Setting`s out of a level and the facts of a host; the edge applies each, reads it back, and
returns an `Outcome`. What was there before goes into a journal as an `Entry` before anything changes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# `applied`: read back as wanted. `unsupported`: this host or this target hasn't got it. `denied`: it has, and
# refused. `drifted`: it was applied and is something else now.
State = Literal["applied", "unsupported", "denied", "drifted"]
Scope = Literal["process", "thread", "host"]
# What a setting is, as its actuator reads and writes it: text of /proc, a number, a list of CPUs, a policy's
# name with its priority.
Value = str | int | tuple[str | int, ...]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a level wants to be so.

    `key` names its actuator (`cpu_affinity`, `memory_lock`, `scheduler`, `sysctl:net.core.busy_poll` …).
    `why` says what it is for on this host. `required` is true where the level is not reached without it.
    `unsupported` says why it can't be had here, known before any try; empty where it may be tried.
    """

    key: str
    value: Value
    scope: Scope
    why: str
    required: bool = False
    unsupported: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """Why the system said no: `errno` (0 where there is none), its name, and what would permit it."""

    errno: int
    name: str
    remedy: str


# What is said of a setting that was found as it was wanted.
SO_ALREADY = "it was so already"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a setting. `before` and `found`: what was read before and after; None if unreadable."""

    setting: Setting
    state: State
    before: Value | None = None
    found: Value | None = None
    refusal: Refusal | None = None
    says: str = ""
    took_ms: float = 0.0


class Process(msgspec.Struct, frozen=True):
    """A process that can't be taken for another: its id and when it began, in ticks since boot."""

    pid: int
    started_ticks: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of one setting undoes to; on disk before the change is made.

    `process` is whom it was changed for, None for the host. `before` is what a restore writes back.
    """

    number: int
    key: str
    process: Process | None
    before: Value
    wanted: Value
