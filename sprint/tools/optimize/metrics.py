"""What a tuned relay tells Prometheus: its level, the state of each setting, what the tuning is about.

Names are the ones of the project's first papers where they keep to Prometheus' conventions; pauses of the
collector are `sprint_gc_pause_seconds`, CPU time and open files are the client library's `process_…`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sprint.core.optimize.asked import Asked
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.setting import Outcome
from sprint.tools.optimize.measuring import Measuring

STATES = ("applied", "unsupported", "denied", "drifted")


class OnTime(Protocol):
    """Deliveries of a tier: those within its goal, of all."""

    @property
    def within(self) -> int: ...

    @property
    def all(self) -> int: ...


class Tuned(Protocol):
    """Whose metrics these are."""

    measuring: Measuring | None
    facts: HostFacts
    asked: Asked

    @property
    def outcomes(self) -> tuple[Outcome, ...]: ...

    @property
    def level_number(self) -> int: ...

    @property
    def asked_collections(self) -> int: ...


class OptimizeMetrics(Collector):
    """Read when somebody asks, on the loop's thread."""

    def __init__(self, tuned: Tuned, on_time: Callable[[], Mapping[str, OnTime]]) -> None:
        self._tuned = tuned
        self._on_time = on_time

    def describe(self) -> Iterator[Metric]:
        """Return nothing: what there is to tell is known when the relay serves."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield from self._of_settings()
        if self._tuned.measuring is not None:
            yield from self._of_process(self._tuned.measuring)
        yield self._sla()

    def _of_settings(self) -> Iterator[Metric]:
        tuned = self._tuned
        yield GaugeMetricFamily(
            "runtime_optimization_level", "Level of tuning, basic 0 to turbo 4", value=tuned.level_number
        )
        settings = GaugeMetricFamily(
            "sprint_optimize_setting",
            "1 for the state of each setting of the level",
            labels=("setting", "state"),
        )
        for outcome in tuned.outcomes:
            settings.add_metric((outcome.setting.key, outcome.state), 1)
        yield settings
        yield GaugeMetricFamily(
            "bitcoin_sprint_gc_percent",
            "Effort of the garbage collector in percent of CPython's default; 0: not by itself",
            value=tuned.asked.fields.gc_percent,
        )
        yield GaugeMetricFamily(
            "bitcoin_sprint_cpu_cores", "CPUs that the process may use", value=tuned.facts.cpus
        )

    def _of_process(self, measuring: Measuring) -> Iterator[Metric]:
        memory = measuring.memory
        for name, text, value in (
            ("runtime_heap_alloc_bytes", "Anonymous memory that is resident", memory.resident_bytes),
            (
                "runtime_heap_sys_bytes",
                "Data segment with all that is mapped for the heap",
                memory.data_bytes,
            ),
            ("runtime_gc_cpu_fraction", "Time in the collector over the time passed", measuring.gc_share),
            ("runtime_cpu_busy_ratio", "CPU time over the time passed, 1 is one CPU", measuring.cpu_share),
            ("runtime_tasks", "Tasks on the event loop", measuring.tasks),
            ("runtime_threads", "Threads of the process", measuring.threads),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        switches = CounterMetricFamily(
            "sprint_context_switches", "Times the process waited, or was made to wait", labels=("kind",)
        )
        for kind, count in zip(("voluntary", "involuntary"), measuring.context_switches(), strict=True):
            switches.add_metric((kind,), count)
        yield switches
        yield CounterMetricFamily(
            "sprint_idle_collections",
            "Collections made while the loop was idle",
            self._tuned.asked_collections,
        )

    def _sla(self) -> Metric:
        ratio = GaugeMetricFamily(
            "bitcoin_sprint_sla_compliance_ratio",
            "Deliveries within their tier's goal, of all since the start",
            labels=("tier",),
        )
        for tier, counts in self._on_time().items():
            if counts.all:
                ratio.add_metric((tier,), counts.within / counts.all)
        return ratio
