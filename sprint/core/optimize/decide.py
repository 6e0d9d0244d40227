"""What to do about what was refused: go on with the rest, fail, or take the next lower level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from sprint.core.optimize.setting import Outcome

Verdict = Literal["holds", "fails", "lower"]


def refused(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Return the settings that are not as the level wants them, whether it requires them or not."""
    return tuple(outcome for outcome in outcomes if outcome.state != "applied")


def missing(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Return the settings without which the level is not reached."""
    return tuple(outcome for outcome in refused(outcomes) if outcome.setting.required)


def denied(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Return the settings that this host has, and refused."""
    return tuple(outcome for outcome in outcomes if outcome.state == "denied")


def verdict(outcomes: Sequence[Outcome], *, strict: bool, fallback: bool) -> Verdict:
    """Say what comes of the outcomes of a level.

    `strict` fails on anything that was denied, and on what the level requires and this host hasn't got: what
    it merely could have used is no refusal. `fallback` asks for the next lower level where something required
    is missing, and comes before `strict`: only the level that is kept in the end is judged by that.
    """
    lacking = missing(outcomes)
    if fallback and lacking:
        return "lower"
    if strict and (lacking or denied(outcomes)):
        return "fails"
    return "holds"
