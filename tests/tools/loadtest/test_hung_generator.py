"""A generator that hangs can't hold a run up that somebody ends: it is given a time, and then killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import psutil
import pytest

from sprint.core.loadtest.recording import LOST
from sprint.core.loadtest.report import Report
from sprint.tools import runtime
from sprint.tools.loadtest import fleet
from sprint.tools.loadtest.load_test import LoadTest
from tests.children import children_that_run
from tests.tools.loadtest.options_for_tests import come_true, options, silent
from tests.tools.loadtest.small_server import SmallServer, ok

WAIT_S = 20


def generators() -> list[psutil.Process]:
    return children_that_run("sprint.tools.loadtest.generator")


async def stopped_while_one_hangs(*, stops: int) -> Report:
    async with SmallServer(ok) as server:
        test = LoadTest(options(target=server.url, duration="1h", rps=500, processes=2), silent)
        running = asyncio.create_task(test.run())
        await come_true(lambda: len(server.requests) >= 700)
        os.kill(generators()[0].pid, signal.SIGSTOP)
        for _ in range(stops):
            test.stop()
        async with asyncio.timeout(WAIT_S):
            return await running


def held(report: Report) -> None:
    totals = report.totals
    assert report.interrupted
    assert any("did not stop when told to and was killed" in why for why in report.generator.reasons)
    assert totals.answered + totals.unanswered + totals.never_sent == totals.asked
    assert LOST in [row.name for row in report.never_sent]
    assert generators() == []


def test_a_generator_that_hangs_is_killed_after_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C had waited for it for as long as the whole run was to take."""
    monkeypatch.setattr(fleet, "STOP_TIMEOUT_S", 1.5)
    held(runtime.run(stopped_while_one_hangs(stops=1)))


def test_a_second_stop_kills_what_hangs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "STOP_TIMEOUT_S", 10 * WAIT_S)
    monkeypatch.setattr(fleet, "AGAIN_AFTER_S", 0.0)
    held(runtime.run(stopped_while_one_hangs(stops=2)))


def test_what_a_generator_says_is_in_the_report_and_not_in_the_live_display(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = "print('w' * 3_000 + ' no room left', file=sys.stderr)"
    monkeypatch.setattr(fleet, "COMMAND", (sys.executable, "-c", f"import sys; {said}; sys.exit(7)"))
    with pytest.raises(fleet.GeneratorFailed, match=r"ended with code 7, saying: w+ no room left"):
        runtime.run(LoadTest(options(), silent).run())
    assert capfd.readouterr().err == ""


def test_a_second_stop_within_a_moment_is_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal and who wraps the command may both signal it."""

    async def main() -> None:
        async with SmallServer(ok) as server:
            test = LoadTest(options(target=server.url, duration="1h", rps=500, processes=2), silent)
            running = asyncio.create_task(test.run())
            await come_true(lambda: len(server.requests) >= 100)
            test.stop()
            test.stop()
            report = await running
            assert not any("killed" in why for why in report.generator.reasons)

    monkeypatch.setattr(fleet, "AGAIN_AFTER_S", WAIT_S)
    runtime.run(main())
