"""Ctrl-C at any time leaves a true report: before the run, amid it, and while the report is being written."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sprint.cli.early_loadtest_signals import NUMBERS, early, keep_early_signals
from sprint.cli.loadtest_signals import StopSignals
from sprint.cli.whole_file import write_whole
from sprint.core.loadtest.report import encode_report
from tests.cli.test_cb_loadtest import COMMAND, TIMEOUT_S, _environment
from tests.core.loadtest.runs import report_of

ASKS_MAX = 100
ASK_S = 0.2


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_before_there_is_a_run_ends_it_when_it_comes(number: signal.Signals) -> None:
    """The first second of a command had ended without a report, and without the file of --output."""
    stops: list[int] = []
    with StopSignals() as signals:
        signal.raise_signal(number)
        signals.hand_to(lambda: stops.append(1))
    assert len(stops) == 1


@pytest.mark.parametrize("number", NUMBERS)
def test_a_second_signal_before_there_is_a_run_ends_the_command(number: signal.Signals) -> None:
    """As one is wanted where what the run begins with never comes, as a file that is a pipe."""
    with StopSignals():
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


@pytest.mark.parametrize("number", NUMBERS)
def test_amid_a_run_each_signal_ends_the_run_and_nothing_else(number: signal.Signals) -> None:
    stops: list[int] = []
    with StopSignals() as signals:
        signals.hand_to(lambda: stops.append(1))
        for _ in range(3):
            signal.raise_signal(number)
    assert len(stops) == 3


def test_while_the_report_is_written_one_signal_is_told_and_the_next_ends_the_command(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with StopSignals() as signals:
        signals.shield_the_report()
        signal.raise_signal(signal.SIGINT)
        assert "once more to leave without it" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_of_before_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with StopSignals():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("words", [["/bin/sprint", "cb-loadtest", "--rps", "1"], ["/bin/cb-loadtest"]])
def test_a_signal_amid_the_imports_is_one_before_the_run(words: list[str]) -> None:
    """The first 0.4 s of a command had no report, and Ctrl-C amid them left a traceback."""
    before = [signal.getsignal(number) for number in NUMBERS]
    keep_early_signals(words)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    stops: list[int] = []
    with StopSignals() as signals:
        signals.hand_to(lambda: stops.append(1))
    assert (len(stops), early) == (1, [])
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("words", [[], ["/bin/sprint"], ["/bin/sprint", "relay", "cb-loadtest"]])
def test_other_commands_keep_no_early_signal(words: list[str]) -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    keep_early_signals(words)
    assert (early, [signal.getsignal(number) for number in NUMBERS]) == ([], before)


def test_ctrl_c_while_a_command_is_imported_leaves_its_report(tmp_path: Path) -> None:
    """It left a traceback of typer's import. The signal comes as the first module is imported."""
    (tmp_path / "typer.py").write_text(
        "import os, signal, sys\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.path[:] = [each for each in sys.path if each != os.path.dirname(__file__)]\n"
        "del sys.modules['typer']\n"
        "sys.modules['typer'] = __import__('typer')\n"
    )
    environment = _environment(tmp_path)
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "sprint.cli.main", "cb-loadtest", "--duration", "1h", "--json"],
        capture_output=True,
        cwd=tmp_path,
        env=environment,
        timeout=TIMEOUT_S,
        check=False,
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["interrupted"], report["totals"]["asked"]) == (0, True, 0)


def test_ctrl_c_twice_does_not_cost_the_report_that_is_being_written(tmp_path: Path) -> None:
    """It had: the loop took its handlers away with it, and the second signal ended the command."""
    pipe = tmp_path / "report.json"
    os.mkfifo(pipe)  # which holds the writer up until somebody reads
    with subprocess.Popen(
        [*COMMAND, "--rps", "100", "--duration", "1h", "--output", str(pipe)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=_environment(tmp_path),
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"no --target")
        for _ in range(ASKS_MAX):
            process.send_signal(signal.SIGINT)
            if select.select([process.stderr], [], [], ASK_S)[0]:
                break
        assert b"the report is being written" in process.stderr.readline()
        report = json.loads(pipe.read_bytes())
        assert process.wait(TIMEOUT_S) == 0
    assert report["interrupted"]
    assert report["totals"]["duration_s"] < 30


def test_ctrl_c_before_the_run_leaves_a_report_of_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "earlier.json"
    os.mkfifo(pipe)  # which holds the command up before its run
    with subprocess.Popen(
        [*COMMAND, "--duration", "1h", "--compare", str(pipe), "--output", "report.json", "-q"],
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=_environment(tmp_path),
    ) as process:
        with pipe.open("wb") as earlier:  # which is when the command has come to it
            process.send_signal(signal.SIGINT)
            earlier.write(encode_report(report_of()))
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, said) == (0, b"")
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["interrupted"]
    assert report["totals"]["asked"] == 0


def test_a_report_that_is_cut_short_leaves_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal amid the writing left half a report in the place of a whole one."""
    file = tmp_path / "report.json"
    write_whole(file, b"earlier")
    whole = Path.write_bytes

    def half(path: Path, data: bytes) -> int:
        whole(path, data[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, b"later")
    assert file.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [file]


def test_a_report_goes_where_a_link_leads(tmp_path: Path) -> None:
    file, link = tmp_path / "report.json", tmp_path / "newest.json"
    link.symlink_to(file)
    write_whole(link, b"one")
    assert link.is_symlink()
    assert file.read_bytes() == b"one"
