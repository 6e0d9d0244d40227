"""The process that is measured: told what to apply, measured, restored, and never left behind."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest

from sprint.core.errors import UpstreamError
from sprint.core.optimize.setting import Setting
from sprint.tools.optimize.bench.measured import Measured

SLACK = Setting(key="timer_slack", value=3_000, scope="thread", why="a test")
ENDED_TIMEOUT_S = 20.0


def slack_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/timerslack_ns").read_text())


def test_it_is_told_measured_and_restored_and_is_gone_after(tmp_path: Path) -> None:
    with Measured(tmp_path) as measured:
        process = psutil.Process(measured.pid)
        before = slack_of(measured.pid)
        (state,) = measured.apply([SLACK]).states
        assert (state.key, state.state) == ("timer_slack", "applied")
        assert slack_of(measured.pid) == 3_000
        p50, p99 = measured.measure("idle", 0.05)
        assert 0 < p50 <= p99
        assert [state.key for state in measured.restore().states] == ["timer_slack"]
        assert slack_of(measured.pid) == before
        assert measured.restore().states == ()
    assert not process.is_running()


def test_one_that_was_killed_is_told_and_not_waited_for(tmp_path: Path) -> None:
    with Measured(tmp_path) as measured:
        psutil.Process(measured.pid).kill()
        with pytest.raises(UpstreamError, match="the measured process"):
            measured.measure("idle", 0.05)
    with pytest.raises(UpstreamError, match="was ended"):
        measured.restore()


def test_one_that_is_ended_in_the_middle_of_a_measurement_restores_first(tmp_path: Path) -> None:
    """Ctrl-C came while it measured: what it had set of the host must not stay."""
    measured = Measured(tmp_path)
    measured.apply([SLACK])
    failed: list[UpstreamError] = []

    def measure() -> None:
        try:
            measured.measure("idle", 50.0)
        except UpstreamError as error:
            failed.append(error)

    thread = threading.Thread(target=measure)
    thread.start()
    process = psutil.Process(measured.pid)
    process.terminate()
    gone, _ = psutil.wait_procs([process], ENDED_TIMEOUT_S)
    thread.join(ENDED_TIMEOUT_S)
    measured.end()
    assert len(gone) == len(failed) == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".jsonl" and path.stat().st_size] == []
