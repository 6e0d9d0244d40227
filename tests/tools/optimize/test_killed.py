"""kill -9 in the middle of an apply, at every moment there is; then a restore: all is back, to the byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sprint.tools.optimize.restoring import restore_all
from tests.tools.optimize.seen_from_outside import ROOT, TIMEOUT_S, OptimizedChild, host_alone, settings_of

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: these are the settings root may change"
)
ROUNDS = 5
ROUNDS_SOAK = 100
PAST_THE_LAST = 1_000_000


def run_applier(folder: Path, pid: int | str, moment: int) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "tests.tools.optimize.killed_applier",
        str(folder),
        str(pid),
        str(moment),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def kill_and_restore(folder: Path, rounds: int) -> None:
    """Kill at moments evenly spread over all there are, each of them if there are rounds enough."""
    with host_alone(), OptimizedChild(folder) as child:
        before = settings_of(child.pid)
        whole = run_applier(folder, child.pid, PAST_THE_LAST)
        assert whole.returncode == 0, whole.stderr
        moments = int(whole.stdout)
        assert settings_of(child.pid) != before
        assert {outcome.state for outcome in restore_all(folder)} == {"applied"}
        assert settings_of(child.pid) == before
        left_changed = 0
        for number in range(rounds):
            moment = number % moments if rounds >= moments else number * (moments - 1) // (rounds - 1)
            killed = run_applier(folder, child.pid, moment)
            assert killed.returncode == -signal.SIGKILL, (moment, killed.stderr)
            left_changed += settings_of(child.pid) != before
            outcomes = restore_all(folder)
            assert {outcome.state for outcome in outcomes} <= {"applied"}, (moment, outcomes)
            assert settings_of(child.pid) == before, moment
            assert list(folder.glob("*.jsonl")) == []
    hit = min(rounds, moments)
    print(f"{rounds} kills at {hit} of {moments} moments; {left_changed} left something changed")
    # Else the kills fell where there was nothing to restore.
    assert left_changed >= rounds // 2


def test_what_was_applied_when_it_was_killed_is_restored(tmp_path: Path) -> None:
    kill_and_restore(tmp_path, ROUNDS)


def test_a_restore_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    with host_alone(), OptimizedChild(tmp_path) as child:
        before = settings_of(child.pid)
        assert run_applier(tmp_path, child.pid, PAST_THE_LAST).returncode == 0
        for moment in (0, 5, 9):
            assert run_applier(tmp_path, "restore", moment).returncode == -signal.SIGKILL
            assert list(tmp_path.glob("*.jsonl")) != []
        assert settings_of(child.pid) != before
        restore_all(tmp_path)
        assert settings_of(child.pid) == before


@pytest.mark.soak
def test_what_was_applied_when_it_was_killed_is_restored_a_hundred_times(tmp_path: Path) -> None:
    kill_and_restore(tmp_path, ROUNDS_SOAK)
