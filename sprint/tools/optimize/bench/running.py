"""Runs a bench: for each level, and each setting of one, rounds without it and with it, and a verdict.

Rounds go A B B A, A B B A …: what drifts on the host meanwhile falls on both sides alike. A is nothing set, B
is what is measured; both in one process, which is told to apply and to restore, so that nothing else differs.
A relay can't be: B's is started for each pair of its rounds and ended after them, as part of what it sets is
the whole host's.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sprint.core.errors import SprintError
from sprint.core.optimize.bench_result import (
    BenchResult,
    Figure,
    SettingState,
    Subject,
    figure_of,
    subject_of,
    worth_it,
)
from sprint.core.optimize.levels import LEVELS, LevelName
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Setting
from sprint.core.optimize.verdict import CONFIDENCE, confidence_of_each
from sprint.tools.optimize.bench import relay_scene
from sprint.tools.optimize.bench.load import CpuLoad
from sprint.tools.optimize.bench.measured import Measured
from sprint.tools.optimize.bench.options import BenchOptions
from sprint.tools.optimize.bench.relay_scene import RelayScene
from sprint.tools.optimize.bench.scenes import (
    ALL_SCENES,
    ALONG_WITH,
    SCENES,
    SCENES_OF,
    FigureOf,
    SceneName,
)
from sprint.tools.optimize.facts import read_facts
from sprint.tools.optimize.journal import journal_folder_default

LOAD_SPARE_S = 30.0
# A relay without a word on it has its tier's level; this one leaves all as it is.
UNTUNED: LevelName = "basic"
BEFORE, AFTER = 0, 1
_ORDER = (BEFORE, AFTER, AFTER, BEFORE)
MEGABYTE = 1 << 20


def run(options: BenchOptions, *, clock: Callable[[], float], tell: Callable[[str], None]) -> BenchResult:
    """Measure what was asked for. Ctrl-C ends it with what was measured until then, and is not raised."""
    return Bench(options, clock=clock, tell=tell).run()


class Sides:
    """The values of each figure, before and after, as rounds give them."""

    def __init__(self) -> None:
        self._values: dict[FigureOf, tuple[list[float], list[float]]] = {}

    def __repr__(self) -> str:
        return f"Sides({[figure.name for figure in self._values]})"

    def add(self, side: int, figures: Sequence[FigureOf], values: Sequence[float]) -> None:
        for figure, value in zip(figures, values, strict=True):
            self._values.setdefault(figure, ([], []))[side].append(value)

    def figures(self) -> list[Figure]:
        """Return the figures, each so sure that all together are as sure as is said."""
        confidence = confidence_of_each(len(self._values))
        return [figure_of(*figure, rounds, confidence) for figure, rounds in self._values.items()]


class Bench:
    """One run."""

    def __init__(
        self,
        options: BenchOptions,
        *,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        journal_folder: Path | None = None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._tell = tell
        self._journal_folder = journal_folder or journal_folder_default()
        self._facts = read_facts()
        self._subjects: list[Subject] = []
        self._notes: list[str] = []
        self._with_relay = options.relay
        self._folder = Path()

    def __repr__(self) -> str:
        return f"Bench({self._options}, {len(self._subjects)} subjects)"

    def run(self) -> BenchResult:
        started_at, interrupted = datetime.now(UTC).isoformat(timespec="seconds"), False
        try:
            with ExitStack() as stack:
                self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sprint-bench-")))
                self._measure_all(stack.enter_context(Measured(self._journal_folder)))
        except KeyboardInterrupt:
            interrupted = True
            self._notes.append("ended by Ctrl-C: what was measured until then")
        worth, why = worth_it([subject for subject in self._subjects if not subject.setting])
        return BenchResult(
            started_at=started_at,
            host=self._host(),
            load=f"{self._facts.cpus} busy processes",
            rounds=self._options.rounds,
            seconds=self._options.seconds,
            confidence=CONFIDENCE,
            interrupted=interrupted,
            subjects=tuple(self._subjects),
            notes=tuple(self._notes),
            worth=worth,
            why=why,
        )

    def _measure_all(self, measured: Measured) -> None:
        for level in self._options.levels:
            self._measure_level(measured, level)
        if self._options.settings_of is not None:
            settings = self._planned(self._options.settings_of)
            for setting in settings:
                self._measure_setting(measured, setting, settings)

    def _measure_level(self, measured: Measured, level: LevelName) -> None:
        self._tell(f"level {level}")
        with self._subject(level, "") as (sides, states):
            settings = self._planned(level)
            for _ in range(self._options.rounds // 2):
                for side in _ORDER:
                    states[:] = self._round(measured, sides, side, settings, ALL_SCENES) or states
                if self._with_relay:
                    self._relay_rounds(sides, level)

    def _measure_setting(self, measured: Measured, setting: Setting, all_of: Sequence[Setting]) -> None:
        scenes = SCENES_OF.get(setting.key, ())
        if not scenes:
            self._notes.append(f"{setting.key}: no scene tells of it alone; it is in its level's figures")
            return
        level = self._options.settings_of or "turbo"
        if setting.unsupported:
            states = [SettingState(setting.key, "unsupported", setting.unsupported)]
            self._subjects.append(subject_of(level, setting.key, (), states))
            return
        self._tell(f"setting {setting.key} of {level}")
        along = [each for each in all_of if each.key in ALONG_WITH.get(setting.key, ())]
        with self._subject(level, setting.key) as (sides, states):
            for _ in range(self._options.rounds // 2):
                for side in _ORDER:
                    found = self._round(measured, sides, side, [*along, setting], scenes)
                    states[:] = [state for state in found if state.key == setting.key] or states

    @contextmanager
    def _subject(self, level: LevelName, setting: str) -> Iterator[tuple[Sides, list[SettingState]]]:
        """Have what was measured told, also where Ctrl-C ended it."""
        sides, states = Sides(), list[SettingState]()
        try:
            yield sides, states
        finally:
            figures = sides.figures()
            if figures:
                self._subjects.append(subject_of(level, setting, figures, states))

    def _round(
        self,
        measured: Measured,
        sides: Sides,
        side: int,
        settings: Sequence[Setting],
        scenes: Sequence[SceneName],
    ) -> list[SettingState]:
        """Measure each scene once; return what became of the settings where they were applied."""
        states = list(measured.apply(settings).states) if side == AFTER else []
        for name in scenes:
            scene = SCENES[name]
            with ExitStack() as stack:
                if scene.is_loaded:
                    seconds_max = self._options.seconds + LOAD_SPARE_S
                    stack.enter_context(CpuLoad(self._facts.cpus, seconds_max))
                sides.add(side, scene.figures, measured.measure(name, self._options.seconds))
        measured.restore()
        return states

    def _relay_rounds(self, sides: Sides, level: LevelName) -> None:
        """Measure A B B A of a relay. Where none runs, say why and measure without."""
        try:
            with self._relay(UNTUNED) as before:
                self._relay_round(sides, BEFORE, before)
                with self._relay(level) as after:
                    for _ in range(2):
                        self._relay_round(sides, AFTER, after)
                self._relay_round(sides, BEFORE, before)
        except (SprintError, OSError) as error:
            self._with_relay = False
            self._notes.append(f"no relay was measured from {level} on: {error}")
            self._tell(self._notes[-1])

    def _relay(self, level: LevelName) -> RelayScene:
        return RelayScene(("--optimize", level), self._folder, clock=self._clock)

    def _relay_round(self, sides: Sides, side: int, scene: RelayScene) -> None:
        sides.add(side, relay_scene.FIGURES, scene.measure(self._options.seconds))

    def _planned(self, level: LevelName) -> tuple[Setting, ...]:
        return plan(LEVELS[level].fields, self._facts)

    def _host(self) -> str:
        facts = self._facts
        memory = facts.memory_bytes // MEGABYTE
        return (
            f"{platform.platform()}, Python {facts.python}, {facts.cpus} CPUs, {memory} MB, uid {facts.user}"
        )
