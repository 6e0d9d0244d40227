"""Whether a tuned relay is well: what `sprint optimize check` fails on, and what it only warns of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from sprint.core.optimize.setting import Outcome

GC_SHARE_MAX = 0.2
GC_SHARE_ALERT = 0.1
TASKS_MAX = 10_000

Word = Literal["ok", "alert", "failed"]
_GRAVITY: dict[Word, int] = {"ok": 0, "alert": 1, "failed": 2}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at, how it was found, and with which figures."""

    what: str
    word: Word
    says: str


def findings(level: str, outcomes: Iterable[Outcome], *, gc_share: float, tasks: int) -> tuple[Finding, ...]:
    """Return all that is looked at.

    `gc_share` is the time in the collector over the time passed, 0 to 1. A setting that was not granted and
    that the level can do without is no failure; one that it requires is, and so is one that has drifted.
    """
    return (*_of_level(level, tuple(outcomes)), _of_gc(gc_share), _of_tasks(tasks))


def gravest(found: Iterable[Finding]) -> Word:
    """Return the gravest word among findings; `ok` where there is none."""
    return max((finding.word for finding in found), key=_GRAVITY.__getitem__, default="ok")


def _of_level(level: str, outcomes: tuple[Outcome, ...]) -> tuple[Finding, ...]:
    """Return what keeps the level from being applied, or that it is."""
    drifted = [
        Finding(
            f"setting {outcome.setting.key}",
            "failed",
            f"drifted: was set to {outcome.setting.value}, is {outcome.found}",
        )
        for outcome in outcomes
        if outcome.state == "drifted"
    ]
    missing = [
        outcome.setting.key
        for outcome in outcomes
        if outcome.setting.required and outcome.state in ("denied", "unsupported")
    ]
    if missing:
        return (
            *drifted,
            Finding("level", "failed", f"{level} is not applied: it requires {', '.join(missing)}"),
        )
    applied = sum(outcome.state == "applied" for outcome in outcomes)
    if drifted:
        return tuple(drifted)
    return (Finding("level", "ok", f"{level} is applied: {applied} of {len(outcomes)} settings hold"),)


def _of_gc(share: float) -> Finding:
    """Judge the share of time that goes into collecting garbage."""
    limits = f"alert from {GC_SHARE_ALERT}, limit {GC_SHARE_MAX}"
    word: Word = "failed" if share > GC_SHARE_MAX else "alert" if share >= GC_SHARE_ALERT else "ok"
    return Finding("gc share", word, f"{share:.3f} of the time; {limits}")


def _of_tasks(tasks: int) -> Finding:
    """Judge the number of tasks on the event loop: a leak shows there first."""
    word: Word = "failed" if tasks > TASKS_MAX else "ok"
    return Finding("tasks", word, f"{tasks:,} tasks, limit {TASKS_MAX:,}")
