"""Looks at a running relay again and again: what of its metrics says how it does, and what to do about it.

    watch = Watch(relay, tune_of)
    look = watch.look(clock())
    watch.end()

A look is the change since the look before: CPU out of the process's time, and p99 out of histograms, the
larger of how late the loop ran a timer and of how long a block was in the relay. How long a delivery took is
none of it: it has the tier's coalescing window in it, which no setting shortens. Orders go over the relay's
admin listener, which applies, reads back and undoes them. A relay that was started anew, or that somebody
else has given another level, is watched as if for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from prometheus_client.parser import text_string_to_metric_families

from sprint.core.optimize.auto_tune import AutoTune, Sample, Step
from sprint.core.optimize.delivered import Buckets, p99_ms, since
from sprint.core.optimize.setting import SO_ALREADY
from sprint.core.optimize.told import Told

LATENCIES = ("sprint_event_loop_lag_seconds", "sprint_relay_seconds")
CPU = "process_cpu_seconds_total"
STARTED = "process_start_time_seconds"
GAUGES = (
    "runtime_gc_cpu_fraction",
    "runtime_heap_alloc_bytes",
    "runtime_tasks",
    "runtime_optimization_level",
)
ORIGIN = "sprint optimize watch"
NO_EFFECT = "nothing that is set here is another by it"
ENDED = "the watch ended before it could be told"


class Relay(Protocol):
    """What is asked of the relay."""

    def told(self) -> Told: ...

    def metrics(self) -> str: ...

    def order(self, level: str, changes: Mapping[str, object], origin: str, *, fallback: bool) -> Told: ...


class Look(NamedTuple):
    """One look: when, what was measured since the last, the steps that were taken, and what was noticed.

    `sample` is None where there is nothing to compare with: at the first look, or after `noticed`.
    """

    at_s: float
    sample: Sample | None
    gauges: Mapping[str, float]
    steps: tuple[Step, ...] = ()
    noticed: str = ""


class _Metrics(NamedTuple):
    """What was read of a relay, and when."""

    at_s: float
    cpu_s: float
    started_s: float
    latencies: Mapping[str, Buckets]
    gauges: Mapping[str, float]


class Watch:
    """One relay that is watched. With `dry_run` steps are said and not taken."""

    def __init__(self, relay: Relay, tune_of: Callable[[Told], AutoTune], *, dry_run: bool = False) -> None:
        """`tune_of` returns who tunes a relay that tells this of itself."""
        self._relay = relay
        self._tune_of = tune_of
        self._dry_run = dry_run
        self._tune: AutoTune | None = None
        self._told: Told | None = None
        self._before: _Metrics | None = None

    def look(self, now: float) -> Look:
        """Look once, and take the step that is due. UpstreamError where no relay answers."""
        told, metrics = self._relay.told(), _read(self._relay.metrics(), now)
        noticed = self._noticed(told, metrics)
        self._told, before, self._before = told, self._before, metrics
        if self._tune is None or before is None or noticed:
            self._tune = self._tune_of(told)
            return Look(now, None, metrics.gauges, noticed=noticed)
        passed_s = max(now - before.at_s, 1e-3)
        share = max(0.0, metrics.cpu_s - before.cpu_s) / passed_s
        sample = Sample(_p99_ms(before, metrics), share)
        # Tuning that an operator took back is not begun again by a watch.
        step = self._tune.take(sample) if told.settings else None
        return Look(now, sample, metrics.gauges, () if step is None else self._taken(self._tune, step))

    def end(self) -> Step | None:
        """Undo what is still being tried, as nobody will tell whether it helps; return that step."""
        step = None if self._tune is None else self._tune.give_up_trial(ENDED)
        if step is not None:
            self._order(step)
        return step

    def _noticed(self, now: Told, metrics: _Metrics) -> str:
        """Say what has become of the relay since the last look without our doing; nothing where nothing."""
        before = self._told
        if before is None or self._before is None:
            return ""
        # In a container each relay is process 1.
        if (now.pid, metrics.started_s) != (before.pid, self._before.started_s):
            return f"the relay was started anew: process {now.pid}, level {now.level}"
        if (now.level, now.changes) != (before.level, before.changes):
            return f"somebody else has set it: level {now.level}, from {now.level_origin}"
        if before.settings and not now.settings:
            return "somebody has taken its tuning back: from here on it is only looked at"
        return "somebody has had it tuned again" if now.settings and not before.settings else ""

    def _taken(self, tune: AutoTune, step: Step) -> tuple[Step, ...]:
        """Take a step; a trial by which no setting became another is undone at once."""
        before = self._told
        self._order(step)
        if step.what != "try" or self._dry_run or _set(before) != _set(self._told):
            return (step,)
        undo = tune.give_up_trial(NO_EFFECT)
        if undo is None:
            return (step,)
        self._order(undo)
        return step, undo

    def _order(self, step: Step) -> None:
        if not self._dry_run:
            self._told = self._relay.order(step.level, step.changes, ORIGIN, fallback=False)


def _set(told: Told | None) -> list[tuple[str, str]]:
    """Return what is set, as far as it was granted and was not so by itself."""
    rows = () if told is None else told.settings
    return [(row.setting, row.wanted) for row in rows if row.state == "applied" and row.says != SO_ALREADY]


def _p99_ms(before: _Metrics, now: _Metrics) -> float | None:
    """Return the larger p99 of what was observed in between; None where there was too little of each."""
    changes = (since(before.latencies.get(name, ()), buckets) for name, buckets in now.latencies.items())
    return max((found for each in changes if (found := p99_ms(each)) is not None), default=None)


def _read(text: str, now: float) -> _Metrics:
    """Return CPU seconds, latencies by bucket over all chains, and gauges, out of metrics."""
    latencies: dict[str, dict[float, float]] = {f"{name}_bucket": {} for name in LATENCIES}
    single = dict[str, float]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            buckets = latencies.get(sample.name)
            if buckets is not None:
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
            elif sample.name in (CPU, STARTED, *GAUGES):
                single[sample.name] = sample.value
    cpu_s, started_s = single.pop(CPU, 0.0), single.pop(STARTED, 0.0)
    sorted_ones = {name: tuple(sorted(buckets.items())) for name, buckets in latencies.items()}
    return _Metrics(now, cpu_s, started_s, sorted_ones, single)
