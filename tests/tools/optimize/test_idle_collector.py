"""The collector that works while the loop is idle: what it frees and freezes, and that all of it goes."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from sprint.core.optimize.idle_collection import (
    AT_ITS_PRIORITY_MAX,
    FREEZE_MIN,
    FULL_EVERY_S,
    OVER_LIMIT_EVERY_S,
    WHOLE_EVERY_S,
    frozen_objects_max,
)
from sprint.tools.optimize.idle_collector import IdleCollector
from sprint.tools.optimize.object_growth import ObjectGrowth
from sprint.tools.optimize.process_memory import ProcessMemory
from sprint.tools.optimize.python_runtime import PythonRuntime
from sprint.tools.runtime import clock

WAIT_S = 20


class Clock:
    """A clock that stands until it is set on."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Cycle:
    """An object that only the collector frees; it tells when."""

    def __init__(self, told: Callable[[], None]) -> None:
        self.itself = self
        self.told = told

    def __del__(self) -> None:
        self.told()


@pytest.fixture(autouse=True)
def collected_by_hand() -> Iterator[None]:
    """No round comes of itself, what a test has made is collected, and what all share is left out again."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def heap(objects: int) -> list[Any]:
    return [[] for _ in range(objects)]


def tuned(clock_s: Clock) -> IdleCollector:
    """A collector as turbo has it: CPython's own is off, and what is there now is frozen."""
    collector = IdleCollector(ProcessMemory(), clock_s)
    PythonRuntime(collector).actuators()["gc_freeze"].write(0, 1)
    return collector


async def until(event: asyncio.Event) -> None:
    async with asyncio.timeout(WAIT_S):
        await event.wait()


async def next_full_round() -> None:
    """Wait for the end of one; the loop is idle meanwhile, as else none would come."""
    over = asyncio.Event()

    def seen(phase: str, told: Mapping[str, Any]) -> None:
        if (phase, told["generation"]) == ("stop", 2):
            over.set()

    gc.callbacks.append(seen)
    try:
        await until(over)
    finally:
        gc.callbacks.remove(seen)


def test_garbage_of_the_oldest_generation_goes_while_the_loop_is_idle() -> None:
    async def main() -> int:
        now, gone = Clock(), asyncio.Event()
        collector = IdleCollector(ProcessMemory(), now)
        Cycle(gone.set)
        collector.start()
        now.now_s += FULL_EVERY_S
        await until(gone)
        collector.stop()
        assert not collector.runs
        return collector.asked

    assert asyncio.run(main()) == 1


def test_a_heap_that_has_come_to_stay_is_frozen_and_looked_at_no_more() -> None:
    async def main() -> None:
        now = Clock()
        collector = tuned(now)
        before = gc.get_freeze_count()
        kept = heap(FREEZE_MIN)
        collector.start()
        now.now_s += FULL_EVERY_S
        await next_full_round()
        collector.stop()
        assert gc.get_freeze_count() - before >= FREEZE_MIN
        assert len(gc.get_objects()) < FREEZE_MIN // 10
        assert len(kept) == FREEZE_MIN

    asyncio.run(main())


@pytest.mark.parametrize("bound", ["time", "objects"])
def test_garbage_among_frozen_objects_is_freed_within_its_bound(bound: str) -> None:
    """No round but a whole one frees a cycle that died frozen: it must come, by the time or by the growth."""

    async def main() -> None:
        now, gone = Clock(), asyncio.Event()
        collector = tuned(now)
        kept = [*heap(FREEZE_MIN), Cycle(gone.set)]
        collector.start()
        now.now_s += FULL_EVERY_S
        await next_full_round()
        frozen = gc.get_freeze_count()
        kept.clear()
        now.now_s += FULL_EVERY_S
        await next_full_round()
        assert not gone.is_set(), "what is frozen is not freed: else there would be nothing to be shown"
        if bound == "time":
            now.now_s += WHOLE_EVERY_S
        else:
            kept.extend(heap(frozen_objects_max(frozen)))
            now.now_s += FULL_EVERY_S
            await next_full_round()
            now.now_s += 1.0
        await until(gone)
        collector.stop()

    asyncio.run(main())


