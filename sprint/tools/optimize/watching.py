"""Looks at a running relay again and again: what of its metrics says how it does, and what to do about it.

    watch = Watch(relay, AutoTune(ladder, level))
    look = watch.look(clock())

A look is the change since the look before: p99 out of the histogram of deliveries, CPU out of the process's
time. Orders go over the relay's admin listener, which applies, reads back and undoes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from prometheus_client.parser import text_string_to_metric_families

from sprint.core.optimize.auto_tune import AutoTune, Sample, Step
from sprint.core.optimize.delivered import Buckets, p99_ms, since
from sprint.core.optimize.told import Told

DELIVERIES = "sprint_delivery_seconds"
CPU = "process_cpu_seconds_total"
GAUGES = (
    "runtime_gc_cpu_fraction",
    "runtime_heap_alloc_bytes",
    "runtime_tasks",
    "runtime_optimization_level",
)
ORIGIN = "sprint optimize watch"


class Relay(Protocol):
    """What is asked of the relay."""

    def metrics(self) -> str: ...

    def order(self, level: str, changes: Mapping[str, object], origin: str, *, fallback: bool) -> Told: ...


class Look(NamedTuple):
    """One look: when, what was measured since the last, and the step that was taken, if any."""

    at_s: float
    sample: Sample
    gauges: dict[str, float]
    step: Step | None


class Watch:
    """One relay that is watched. With `dry_run` steps are said and not taken."""

    def __init__(self, relay: Relay, tune: AutoTune, *, dry_run: bool = False) -> None:
        self._relay = relay
        self._tune = tune
        self._dry_run = dry_run
        self._before: tuple[float, float, Buckets] | None = None

    def look(self, now: float) -> Look | None:
        """Look once, and take the step that is due; None the first time, with nothing to compare with."""
        cpu_s, buckets, gauges = _read(self._relay.metrics())
        before, self._before = self._before, (now, cpu_s, buckets)
        if before is None:
            return None
        passed_s = max(now - before[0], 1e-3)
        sample = Sample(p99_ms(since(before[2], buckets)), max(0.0, cpu_s - before[1]) / passed_s)
        step = self._tune.take(sample)
        if step is not None and not self._dry_run:
            self._relay.order(step.level, step.fields, ORIGIN, fallback=False)
        return Look(now, sample, gauges, step)


def _read(text: str) -> tuple[float, Buckets, dict[str, float]]:
    """Return CPU seconds, deliveries by bucket over all chains and tiers, and gauges, out of metrics."""
    cpu_s, buckets, gauges = 0.0, dict[float, float](), dict[str, float]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{DELIVERIES}_bucket":
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
            elif sample.name == CPU:
                cpu_s = sample.value
            elif sample.name in GAUGES:
                gauges[sample.name] = sample.value
    return cpu_s, tuple(_sorted(buckets)), gauges


def _sorted(buckets: Mapping[float, float]) -> Iterable[tuple[float, float]]:
    return sorted(buckets.items())
