"""Goes up a level when the relay is slow and down when it idles, and keeps of a level only what helps.

Up: p99 was over its limit for some samples in a row. Then each setting in which the next level differs is
tried alone, for some samples. Where the median of p99 fell by a clear part, it is taken away again, as load
that comes and goes looks the same, and stays only where p99 rises by that. Down: the loop
idled and p99 was far below the limit for a good while; the level below is taken whole. Between the two limits
nothing happens, after every change it waits, and what has not helped is not tried again for a long time. What
an operator has set is never touched.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Literal, NamedTuple

import msgspec

P99_MS_MAX = 10.0
P99_MS_LOW = P99_MS_MAX / 2
CPU_SHARE_LOW = 0.5  # of one CPU: a relay's loop has one
SLOW_SAMPLES = 3
IDLE_SAMPLES = 12
TRIAL_SAMPLES = 6
TRIAL_LOOKS_MAX = 60  # with too few deliveries to tell: then it is undone
SETTLE_SAMPLES = 2  # after a change, before anything counts
GAIN_MIN = 0.05  # of p99, below which a setting is held to have done nothing
BETTER_BY_CHANCE_MAX = 1  # of the samples without a setting, that may be as low as the median with it
REST_SAMPLES = 240  # 20 minutes at 5 s: what has not helped is left alone for so long


What = Literal["try", "without", "keep", "undo", "down"]


class Sample(NamedTuple):
    """One interval. `p99_ms` is None where too little was delivered; `cpu_share` 1.0 is one CPU busy."""

    p99_ms: float | None
    cpu_share: float


class Rung(msgspec.Struct, frozen=True):
    """A level with the fields that it sets."""

    name: str
    fields: Mapping[str, Any]


class Ladder(msgspec.Struct, frozen=True):
    """Levels from the lowest to the highest. Fields `together` mean nothing apart: they are one setting."""

    rungs: Sequence[Rung]
    together: Sequence[tuple[str, ...]] = ()

    def settings(self) -> Iterator[tuple[str, ...]]:
        """Yield the fields of each setting."""
        grouped = set(itertools.chain.from_iterable(self.together))
        yield from self.together
        yield from ((name,) for name in self.rungs[0].fields if name not in grouped)


class Step(msgspec.Struct, frozen=True):
    """What to do now: have the level hold with these changes to its fields and no others, and why."""

    what: What
    level: str
    changes: Mapping[str, Any]
    why: str


class _Trial(msgspec.Struct):
    """A setting that is tried: its fields before and with it, and p99 before."""

    name: str
    before: Mapping[str, Any]
    tried: Mapping[str, Any]
    p99_before_ms: float
    p99_with_ms: float | None = None
    looks: int = 0


class AutoTune:
    """Told of one sample an interval; answers with a step, or None where all stays as it is."""

    def __init__(
        self,
        ladder: Ladder,
        level: str,
        changes: Mapping[str, Any] | None = None,
        *,
        own: frozenset[str] = frozenset(),
        highest: str | None = None,
    ) -> None:
        """`changes` hold beside the level: an operator's, but for those in `own`, which may be tuned.

        A setting that an operator has set, if only in part, is never tried. It goes no higher than `highest`.
        """
        names = [rung.name for rung in ladder.rungs]
        self._rungs = ladder.rungs[: names.index(highest) + 1] if highest is not None else ladder.rungs
        self._place = min(names.index(level), len(self._rungs) - 1)
        changes = changes or {}
        self._held = {name: value for name, value in changes.items() if name not in own}
        self._fields = {**self._rungs[self._place].fields, **changes}
        self._settings = [names for names in ladder.settings() if self._held.keys().isdisjoint(names)]
        self._recent: deque[float] = deque(maxlen=TRIAL_SAMPLES)
        self._slow = self._idle = self._wait = 0
        self._trial: _Trial | None = None
        self._resting: dict[str, int] = {}
        self._seen = 0

    @property
    def level(self) -> str:
        return self._rungs[self._place].name

    def take(self, sample: Sample) -> Step | None:
        """Take a sample in; return what is to be done."""
        self._seen += 1
        if self._wait > 0:
            self._wait -= 1
            return None
        if sample.p99_ms is not None:
            self._recent.append(sample.p99_ms)
        if self._trial is not None:
            return self._judge(self._trial)
        return self._count(sample)

    def give_up_trial(self, why: str) -> Step | None:
        """Return the step that undoes what is being tried; None where nothing is."""
        return None if self._trial is None else self._undo(self._trial, f"{self._trial.name}: {why}")

    def _count(self, sample: Sample) -> Step | None:
        """Count samples that are slow, or idle, in a row; act when there are enough."""
        slow = sample.p99_ms is not None and sample.p99_ms > P99_MS_MAX
        quick = sample.p99_ms is None or sample.p99_ms < P99_MS_LOW
        idle = quick and sample.cpu_share < CPU_SHARE_LOW
        self._slow = self._slow + 1 if slow else 0
        self._idle = self._idle + 1 if idle else 0
        if self._slow >= SLOW_SAMPLES:
            return self._try_next()
        if self._idle >= IDLE_SAMPLES and self._place > 0:
            return self._down()
        return None

    def _try_next(self) -> Step | None:
        """Try the next setting of the level above; when all were tried, that level is where it stands."""
        while self._place + 1 < len(self._rungs):
            above = self._wanted(self._rungs[self._place + 1])
            changed = [each for each in self._settings if _of(each, above) != _of(each, self._fields)]
            untried = [each for each in changed if self._is_rested(each, above)]
            if untried:
                return self._try(untried[0], above)
            of_level = self._wanted(self._rungs[self._place])
            differing = [each for each in self._settings if _of(each, above) != _of(each, of_level)]
            if differing and all(each in changed for each in differing):
                return None
            self._place += 1
        return None

    def _try(self, names: tuple[str, ...], above: Mapping[str, Any]) -> Step:
        # Of the slow samples alone: what was before them is no time to be compared with.
        p99_ms = median(list(self._recent)[-SLOW_SAMPLES:])
        self._trial = _Trial(names[0], _of(names, self._fields), _of(names, above), p99_ms)
        self._fields.update(self._trial.tried)
        return self._step("try", f"p99 {p99_ms:.3g} ms is over {P99_MS_MAX:g} ms: try {names[0]}")

    def _wanted(self, rung: Rung) -> dict[str, Any]:
        return {**rung.fields, **self._held}

    def _is_rested(self, names: tuple[str, ...], above: Mapping[str, Any]) -> bool:
        """Tell whether a setting is not at rest, since it did not help."""
        return self._seen >= self._resting.get(repr(_of(names, above)), 0)

    def _judge(self, trial: _Trial) -> Step | None:
        """Keep what is tried where p99 gained by it, once there are samples enough."""
        trial.looks += 1
        if len(self._recent) < TRIAL_SAMPLES:
            late = trial.looks >= TRIAL_LOOKS_MAX
            return self._undo(trial, f"too little was delivered to tell of {trial.name}") if late else None
        now = median(self._recent)
        if trial.p99_with_ms is None:
            said = f"p99 {trial.p99_before_ms:.3g} ms before {trial.name}, {now:.3g} ms with it"
            if now > trial.p99_before_ms * (1.0 - GAIN_MIN):
                return self._undo(trial, said)
            trial.p99_with_ms, trial.looks = now, 0
            self._fields.update(trial.before)
            return self._step("without", f"{said}: taken away again, to see whether it was that")
        said = f"p99 {trial.p99_with_ms:.3g} ms with {trial.name}, {now:.3g} ms without it"
        if trial.p99_with_ms > sorted(self._recent)[BETTER_BY_CHANCE_MAX] * (1.0 - GAIN_MIN):
            return self._undo(trial, said)
        self._trial = None
        self._fields.update(trial.tried)
        return self._step("keep", f"{said}: kept")

    def _undo(self, trial: _Trial, said: str) -> Step:
        self._trial = None
        self._fields.update(trial.before)
        self._resting[repr(trial.tried)] = self._seen + REST_SAMPLES
        return self._step("undo", f"{said}: undone")

    def _down(self) -> Step:
        self._place -= 1
        self._fields = self._wanted(self._rungs[self._place])
        return self._step(
            "down",
            f"CPU below {CPU_SHARE_LOW:.0%} and p99 below {P99_MS_LOW:g} ms for {IDLE_SAMPLES} samples",
        )

    def _step(self, what: What, why: str) -> Step:
        """Begin to count anew: what was measured before a change says nothing of what is now."""
        self._slow = self._idle = 0
        self._recent.clear()
        self._wait = SETTLE_SAMPLES
        of_level = self._rungs[self._place].fields
        changes = {name: value for name, value in self._fields.items() if value != of_level[name]}
        # Also those that the level has by itself: they hold whichever level comes.
        return Step(what, self.level, {**changes, **self._held}, why)


def _of(names: tuple[str, ...], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return some of the fields."""
    return {name: fields[name] for name in names}
