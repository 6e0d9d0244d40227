"""The load ends: by its block, by its time, and with who started it."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from sprint.tools.optimize.bench.load import SECONDS_MAX, CpuLoad

ENDED_TIMEOUT_S = 20.0


def test_processes_run_and_are_gone_after_the_block() -> None:
    with CpuLoad(2, 30.0) as load:
        running = [psutil.Process(pid) for pid in load.pids]
        assert len(running) == 2
        assert all(process.is_running() for process in running)
    assert not any(process.is_running() for process in running)
    load.end()


def test_a_load_ends_by_itself_when_its_time_is_over() -> None:
    with CpuLoad(1, 0.05) as load:
        process = psutil.Process(load.pids[0])
        gone, alive = psutil.wait_procs([process], ENDED_TIMEOUT_S)
        assert (len(gone), alive) == (1, [])


def test_a_load_ends_with_who_started_it_and_was_killed() -> None:
    program = (
        "import sys\nfrom sprint.tools.optimize.bench.load import CpuLoad\n"
        "load = CpuLoad(1, 100.0)\nprint(load.pids[0], flush=True)\nsys.stdin.read()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        process = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
        gone, _ = psutil.wait_procs([process], ENDED_TIMEOUT_S)
        assert len(gone) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, SECONDS_MAX + 0.1])
def test_a_load_without_an_end_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="want up to"):
        CpuLoad(1, seconds)
