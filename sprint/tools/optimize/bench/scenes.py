"""What is measured in a process of its own: scenes, their figures, and which settings they tell of.

A scene is measured for some time, and gives a value for each of its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from sprint.core.optimize.bench_result import Unit
from sprint.core.optimize.verdict import Better
from sprint.tools.optimize.bench.pauses import pauses
from sprint.tools.optimize.bench.wake_ups import busy_thread, wake_ups

SceneName = Literal["idle", "loaded", "busy thread", "collector"]
# What can't be told from nothing; a ratio to nothing is none. The clock's own steps are about as long.
FLOOR_NS = 1_000
# A pause this short delays nothing that anybody waits for: one that is gone counts as this.
PAUSE_FLOOR_NS = 100_000
_NS_PER_US = 1_000.0


class FigureOf(NamedTuple):
    """A figure that a scene gives."""

    name: str
    unit: Unit
    better: Better


class Scene(NamedTuple):
    """`is_loaded`: with a load on each CPU. `measure` gives a value for each figure."""

    figures: tuple[FigureOf, ...]
    is_loaded: bool
    measure: Callable[[float], tuple[float, ...]]


def percentile(values: Sequence[int], share: float) -> int:
    """Return the value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _late(seconds: float) -> tuple[float, ...]:
    late = wake_ups(seconds)
    return tuple(max(FLOOR_NS, percentile(late, share)) / _NS_PER_US for share in (0.5, 0.99))


def _late_beside_a_thread(seconds: float) -> tuple[float, ...]:
    with busy_thread():
        return _late(seconds)


def _longest_pause(seconds: float) -> tuple[float, ...]:
    return (max(PAUSE_FLOOR_NS, *pauses(seconds), 0) / _NS_PER_US,)


def _latency(name: str) -> tuple[FigureOf, ...]:
    return tuple(FigureOf(f"{name} {share}", "us", "less") for share in ("p50", "p99"))


SCENES: Mapping[SceneName, Scene] = {
    "idle": Scene(_latency("wake-up"), is_loaded=False, measure=_late),
    "loaded": Scene(_latency("wake-up under load"), is_loaded=True, measure=_late),
    "busy thread": Scene(
        _latency("wake-up beside a busy thread"), is_loaded=False, measure=_late_beside_a_thread
    ),
    "collector": Scene(
        (FigureOf("longest pause of the collector", "us", "less"),), is_loaded=False, measure=_longest_pause
    ),
}
ALL_SCENES: tuple[SceneName, ...] = tuple(SCENES)
_WAKE_UPS: tuple[SceneName, ...] = ("idle", "loaded")

# Scenes that could tell of a setting; others only of a relay, as what they change is not in any scene.
SCENES_OF: Mapping[str, tuple[SceneName, ...]] = {
    "cpu_affinity": _WAKE_UPS,
    "scheduler": _WAKE_UPS,
    "nice": _WAKE_UPS,
    "timer_slack": _WAKE_UPS,
    "cpu_dma_latency": _WAKE_UPS,
    "memory_lock": (*_WAKE_UPS, "collector"),
    "huge_pages": (*_WAKE_UPS, "collector"),
    "numa_policy": (*_WAKE_UPS, "collector"),
    "malloc_arenas": ("collector",),
    "switch_interval": ("busy thread",),
    "gc_threshold": ("collector",),
    "gc_freeze": ("collector",),
}
# What has to be there for a setting to be taken at all.
ALONG_WITH: Mapping[str, tuple[str, ...]] = {"scheduler": ("realtime_guard",)}
