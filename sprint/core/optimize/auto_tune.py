"""Goes up a level when the relay is slow and down when it idles, and keeps of a level only what helps.

Up: p99 was over its limit for some samples in a row. Then each setting in which the next level differs is
tried alone, for as many samples, and stays only where the median of p99 fell by a clear part. Down: the loop
idled and p99 was far below the limit for a good while; the level below is taken whole. Between the two limits
nothing happens, after every change it waits, and what has not helped is not tried again for a long time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Literal, NamedTuple

import msgspec

P99_MS_MAX = 10.0
P99_MS_LOW = P99_MS_MAX / 2
CPU_SHARE_LOW = 0.5  # of one CPU: a relay's loop has one
SLOW_SAMPLES = 3
IDLE_SAMPLES = 12
TRIAL_SAMPLES = 6
SETTLE_SAMPLES = 2  # after a change, before anything counts
GAIN_MIN = 0.05  # of p99, below which a setting is held to have done nothing
REST_SAMPLES = 240  # 20 minutes at 5 s: what has not helped is left alone for so long


class Sample(NamedTuple):
    """One interval. `p99_ms` is None where too little was delivered; `cpu_share` 1.0 is one CPU busy."""

    p99_ms: float | None
    cpu_share: float


class Rung(msgspec.Struct, frozen=True):
    """A level with the fields that it sets."""

    name: str
    fields: Mapping[str, Any]


class Step(msgspec.Struct, frozen=True):
    """What to do now: have the level hold with these fields, and why."""

    what: Literal["try", "keep", "undo", "down"]
    level: str
    fields: Mapping[str, Any]
    why: str


class AutoTune:
    """Told of one sample an interval; answers with a step, or None where all stays as it is."""

    def __init__(self, ladder: Sequence[Rung], level: str, *, highest: str | None = None) -> None:
        """`ladder` from the lowest to the highest; it goes no higher than `highest`."""
        names = [rung.name for rung in ladder]
        self._ladder = ladder[: names.index(highest) + 1] if highest is not None else ladder
        self._place = min(names.index(level), len(self._ladder) - 1)
        self._fields = dict(self._ladder[self._place].fields)
        self._recent: deque[float] = deque(maxlen=TRIAL_SAMPLES)
        self._slow = self._idle = self._wait = 0
        self._trial: tuple[str, Any, float] | None = None
        self._resting: dict[str, int] = {}
        self._seen = 0

    @property
    def level(self) -> str:
        return self._ladder[self._place].name

    def take(self, sample: Sample) -> Step | None:
        """Take a sample in; return what is to be done."""
        self._seen += 1
        if self._wait > 0:
            self._wait -= 1
            return None
        if sample.p99_ms is not None:
            self._recent.append(sample.p99_ms)
        if self._trial is not None:
            return self._judge()
        return self._count(sample)

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
        while self._place + 1 < len(self._ladder):
            above = self._ladder[self._place + 1]
            name = next((each for each, value in above.fields.items() if self._is_new(each, value)), None)
            if name is not None:
                before = self._fields[name]
                self._trial = (name, before, median(self._recent))
                self._fields[name] = above.fields[name]
                return self._step(
                    "try", f"p99 {self._recent[-1]:.3g} ms is over {P99_MS_MAX:g} ms: try {name}"
                )
            if all(
                self._fields[each] != value for each, value in above.fields.items() if self._differs(each)
            ):
                return None
            self._place += 1
        return None

    def _differs(self, name: str) -> bool:
        """Tell whether a setting is another at the level above."""
        return bool(self._ladder[self._place + 1].fields[name] != self._ladder[self._place].fields[name])

    def _is_new(self, name: str, value: Any) -> bool:
        """Tell whether a setting would change, and is not at rest since it did not help."""
        rests_until = self._resting.get(f"{name}={value!r}", 0)
        return self._fields[name] != value and self._seen >= rests_until

    def _judge(self) -> Step | None:
        """Keep what is tried where p99 gained by it, once there are samples enough."""
        if self._trial is None or len(self._recent) < TRIAL_SAMPLES:
            return None
        name, before, p99_before = self._trial
        tried, now = self._fields[name], median(self._recent)
        self._trial = None
        said = f"p99 {p99_before:.3g} ms before {name}, {now:.3g} ms with it"
        if now <= p99_before * (1.0 - GAIN_MIN):
            return self._step("keep", f"{said}: kept")
        self._fields[name] = before
        self._resting[f"{name}={tried!r}"] = self._seen + REST_SAMPLES
        return self._step("undo", f"{said}: undone")

    def _down(self) -> Step:
        self._place -= 1
        self._fields = dict(self._ladder[self._place].fields)
        return self._step(
            "down",
            f"CPU below {CPU_SHARE_LOW:.0%} and p99 below {P99_MS_LOW:g} ms for {IDLE_SAMPLES} samples",
        )

    def _step(self, what: Literal["try", "keep", "undo", "down"], why: str) -> Step:
        """Begin to count anew: what was measured before a change says nothing of what is now."""
        self._slow = self._idle = 0
        self._recent.clear()
        self._wait = SETTLE_SAMPLES
        return Step(what, self.level, dict(self._fields), why)
