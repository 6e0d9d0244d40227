"""Once it runs, the command has a lower priority than the generators that it has started."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from sprint.tools.loadtest.priority import NICE_MAX, NICER_BY
from tests.cli.test_cb_loadtest import COMMAND, TIMEOUT_S, _environment

POLL_S = 0.02


@pytest.mark.skipif(psutil.Process().nice() >= NICE_MAX, reason="nothing is nicer than this process")
def test_the_command_makes_way_for_its_generators(tmp_path: Path) -> None:
    before = psutil.Process().nice()
    with subprocess.Popen(
        [*COMMAND, "--rps", "50", "--duration", "1h", "--output", "report.json", "-q"],
        cwd=tmp_path,
        env=_environment(tmp_path),
    ) as process:
        try:
            command, deadline = psutil.Process(process.pid), time.monotonic() + TIMEOUT_S
            while command.nice() == before:
                assert time.monotonic() < deadline, "it kept its priority"
                with contextlib.suppress(subprocess.TimeoutExpired):
                    raise AssertionError(f"it ended with {process.wait(POLL_S)}")
            nices = [each.nice() for each in command.children()]
            assert (command.nice(), nices) == (min(NICE_MAX, before + NICER_BY), [before])
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()
