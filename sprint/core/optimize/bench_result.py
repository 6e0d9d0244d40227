"""What `sprint optimize bench` found, as a record that is kept and that `recommend` reads.

A `Subject` is what was changed: a whole level, or one setting of one. Each of its `Figure`s has a value for
each round before and after, in the order they were measured, and the change between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.optimize.levels import LevelName
from sprint.core.optimize.verdict import Better, Change, Verdict, compare, verdict_of_all
from sprint.core.published import decode_record, encode_record

RESULT_VERSION = 1
RESULT_SIZE_MAX = 4 * 1024 * 1024
RESULT_FILE = "bench.json"
# A level must be this much better than a lower one, over all figures, to be worth what it takes.
GAIN_SHARE_MIN = 0.05
# In the mean of all figures one counts for no more: a pause that is gone is no reason for all else.
GAIN_OF_ONE_MAX = 10.0

Unit = Literal["us", "ms", "per_s"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a subject: round by round without it and with it. `change` is None of too few rounds."""

    name: str
    unit: Unit
    better: Better
    before: tuple[float, ...]
    after: tuple[float, ...]
    change: Change | None


class SettingState(msgspec.Struct, frozen=True):
    """What became of a setting while it was measured: an outcome's key, state, and what it says."""

    key: str
    state: str
    says: str


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A level (`setting` empty) or one setting of a level, measured against nothing being set."""

    level: LevelName
    setting: str
    figures: tuple[Figure, ...]
    states: tuple[SettingState, ...]
    verdict: Verdict
    says: str

    @property
    def name(self) -> str:
        return self.setting or self.level

    @property
    def gain(self) -> float:
        """How many times better: the geometric mean of all figures, each within 10 times; no change is 1."""
        logs = [_log_gain(figure) for figure in self.figures]
        return math.exp(sum(logs) / len(logs)) if logs else 1.0


class BenchResult(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `worth` is the level that is worth it on this host, None where no level was measured.

    `seconds` is how long each round of each scene took; `interrupted` that the run was ended before its end.
    """

    version: int = RESULT_VERSION
    started_at: str
    host: str
    load: str
    rounds: int
    seconds: float
    confidence: float
    interrupted: bool
    subjects: tuple[Subject, ...]
    notes: tuple[str, ...] = ()
    worth: LevelName | None = None
    why: str = ""

    @property
    def levels(self) -> tuple[Subject, ...]:
        return tuple(subject for subject in self.subjects if not subject.setting)

    @property
    def settings(self) -> tuple[Subject, ...]:
        return tuple(subject for subject in self.subjects if subject.setting)


def figure_of(
    name: str,
    unit: Unit,
    better: Better,
    rounds: tuple[Sequence[float], Sequence[float]],
    confidence: float,
) -> Figure:
    """Return a figure with its change; without one where the rounds are too few for this confidence."""
    before, after = rounds
    try:
        change = compare(before, after, better=better, confidence=confidence)
    except (ValueError, ConfigError):
        change = None
    return Figure(
        name=name, unit=unit, better=better, before=tuple(before), after=tuple(after), change=change
    )


def subject_of(
    level: LevelName, setting: str, figures: Sequence[Figure], states: Sequence[SettingState]
) -> Subject:
    """Return a subject with its verdict."""
    verdicts = {figure.name: figure.change.verdict for figure in figures if figure.change is not None}
    verdict, says = verdict_of_all(verdicts)
    if setting and states and not any(state.state == "applied" for state in states):
        verdict, says = "no effect here", f"{states[0].state}: {states[0].says}"
    elif not verdicts:
        says = "too few rounds for a verdict"
    return Subject(
        level=level, setting=setting, figures=tuple(figures), states=tuple(states), verdict=verdict, says=says
    )


def worth_it(levels: Sequence[Subject]) -> tuple[LevelName | None, str]:
    """Return the lowest level that is as good as the best but for a few percent, and why.

    A figure that got worse counts against its level as one that got better counts for it.
    """
    if not levels:
        return None, "no level was measured"
    unjudged = [level.name for level in levels if any(figure.change is None for figure in level.figures)]
    if unjudged:
        return None, f"{', '.join(unjudged)}: too few rounds, so that no level can be told as worth it"
    best = max(levels, key=lambda subject: subject.gain)
    if best.gain < 1 + GAIN_SHARE_MIN:
        return "basic", f"no level gained {GAIN_SHARE_MIN:.0%} over all figures on this host: basic is enough"
    for subject in levels:
        if subject.gain * (1 + GAIN_SHARE_MIN) >= best.gain:
            told = f"{subject.name} is {subject.gain:.2f} times better over all figures"
            higher = "" if subject is best else f"; {best.name}, at {best.gain:.2f}, is hardly better"
            return subject.level, f"{told}{higher}"
    raise ValueError("the best level is as good as itself")


def encode_result(result: BenchResult) -> bytes:
    """Return a result as it is kept."""
    return encode_record(result)


def decode_result(data: bytes, name: str) -> BenchResult:
    """Read a kept result; ConfigError, with the file's name, where it is none."""
    return decode_record(
        BenchResult, data, name=name, size_max=RESULT_SIZE_MAX,
        wanted="result of sprint optimize bench; run it again",
    )  # fmt: skip


def _log_gain(figure: Figure) -> float:
    if figure.change is None or figure.change.verdict == "no effect here":
        return 0.0
    log = math.log(figure.change.ratio)
    most = math.log(GAIN_OF_ONE_MAX)
    return max(-most, min(most, -log if figure.better == "less" else log))
