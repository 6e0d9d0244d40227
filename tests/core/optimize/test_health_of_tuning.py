"""What `check` fails on: the level, drift, the collector's share, tasks; what strict and fallback do."""

from __future__ import annotations

import pytest

from sprint.core.optimize.decide import verdict
from sprint.core.optimize.health import Finding, findings, gravest
from sprint.core.optimize.setting import Outcome, Setting, State


def outcome(state: State, *, required: bool = False, key: str = "scheduler") -> Outcome:
    return Outcome(setting=Setting(key=key, value=1, scope="thread", why="", required=required), state=state)


def of(found: tuple[Finding, ...], what: str) -> str:
    return next(each.word for each in found if each.what == what)


@pytest.mark.parametrize(
    ("share", "word"), [(0.0, "ok"), (0.0999, "ok"), (0.1, "alert"), (0.2, "alert"), (0.2001, "failed")]
)
def test_the_collectors_share_alerts_from_a_tenth_and_fails_above_a_fifth(share: float, word: str) -> None:
    assert of(findings("basic", (), gc_share=share, tasks=1), "gc share") == word


def test_ten_thousand_tasks_are_well_and_one_more_is_not() -> None:
    assert of(findings("basic", (), gc_share=0, tasks=10_000), "tasks") == "ok"
    assert of(findings("basic", (), gc_share=0, tasks=10_001), "tasks") == "failed"


@pytest.mark.parametrize(
    ("state", "required", "word"),
    [
        ("applied", True, "ok"),
        ("denied", False, "ok"),
        ("unsupported", False, "ok"),
        ("denied", True, "failed"),
        ("unsupported", True, "failed"),
        ("drifted", False, "failed"),
        ("drifted", True, "failed"),
    ],
)
def test_a_level_holds_without_what_it_can_do_without_and_not_with_a_drift(
    state: State, *, required: bool, word: str
) -> None:
    found = findings("turbo", (outcome("applied"), outcome(state, required=required)), gc_share=0, tasks=1)
    assert gravest(found) == word


@pytest.mark.parametrize(
    ("state", "required", "strict", "fallback", "said"),
    [
        ("applied", True, True, True, "holds"),
        ("denied", False, False, False, "holds"),
        ("denied", False, True, False, "fails"),
        ("denied", False, True, True, "fails"),
        ("denied", True, False, False, "holds"),
        ("denied", True, True, False, "fails"),
        ("denied", True, True, True, "lower"),
        ("denied", True, False, True, "lower"),
        ("unsupported", True, True, False, "fails"),
        ("unsupported", False, True, False, "holds"),
        ("unsupported", True, False, True, "lower"),
    ],
)
def test_strict_fails_on_a_refusal_and_fallback_only_on_what_is_required(
    state: State, *, required: bool, strict: bool, fallback: bool, said: str
) -> None:
    given = (outcome("applied"), outcome(state, required=required))
    assert verdict(given, strict=strict, fallback=fallback) == said
