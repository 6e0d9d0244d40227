"""A command under settings: what it keeps of them, its exit code, and that it never starts without them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.core.optimize.levels import LEVELS
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Setting
from sprint.tools.optimize import starting
from sprint.tools.optimize.facts import read_facts
from sprint.tools.optimize.starting import Started, start
from tests.integration.real_servers import wait_until
from tests.tools.optimize.seen_from_outside import host_alone, host_settings, settings_of

WHY = "a test wants it"
LAST_CPU = max(os.sched_getaffinity(0))
NICE = Setting(key="nice", value=19, scope="process", why=WHY)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with host_alone():
        yield


def started(folder: Path, *argv: str, settings: tuple[Setting, ...] = (NICE,)) -> Started:
    """Start a command and let it begin: from here on signals that come to us are handed on."""
    child = start(argv, settings, journal_folder=folder, clock=time.perf_counter)
    child.begin()
    return child


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: these are the settings root may change")
def test_a_command_has_what_it_keeps_from_its_first_instruction(tmp_path: Path) -> None:
    before = host_settings()
    settings = plan(LEVELS["turbo"].fields, read_facts(), "command")
    child = started(tmp_path, "sleep", "300", settings=settings)
    wanted = {each.key for each in settings if not each.unsupported}
    assert {each.setting.key for each in child.outcomes if each.state == "applied"} == wanted
    assert [each.setting for each in child.outcomes] == list(settings)
    inside = settings_of(child.pid)
    assert "SCHED_FIFO|SCHED_RESET_ON_FORK" in inside["scheduler"]
    assert (inside["nice"], inside["timer_slack"], inside["cpu_dma_latency"]) == ("-10", "0", "0")
    assert b"MALLOC_ARENA_MAX=2" in Path(f"/proc/{child.pid}/environ").read_bytes()
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait() == 128 + signal.SIGTERM
    assert host_settings() == before


def test_what_it_does_to_itself_before_it_becomes_the_command_is_kept(tmp_path: Path) -> None:
    off = Setting(key="huge_pages", value=0, scope="process", why=WHY)
    script = "grep -q 'THP_enabled:.*0' /proc/self/status && exit 7"
    child = started(tmp_path, "sh", "-c", script, settings=(off,))
    assert [each.state for each in child.outcomes] == ["applied"]
    assert child.wait() == 7


def test_its_exit_code_is_ours(tmp_path: Path) -> None:
    assert started(tmp_path, "sh", "-c", "exit 3").wait() == 3
    assert started(tmp_path, "sh", "-c", "kill -9 $$").wait() == 128 + signal.SIGKILL


def test_a_command_that_is_not_there_ends_as_in_a_shell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert started(tmp_path, "no-such-command-at-all").wait() == 127
    assert started(tmp_path, str(tmp_path)).wait() == 126
    assert "no-such-command-at-all: No such file or directory" in capfd.readouterr().err


def test_a_signal_is_handed_on(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    before = signal.getsignal(signal.SIGTERM)
    child = started(tmp_path, "sh", "-c", f"trap 'exit 5' TERM; : > {ready}; while :; do :; done")

    def terminate() -> None:
        wait_until(ready.exists, "it waits")
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    assert child.wait() == 5
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == before


def test_whoever_starts_it_dies_and_the_command_never_runs(tmp_path: Path) -> None:
    """Its orders end before the word: a command without its settings is none."""
    process, orders, report = starting._start_waiting(["touch", str(tmp_path / "ran")], [])
    orders.write(b"[]\n")
    orders.flush()
    with report:
        assert report.readline() == b"[]\n"
    orders.close()
    assert process.wait() == 126
    assert not (tmp_path / "ran").exists()


def test_a_command_whose_starter_fails_before_it_begins_never_runs_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    ran, journals = tmp_path / "ran", tmp_path / "journals"
    before = signal.getsignal(signal.SIGTERM)
    child = start(["touch", str(ran)], [NICE], journal_folder=journals, clock=time.perf_counter)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == 19
    assert list(journals.glob("*.jsonl"))
    with pytest.raises(BlockingIOError), child:
        raise BlockingIOError("what was said could not be written")
    assert not Path(f"/proc/{child.pid}").exists()
    assert not ran.exists()
    assert list(journals.glob("*.jsonl")) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_before_it_begins_ends_it_and_then_does_what_it_does(tmp_path: Path) -> None:
    ran, journals, came = tmp_path / "ran", tmp_path / "journals", []
    before = signal.signal(signal.SIGHUP, lambda number, _: came.append(number))
    try:
        child = start(["touch", str(ran)], [NICE], journal_folder=journals, clock=time.perf_counter)
        signal.raise_signal(signal.SIGHUP)
        assert (child.wait(), came) == (128 + signal.SIGKILL, [signal.SIGHUP])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not ran.exists()
    assert list(journals.glob("*.jsonl")) == []


def test_a_signal_that_we_ignore_stays_ignored(tmp_path: Path) -> None:
    """As under nohup: what is started is to outlive its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        child = started(tmp_path, "sh", "-c", "exit 4")
        signal.raise_signal(signal.SIGHUP)
        assert child.wait() == 4
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
