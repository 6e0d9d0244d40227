"""The embedded relay: loaded as a real one, and gone with the run, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

import sprint
from sprint.tools import runtime
from sprint.tools.loadtest.demo_relay import demo_relay
from sprint.tools.loadtest.load_test import LoadTest
from tests.tools.loadtest.options_for_tests import options, silent

GUARD = "sprint.tools.embedded.guard"
WAIT_S = 30


def test_a_relay_is_asked_a_mix_and_ends_with_the_run() -> None:
    """It had been refused where no chain had a block yet, as just after its start."""

    async def main() -> None:
        before = set(psutil.Process().children(recursive=True))
        report = await LoadTest(options(target="demo", rps=100, duration="1s"), silent).run()
        assert (report.totals.successes, report.totals.failures) == (100, 0)
        assert "embedded relay" in report.notes[0]
        assert set(psutil.Process().children(recursive=True)) <= before

    runtime.run(main())


def test_deliveries_of_a_relay_are_counted_and_its_answers_are_not() -> None:
    async def main() -> None:
        asked = options(target="demo", connections=5, duration="2s")
        report = await LoadTest(asked, silent).run()
        assert report.totals.successes > 0
        assert report.totals.successes % 5 == 0
        assert report.totals.failures == 0

    runtime.run(main())


def test_an_embedded_relay_goes_by_no_config_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "sprint.toml").write_text("[relay]\nno_such_key = 1\n")
    before = Path.cwd()
    os.chdir(tmp_path)
    os.environ["SPRINT_NO_SUCH_KEY"] = "1"

    async def main() -> None:
        async with demo_relay() as url, httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/api/v1/version")).status_code == 200

    try:
        runtime.run(main())
    finally:
        del os.environ["SPRINT_NO_SUCH_KEY"]
        os.chdir(before)


def test_a_relay_does_not_outlive_a_load_tester_that_was_killed(tmp_path: Path) -> None:
    """It had: nobody was left to end it."""
    folder = str(Path(sprint.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-m", "sprint.cli.main", "cb-loadtest", "--target", "demo", "--duration", "1h"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": folder},
    ) as tester:
        assert tester.stderr is not None
        assert b"embedded relay" in tester.stderr.readline()
        below = psutil.Process(tester.pid).children(recursive=True)
        assert any(GUARD in " ".join(each.cmdline()) for each in below)
        os.kill(tester.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(below, WAIT_S)
        assert alive == []


def test_an_embedded_relay_takes_as_many_subscribers_as_are_asked_for(tmp_path: Path) -> None:
    """It had refused them beyond a thousand, where that was the soft limit of open files."""
    folder = str(Path(sprint.__file__).parents[1])
    command = [sys.executable, "-m", "sprint.cli.main", "cb-loadtest", "--target", "demo", "--json"]
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            'ulimit -Sn 256; exec "$@"',
            "sh",
            *command,
            "--connections",
            "300",
            "--duration",
            "4s",
        ],
        capture_output=True,
        check=True,
        timeout=2 * WAIT_S,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": folder},
    )
    report = json.loads(done.stdout)
    assert report["errors"] == []
    assert any("300 of 300 WebSockets were opened" in note for note in report["notes"])