def test_what_is_not_to_be_frozen_is_not() -> None:
    """`gc_freeze=false` is an operator's word."""

    async def main() -> None:
        now = Clock()
        collector = IdleCollector(ProcessMemory(), now)
        before = gc.get_freeze_count()
        kept = heap(FREEZE_MIN)
        collector.start()
        now.now_s += FULL_EVERY_S
        await next_full_round()
        collector.stop()
        assert (gc.get_freeze_count(), len(kept)) == (before, FREEZE_MIN)

    asyncio.run(main())


def test_thawed_by_a_restore_nothing_is_frozen_again() -> None:
    async def main() -> None:
        now = Clock()
        collector = tuned(now)
        PythonRuntime(collector).actuators()["gc_freeze"].write(0, 0)
        kept = heap(FREEZE_MIN)
        collector.start()
        now.now_s += FULL_EVERY_S
        await next_full_round()
        collector.stop()
        assert (gc.get_freeze_count(), len(kept)) == (0, FREEZE_MIN)

    asyncio.run(main())


def test_a_memory_limit_is_kept_where_nothing_else_collects_while_idle() -> None:
    """Below enterprise the limit was set and told, and nobody looked at it."""

    async def main() -> None:
        now, gone = Clock(), asyncio.Event()
        collector = IdleCollector(ProcessMemory(), now)
        Cycle(gone.set)
        limit = PythonRuntime(collector).actuators()["memory_limit"]
        limit.write(0, 1)
        assert not collector.runs
        now.now_s += OVER_LIMIT_EVERY_S
        await until(gone)
        limit.write(0, 0)
        assert collector._handle is None

    asyncio.run(main())


def test_over_its_limit_memory_is_given_back_after_a_full_round() -> None:
    async def main() -> None:
        trimmed = []
        collector = IdleCollector(ProcessMemory(), clock, lambda: trimmed.append(1))
        collector.collect("full")
        assert trimmed == []
        collector.limit(1)
        assert collector.over_limit
        collector.collect("young")
        assert trimmed == [], "a young round frees too little for that"
        collector.collect("full")
        assert trimmed == [1]
        collector.close()

    asyncio.run(main())


def test_growth_is_what_outlives_rounds_and_never_below_nothing() -> None:
    growth = ObjectGrowth()
    growth.start()
    growth.start()
    try:
        before = growth.objects
        kept = heap(5_000)
        gc.collect(1)
        assert 5_000 <= growth.objects - before < 6_000
        for _ in range(5_000):
            cycle: list[Any] = []
            cycle.append(cycle)
        gc.collect(1)
        assert 5_000 <= growth.objects - before < 6_000
        assert abs(growth.count() - before - 5_000) < 1_000, "the estimate is near to what is there"
        growth.froze()
        kept.clear()
        gc.collect(2)
        assert growth.objects >= 0
    finally:
        growth.stop()
        growth.stop()
    assert growth._seen not in gc.callbacks


@pytest.mark.skipif(os.geteuid() != 0, reason="real-time priority asks for a privilege")
@pytest.mark.parametrize(("objects", "policy"), [(1_000, "real-time"), (AT_ITS_PRIORITY_MAX, "ordinary")])
def test_a_short_round_keeps_the_threads_priority_and_a_long_one_does_not(objects: int, policy: str) -> None:
    """At an ordinary priority a round of 3 ms waited for other programs, and the real-time loop with it."""
    gc.freeze()
    policies: list[int] = []
    kept = heap(objects)

    def seen(phase: str, _: Mapping[str, Any]) -> None:
        if phase == "start":
            policies.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)

    def real_time() -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(5))
        IdleCollector(ProcessMemory(), clock).collect("full")

    gc.callbacks.append(seen)
    try:
        thread = threading.Thread(target=real_time)
        thread.start()
        thread.join(WAIT_S)
    finally:
        gc.callbacks.remove(seen)
    assert policies == [os.SCHED_FIFO if policy == "real-time" else os.SCHED_OTHER]
    assert len(kept) == objects
