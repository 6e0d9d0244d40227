"""Results of a bench as tests need them."""

from __future__ import annotations

from sprint.core.optimize.bench_result import (
    BenchResult,
    Figure,
    SettingState,
    Subject,
    figure_of,
    subject_of,
)
from sprint.core.optimize.levels import LevelName

BEFORE = (100.0, 101.0, 102.0, 103.0, 104.0, 105.0)


def a_figure(factor: float, name: str = "wake-up p99", rounds: int = 6) -> Figure:
    """Return a figure that became `factor` times what it was; the less the better."""
    before = BEFORE[:rounds]
    return figure_of(name, "us", "less", (before, [factor * value for value in before]), 0.95)


def a_level(level: LevelName, *factors: float) -> Subject:
    figures = [a_figure(factor, f"figure {number}") for number, factor in enumerate(factors)]
    return subject_of(level, "", figures, [SettingState("nice", "applied", "")])


def a_result(*, rounds: int = 6, interrupted: bool = False) -> BenchResult:
    setting = subject_of("turbo", "nice", [a_figure(1.0)], [SettingState("nice", "denied", "EPERM")])
    return BenchResult(
        started_at="2026-11-22T04:00:00+00:00",
        host="Linux, 2 CPUs",
        load="2 busy processes",
        rounds=rounds,
        seconds=0.5,
        confidence=0.95,
        interrupted=interrupted,
        subjects=(a_level("basic", 1.0), a_level("turbo", 0.5, 1.0), setting),
        notes=("sysctl:vm.swappiness: no scene tells of it alone",),
        worth="turbo",
        why="turbo is 1.41 times better over all figures",
    )
