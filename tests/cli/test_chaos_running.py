"""Campaigns as the command runs them: what is told of their results, and the exit code that remains."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sprint.cli import chaos_running
from sprint.cli.chaos_output import Output
from sprint.cli.chaos_running import NO_FURTHER, STOPPING, Running
from sprint.core.chaos.result import Result
from sprint.core.chaos.schedule import Immediate, Periodic, Schedule
from sprint.core.errors import UpstreamError
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.local_zone import local_now
from tests.core.chaos.results import result

MET = result()
NOT_MET = result(verdict="not_met", reason="a block was lost")
NOT_RUN = result(verdict="could_not_run", reason="nobody is there")


class MadeUp:
    """A campaign whose results are made up, and which may fail after them or wait to be stopped."""

    def __init__(
        self,
        made: Sequence[Result],
        fails: Exception | None = None,
        *,
        waits: bool = False,
        tells: bool = False,
    ) -> None:
        self._made = made
        self._tells = tells
        self.tell: Callable[[str, str], None]
        self._fails = fails
        self._waits = waits
        self._stopped = asyncio.Event()
        self.results: list[Result] = []

    def status_text(self) -> str:
        return "method | faults on for 3 s"

    def stop(self, reason: str) -> None:
        assert reason == "interrupted"
        self._stopped.set()

    async def run(self) -> None:
        if self._tells:
            self.tell("method", "a fault is on")
        if self._waits:
            os.kill(os.getpid(), signal.SIGTERM)
            await self._stopped.wait()
        self.results += self._made
        if self._fails is not None:
            raise self._fails


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(**options: Any) -> dict[str, Any]:
    return {"form": None, "output": None, "json_output": False, "quiet": False, **options}


def ran(
    monkeypatch: pytest.MonkeyPatch,
    *campaigns: MadeUp,
    schedule: Schedule | None = None,
    experiments: tuple[str, ...] = ("upstream-stall",),
    **options: Any,
) -> int:
    """Run made-up campaigns, and return the exit code."""
    waiting = list(campaigns)

    def make(_options: object, tell: Callable[[str, str], None]) -> MadeUp:
        waiting[0].tell = tell
        return waiting.pop(0)

    monkeypatch.setattr(chaos_running, "Campaign", make)
    when = schedule or Immediate()
    output = Output(asked(**options), several=len(experiments) > 1, comes_again=schedule is not None)
    running = Running(options_of(Given(experiment=experiments)), output, quiet=options.get("quiet", False))
    return asyncio.run(running.run(when, len(campaigns)))


@pytest.mark.parametrize(("made", "code"), [(MET, 0), (NOT_MET, 1), (NOT_RUN, 3)])
def test_the_exit_code_is_the_results(monkeypatch: pytest.MonkeyPatch, made: Result, code: int) -> None:
    assert ran(monkeypatch, MadeUp([made])) == code


def test_what_had_come_out_when_a_campaign_failed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UpstreamError):
        ran(monkeypatch, MadeUp([MET], UpstreamError("the relay is gone")))
    assert "upstream-stall, score" in capsys.readouterr().out


def test_a_schedule_goes_on_after_a_run_that_failed_and_keeps_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sprint.tools.chaos.scheduled.LOOK_EVERY_S", 0.01)
    failing = MadeUp([], UpstreamError("the relay is gone"))
    code = ran(monkeypatch, failing, MadeUp([MET]), schedule=Periodic(0.01))
    assert code == 3
    said = capsys.readouterr()
    assert "error: the relay is gone" in said.err
    assert "upstream-stall, score" in said.out


def test_each_run_of_a_schedule_has_a_file_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran(monkeypatch, MadeUp([MET]), schedule=Periodic(1.0), output=Path("r.json"), quiet=True)
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(r"r-\d{8}T\d{6}[+-]\d{4}\.json", file.name)


def test_a_signal_has_what_is_on_taken_off_and_the_results_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aborted = result(verdict="aborted", reason="interrupted")
    assert ran(monkeypatch, MadeUp([aborted], waits=True)) == 1
    said = capsys.readouterr()
    assert f"stopping   {STOPPING}\n" in said.err
    assert "ABORTED: interrupted" in said.out


def test_a_run_that_was_stopped_before_it_came_to_anything_is_none_that_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(monkeypatch, MadeUp([], waits=True)) == 130
    assert capsys.readouterr().out == ""


def test_a_schedule_that_is_stopped_while_it_waits_ends_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(self: Running, phase: str, text: str) -> None:
        said(self, phase, text)
        if phase == "waiting":
            os.kill(os.getpid(), signal.SIGINT)

    said = Running._tell
    monkeypatch.setattr(Running, "_tell", tell)
    assert ran(monkeypatch, MadeUp([MET]), MadeUp([NOT_MET]), schedule=Periodic(3_600.0)) == 0
    assert NO_FURTHER in capsys.readouterr().err


def test_a_reader_that_has_gone_changes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Output, "tell", gone)
    monkeypatch.setattr(chaos_running, "stdout_goes_nowhere", lambda: None)
    assert ran(monkeypatch, MadeUp([NOT_MET])) == 1


def test_the_console_ends_nothing_by_itself_where_its_reader_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        # rich would raise SystemExit(1), whatever the relay did.
        with pytest.raises(BrokenPipeError):
            Output(asked(), several=False, comes_again=False).tell([MET], local_now())
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_json_of_one_is_an_object_and_of_several_a_list_however_many_came_out(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    ran(monkeypatch, MadeUp([MET]), json_output=True)
    assert json.loads(capfdbinary.readouterr().out)["verdict"] == "met"
    ran(monkeypatch, MadeUp([MET]), json_output=True, experiments=("latency", "errors"))
    assert [each["verdict"] for each in json.loads(capfdbinary.readouterr().out)] == ["met"]


def test_json_on_stdout_may_stand_beside_a_page_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    ran(monkeypatch, MadeUp([MET]), json_output=True, output=Path("r.html"))
    assert Path("r.html").read_bytes().startswith(b"<!doctype html>")
    assert json.loads(capfdbinary.readouterr().out)["run"] == MET.run


@pytest.mark.parametrize(
    ("name", "form", "begins"),
    [
        ("r.json", None, b"{"),
        ("r.htm", None, b"<!doctype"),
        ("r.txt", None, b"upstream-stall, score"),
        ("r", None, b"upstream-stall, score"),
        ("r.pdf", "json", b"{"),
        ("r.txt", "json", b"{"),
    ],
)
def test_the_form_of_a_file_is_by_its_name_or_as_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    name: str,
    form: str | None,
    begins: bytes,
) -> None:
    ran(monkeypatch, MadeUp([MET]), output=Path(name), form=form, quiet=True)
    assert Path(name).read_bytes().startswith(begins)
    assert capfdbinary.readouterr().out == b""


def test_pages_of_several_experiments_are_numbered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = [MET, msgspec.structs.replace(NOT_MET, experiment="./mine/errors.yaml")]
    ran(monkeypatch, MadeUp(made), output=Path("r.html"), quiet=True, experiments=("a.json", "b.json"))
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["r-01-upstream-stall.html", "r-02-errors.html"]


def test_what_came_of_several_is_told_in_a_line_each_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(monkeypatch, MadeUp([MET, NOT_MET]), experiments=("latency", "errors")) == 1
    last = capsys.readouterr().out.rpartition("experiment")[2]
    assert "met: the relay stood it" in last
    assert "NOT MET: a block was lost" in " ".join(last.split())


def test_a_terminal_that_was_closed_keeps_nothing_from_coming_off(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(Terminal):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Closed())
    campaign = MadeUp([result(verdict="aborted")], waits=True, tells=True)
    assert ran(monkeypatch, campaign) == 1
    assert campaign.results


class Terminal:
    """Stderr as a terminal."""

    def __init__(self) -> None:
        self.written = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def fileno(self) -> int:
        raise OSError


@pytest.mark.parametrize(("name", "value"), [("TERM", "xterm"), ("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_line_of_how_it_gets_on_is_drawn_where_a_person_looks(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ran(monkeypatch, MadeUp([result(verdict="aborted")], waits=True))
    drawn = "\r\x1b[2Kmethod | faults on for 3 s" in terminal.written
    assert drawn is (value == "xterm")
    assert ("\x1b" in terminal.written) is drawn
