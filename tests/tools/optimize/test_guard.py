"""A real-time loop that spins can't wedge the machine: it steps down, is killed, or is throttled."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.core.optimize.plan import GUARD_HARD_US, GUARD_SOFT_US
from sprint.core.optimize.setting import Setting
from sprint.tools.optimize.starting import start
from tests.integration.real_servers import wait_until
from tests.tools.optimize.seen_from_outside import OptimizedChild, host_alone, said

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a limit of real-time priority")
LAST_CPU = max(os.sched_getaffinity(0))
STEPS_DOWN_WITHIN_S = 10.0
THROTTLED_FOR_S = 2.0
# The kernel keeps 5 % of a CPU for the others: sched(7), "Limiting the CPU usage of real-time processes".
SHARE_LEFT_LEAST = 0.02
WHY = "a test wants it"


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with host_alone():
        yield


def realtime(soft_us: int, hard_us: int) -> list[Setting]:
    return [
        Setting(key="cpu_affinity", value=(LAST_CPU,), scope="process", why=WHY),
        Setting(key="realtime_guard", value=(soft_us, hard_us), scope="process", why=WHY),
        Setting(key="scheduler", value=("fifo reset-on-fork", 10), scope="thread", why=WHY),
    ]


def test_a_loop_in_python_steps_down_and_lives(tmp_path: Path) -> None:
    with OptimizedChild(tmp_path) as child:
        outcomes = child.apply(realtime(GUARD_SOFT_US, -1))
        assert [outcome.state for outcome in outcomes] == ["applied"] * 3
        assert "SCHED_FIFO" in said("chrt", "-p", str(child.pid))
        child.tell("spin")
        wait_until(lambda: "SCHED_OTHER" in said("chrt", "-p", str(child.pid)), "the loop steps down")
        os.kill(child.pid, 0)


def test_a_loop_in_c_is_killed_by_the_hard_limit(tmp_path: Path) -> None:
    with OptimizedChild(tmp_path) as child:
        child.apply(realtime(GUARD_SOFT_US, GUARD_HARD_US))
        began = time.monotonic()
        child.tell("spin in C")
        assert child.wait() == -signal.SIGKILL
        assert time.monotonic() - began < STEPS_DOWN_WITHIN_S


def test_a_command_that_spins_is_killed_by_the_soft_limit(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "while True: pass"]
    started = start(command, realtime(GUARD_SOFT_US, -1), journal_folder=tmp_path, clock=time.perf_counter)
    assert [outcome.state for outcome in started.outcomes] == ["applied"] * 3
    assert started.wait() == 128 + signal.SIGXCPU


@pytest.mark.alone
def test_where_no_hard_limit_may_be_set_a_loop_in_c_leaves_others_their_share(tmp_path: Path) -> None:
    """On the very CPU that it spins on: this process moves there, and works on."""
    allowed = os.sched_getaffinity(0)
    with OptimizedChild(tmp_path) as child:
        child.apply(realtime(GUARD_SOFT_US, -1))
        child.tell("spin in C")
        os.sched_setaffinity(0, {LAST_CPU})
        try:
            began, worked = time.monotonic(), time.process_time()
            while time.monotonic() - began < THROTTLED_FOR_S:
                pass
            share = (time.process_time() - worked) / (time.monotonic() - began)
        finally:
            os.sched_setaffinity(0, allowed)
        assert "SCHED_FIFO" in said("chrt", "-p", str(child.pid))
    print(f"{share:.1%} of the CPU left to others beside a loop under SCHED_FIFO that never waits")
    assert share >= SHARE_LEFT_LEAST


def test_what_a_real_time_thread_starts_is_not_real_time(tmp_path: Path) -> None:
    command = ["sh", "-c", "chrt -p $$ > policy; (chrt -p $(exec sh -c 'echo $PPID')) > child"]
    os.chdir(tmp_path)
    started = start(
        command, realtime(GUARD_SOFT_US, -1), journal_folder=tmp_path / "j", clock=time.perf_counter
    )
    assert started.wait() == 0
    assert "SCHED_FIFO|SCHED_RESET_ON_FORK" in (tmp_path / "policy").read_text()
    assert "SCHED_OTHER" in (tmp_path / "child").read_text()
