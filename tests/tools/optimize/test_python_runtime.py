"""CPython's settings: each is set, read back and put back; collections come while the loop is idle."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from sprint.core.optimize.setting import Value
from sprint.tools.optimize import preallocation
from sprint.tools.optimize.idle_collector import IdleCollector, as_any_other
from sprint.tools.optimize.process_memory import ProcessMemory
from sprint.tools.optimize.python_runtime import InProcess, PythonRuntime
from sprint.tools.runtime import clock

SETTINGS: list[tuple[str, Value]] = [
    ("gc_threshold", (1_400, 11, 12)),
    ("gc_threshold", (0, 10, 10)),
    ("gc_freeze", 1),
    ("thread_stack", 4 << 20),
    ("switch_interval", 1_234),
]


@pytest.fixture(autouse=True)
def interpreter_as_it_was() -> Iterator[None]:
    thresholds, interval, stack = gc.get_threshold(), sys.getswitchinterval(), threading.stack_size()
    threading.stack_size(stack)
    yield
    gc.set_threshold(*thresholds)
    gc.freeze()
    sys.setswitchinterval(interval)
    threading.stack_size(stack)


@pytest.mark.parametrize(("key", "value"), SETTINGS)
def test_a_setting_is_set_read_back_and_put_back(key: str, value: Value) -> None:
    actuator = PythonRuntime().actuators()[key]
    before = actuator.read(os.getpid())
    assert actuator.valid(before)
    assert actuator.valid(value)
    actuator.write(os.getpid(), value)
    assert actuator.meets(value, actuator.read(os.getpid()))
    actuator.write(os.getpid(), before)
    assert actuator.read(os.getpid()) == before


def test_asking_for_the_stack_of_threads_set_it_back_to_the_systems() -> None:
    """`threading.stack_size()` without a size sets 0: a look at a turbo relay made it drift."""
    actuator = PythonRuntime().actuators()["thread_stack"]
    actuator.write(0, 4 << 20)
    assert [actuator.read(0), actuator.read(0)] == [4 << 20, 4 << 20]


def test_each_look_at_a_relay_went_through_all_its_frozen_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """`gc.get_freeze_count` walks them: a status held the loop up for 20 to 100 ms."""
    runtime = PythonRuntime()
    actuator = runtime.actuators()["gc_freeze"]
    actuator.write(0, 1)
    monkeypatch.setattr(gc, "get_freeze_count", lambda: pytest.fail("all frozen objects were counted"))
    assert (actuator.read(0), runtime.frozen_objects > 1_000) == (1, True)


@pytest.mark.parametrize("key", ["gc_idle_collection", "memory_limit", "worker_threads"])
def test_what_needs_a_loop_is_refused_without_one(key: str) -> None:
    actuator = PythonRuntime().actuators()[key]
    with pytest.raises(OSError, match="event loop") as caught:
        actuator.write(0, 1)
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("gc_threshold", (1, 2)),
        ("gc_threshold", (1, 2, -3)),
        ("gc_threshold", "700"),
        ("thread_stack", 5),
        ("switch_interval", -1),
        ("switch_interval", "fast"),
        ("gc_freeze", 2),
    ],
)
def test_a_value_that_it_cannot_be_is_known_before(key: str, wrong: Value) -> None:
    assert not PythonRuntime().actuators()[key].valid(wrong)


def test_a_value_of_the_wrong_kind_is_a_refusal_of_the_system() -> None:
    actuator = PythonRuntime().actuators()["switch_interval"]
    assert isinstance(actuator, InProcess)
    with pytest.raises(OSError, match="whole number"):
        actuator.write(0, "fast")


def test_work_goes_to_as_many_threads_as_are_set() -> None:
    async def main() -> set[str]:
        runtime = PythonRuntime(IdleCollector(ProcessMemory(), clock))
        runtime.actuators()["worker_threads"].write(0, 3)
        assert runtime.worker_threads == 3
        together = threading.Barrier(3)

        def work() -> str:
            together.wait(10)
            return threading.current_thread().name

        return set(await asyncio.gather(*(asyncio.to_thread(work) for _ in range(3))))

    assert len(asyncio.run(main())) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_a_block_sized_buffer_takes_no_page_fault_after_the_heap_was_taken() -> None:
    given = preallocation.preallocate()
    assert given.faults_after <= given.faults_before
    assert given.faults_after < preallocation.PROBE_BYTES // preallocation._PAGE_STEP // 10


@pytest.mark.skipif(os.geteuid() != 0, reason="real-time priority asks for a privilege")
def test_a_long_round_of_a_real_time_thread_was_taken_for_a_thread_run_wild() -> None:
    """Its guard ended the process: one call of over half a second lets no signal handler run."""
    found = []

    def real_time() -> None:
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(5))
        with as_any_other():
            found.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
        found.append(os.sched_getscheduler(0))
        found.append(os.sched_getparam(0).sched_priority)

    thread = threading.Thread(target=real_time)
    thread.start()
    thread.join(10)
    assert found == [os.SCHED_OTHER, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 5]


def test_resident_memory_is_told_anew_at_each_sample() -> None:
    memory = ProcessMemory()
    before = memory.sample()
    held = bytearray(os.urandom(1)) * (64 << 20)
    assert memory.sample() - before > 32 << 20
    del held
    memory.close()
    memory.close()
