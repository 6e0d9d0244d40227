"""The background work: done at its intervals, whatever one breaker raises, and ended within a second."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from sprint.core.breaker.explain import Explanation
from sprint.core.breaker.rounds import Intervals
from sprint.tools.breaker import BreakerRegistry, packaged_policies
from sprint.tools.breaker.workers import BreakerWorkers, resource_share

STOP_S_MAX = 1.0
OFTEN = Intervals(state_s=0.001, metrics_s=0.001, health_s=0.001, adaptive_s=0.001, cleanup_s=0.001)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def registry_of(count: int, clock: Clock | None = None) -> BreakerRegistry:
    policies = packaged_policies({"turbo": {"backoff": {"jitter": "none"}, "recovery": {"enabled": False}}})
    registry = BreakerRegistry(policies, clock=clock) if clock else BreakerRegistry(policies)
    for number in range(count):
        registry.get(f"node-{number}", "turbo")
    return registry


def test_each_work_is_done_at_its_interval() -> None:
    clock = Clock()
    seen: list[Explanation] = []
    registry = registry_of(3, clock)
    workers = BreakerWorkers(registry, metrics=seen.append, resources=lambda: 0.5)
    registry.get("node-0", "turbo").admit().success(0.01)
    for second in range(1, 121):
        clock.now = float(second)
        list(workers.steps())
    assert len(seen) == 3 * 4
    explained = registry.get("node-0", "turbo").explain()
    assert explained.health is not None
    assert {part.name for part in explained.health_parts if not part.neutral} >= {"resources"}


def test_half_open_without_a_verdict_is_ended_without_a_call() -> None:
    clock = Clock()
    registry = registry_of(1, clock)
    node = registry.get("node-0", "turbo")
    workers = BreakerWorkers(registry)
    for _ in range(20):
        node.admit().failure()
    clock.now = 15.0
    node.admit()
    assert node.explain().state == "half_open"
    clock.now = 45.0
    list(workers.steps())
    assert node.state == "open"


def test_idle_breakers_are_dropped_by_the_hour() -> None:
    clock = Clock()
    registry = registry_of(1, clock)
    registry.get("guest", "turbo", kept=False)
    workers = BreakerWorkers(registry)
    clock.now = 3_600.0
    list(workers.steps())
    assert [breaker.name for breaker in registry] == ["node-0"]


def test_one_mishap_ends_no_round() -> None:
    seen: list[str] = []
    clock = Clock()

    def metrics(explained: Explanation) -> None:
        seen.append(explained.breaker)
        raise ValueError

    workers = BreakerWorkers(registry_of(3, clock), metrics=metrics)
    clock.now = 30.0
    list(workers.steps())
    assert (seen, workers.errors) == (["node-0", "node-1", "node-2"], 3)


def test_a_machine_that_cannot_be_measured_ends_no_round() -> None:
    """One error of psutil ended all background work, and nobody was told."""
    clock = Clock()

    def unreadable() -> float:
        raise OSError("no /proc")

    registry = registry_of(1, clock)
    workers = BreakerWorkers(registry, resources=unreadable)
    registry.get("node-0", "turbo").admit().success(0.01)
    clock.now = 60.0
    list(workers.steps())
    explained = registry.get("node-0", "turbo").explain()
    assert explained.health is not None
    assert {part.name for part in explained.health_parts if part.neutral} >= {"resources"}
    assert workers.errors == 1


def test_a_cleanup_that_fails_ends_no_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    registry = registry_of(1, clock)

    def broken(_: float) -> int:
        raise ValueError

    monkeypatch.setattr(registry, "drop_idle", broken)
    workers = BreakerWorkers(registry, resources=lambda: 0.5)
    clock.now = 3_600.0
    list(workers.steps())
    assert workers.errors == 1
    assert workers.wait_s() > 0.0


def test_a_task_does_the_work_and_stops_within_a_second() -> None:
    async def main() -> float:
        done = asyncio.Event()
        workers = BreakerWorkers(registry_of(500), OFTEN, metrics=lambda _: done.set(), resources=lambda: 0.5)
        async with workers.running():
            async with asyncio.timeout(30.0):
                await done.wait()
            left = time.monotonic()
        return time.monotonic() - left

    assert asyncio.run(main()) < STOP_S_MAX


@pytest.mark.parametrize("intervals", [OFTEN, Intervals()], ids=["amid a round", "asleep"])
def test_a_thread_does_the_work_and_stops_within_a_second(intervals: Intervals) -> None:
    done = threading.Event()
    workers = BreakerWorkers(registry_of(500), intervals, metrics=lambda _: done.set(), resources=lambda: 0.5)
    with workers.in_thread():
        if intervals is OFTEN:
            assert done.wait(30.0)
        left = time.monotonic()
    assert time.monotonic() - left < STOP_S_MAX
    assert "sprint-breakers" not in [thread.name for thread in threading.enumerate()]


def test_the_machines_use_is_a_share() -> None:
    assert 0.0 < resource_share() <= 1.0


def test_other_intervals_are_taken_while_it_runs() -> None:
    clock = Clock()
    workers = BreakerWorkers(registry_of(1, clock))
    assert workers.wait_s() == 10.0
    workers.adopt(Intervals(state_s=2.0))
    assert workers.wait_s() == 2.0
