"""The keeper: every fault goes when its time is over, and all of them when the tool is gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chaos.faults import Freeze, Toxic
from sprint.core.chaos.journal import Ended, Injected, Planned, Run, read_journal
from sprint.core.chaos.undo import ProcessName, RemoveToxic, Undo
from sprint.core.errors import FaultError, UndoFailed
from sprint.tools.chaos import keeper as keeper_module
from sprint.tools.chaos import keeper_process, processes
from sprint.tools.chaos import rollback as rollback_module
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.journal_file import JournalFile
from sprint.tools.chaos.keeper import UNDO_TRIES_MAX, Keeper, retry_s
from sprint.tools.chaos.processes import name_of, state_of
from sprint.tools.chaos.rollback import halt_all, rollback
from tests.integration.fault_proxy_process import NAME, FaultProxyProcess
from tests.integration.real_servers import wait_until

GONE = ProcessName(2**22 + 1, 1)


class Bench:
    """A keeper on a clock of its own, and what is on."""

    def __init__(self, journal: JournalFile) -> None:
        self.journal = journal
        self.now_s = 1_000.0
        self.wall_s = 50_000.0
        self.on: list[str] = []
        self.refusing: set[str] = set()
        self.tries = 0
        self.keeper = Keeper(
            journal, undoer=self._undo, now=lambda: self.wall_s, monotonic=lambda: self.now_s
        )

    def put_on(self, number: int, ttl_s: float) -> None:
        undo = (RemoveToxic("http://127.0.0.1:1", "node", str(number)),)
        self.journal.add(Planned(number, "latency", "node", "", self.wall_s, ttl_s, undo))
        self.on.append(str(number))
        self.journal.add(Injected(number, self.wall_s))

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_s += seconds

    def look(self, *, everything: bool = False) -> None:
        self.keeper.look(everything=everything)

    def _undo(self, one: Undo) -> str:
        assert isinstance(one, RemoveToxic)
        self.tries += 1
        if one.toxic in self.refusing:
            raise UndoFailed("it does not answer")
        self.on.remove(one.toxic)
        return ""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with JournalFile.create(tmp_path, "run", Run("run", 0.0, GONE)) as journal:
        yield Bench(journal)


def test_a_fault_goes_when_its_own_time_is_over_and_no_sooner(bench: Bench) -> None:
    bench.put_on(1, 10.0)
    bench.put_on(2, 5.0)
    bench.look()
    bench.pass_s(4.9)
    bench.look()
    assert bench.on == ["1", "2"]
    bench.pass_s(0.2)
    bench.look()
    assert bench.on == ["1"]
    bench.pass_s(5.0)
    bench.look()
    assert bench.on == []
    assert {line.by for line in bench.journal.read().undone.values()} == {"keeper"}


@pytest.mark.parametrize("step_s", [-1e6, 1e6])
def test_a_clock_that_is_set_while_a_fault_is_on_changes_nothing(bench: Bench, step_s: float) -> None:
    bench.put_on(1, 10.0)
    bench.look()
    bench.wall_s += step_s
    bench.pass_s(9.9)
    bench.look()
    assert bench.on == ["1"]
    bench.pass_s(0.2)
    bench.look()
    assert bench.on == []


def test_an_undo_that_fails_is_tried_again_later_and_later_and_then_given_up(bench: Bench) -> None:
    bench.put_on(1, 1.0)
    bench.refusing.add("1")
    bench.look()
    bench.pass_s(1.0)
    moments = []
    while bench.keeper.has_work:
        tries = bench.tries
        bench.look()
        if bench.tries > tries:
            moments.append(bench.now_s)
        bench.pass_s(0.1)
    assert len(moments) == UNDO_TRIES_MAX
    waits = [later - sooner for sooner, later in pairwise(moments)]
    assert waits == pytest.approx([retry_s(n) for n in range(1, UNDO_TRIES_MAX)], abs=0.11)
    assert bench.journal.read().stuck[1].says == "it does not answer"
    bench.refusing.clear()
    bench.keeper.begin_anew()
    bench.look(everything=True)
    assert bench.on == []


def test_everything_goes_at_once_where_the_tool_is_gone_and_newer_faults_first(bench: Bench) -> None:
    for number in (1, 2, 3):
        bench.put_on(number, 1_000.0)
    bench.look(everything=True)
    assert bench.on == []
    assert list(bench.journal.read().undone) == [3, 2, 1]
    bench.journal.add(Ended(1.0))
    bench.look()
    assert bench.keeper.ended


@given(st.integers(1, 1_000))
def test_no_wait_between_two_tries_is_longer_than_its_limit(tries: int) -> None:
    assert 0.0 < retry_s(tries) <= keeper_module.RETRY_S_MAX


TOOL = """
import signal, sys, threading
from pathlib import Path
from sprint.core.chaos.faults import Freeze, Toxic
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.processes import name_of
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and its children take that over
faults = FaultKeeper(Path(sys.argv[1]))
faults.inject(Freeze(name_of(int(sys.argv[2]))), "freeze", "sleeper", "stopped", ttl_s=60)
print(faults.keeper_pid, flush=True)
threading.Event().wait()
"""


@pytest.fixture
def sleeper() -> Iterator[ProcessName]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield name_of(process.pid)
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_the_tools_whole_group_still_leaves_nothing_on(
    tmp_path: Path, sleeper: ProcessName, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", TOOL, str(tmp_path), str(sleeper.pid)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as tool:
        assert tool.stdout is not None
        keeper = name_of(int(tool.stdout.readline()))
        assert state_of(sleeper) == "T"
        os.killpg(tool.pid, number)
    wait_until(lambda: not processes.lives(keeper), "the keeper has ended")
    wait_until(lambda: state_of(sleeper) == "S", "it goes on, and sleeps again")
    assert rollback(tmp_path) == []


def test_a_keeper_that_is_told_to_end_takes_all_off_first(tmp_path: Path, sleeper: ProcessName) -> None:
    faults = FaultKeeper(tmp_path)
    faults.inject(Freeze(sleeper), "freeze", "sleeper", "stopped")
    os.kill(faults.keeper_pid, signal.SIGTERM)
    wait_until(lambda: state_of(sleeper) == "S", "it goes on")
    wait_until(lambda: faults._keeper.exit_code is not None, "the keeper has ended")
    with pytest.raises(FaultError, match="ended with 0, so no fault may stay"):
        faults.check()
    assert faults.close() == []


def test_a_rollback_leaves_a_living_tool_alone_and_halt_all_ends_its_faults(
    tmp_path: Path, sleeper: ProcessName
) -> None:
    with FaultKeeper(tmp_path) as faults:
        faults.inject(Freeze(sleeper), "freeze", "sleeper", "stopped")
        (found,) = rollback(tmp_path)
        assert (found.state, found.remains) == ("running", ("fault 1: freeze on sleeper",))
        assert state_of(sleeper) == "T"
        assert halt_all(tmp_path) == [faults.run]
        wait_until(lambda: state_of(sleeper) == "S", "the keeper let it go on")
        assert faults.halted
        with pytest.raises(FaultError, match="told to halt: nothing is put on"):
            faults.inject(Freeze(sleeper), "freeze", "sleeper", "stopped")
    assert rollback(tmp_path) == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".ndjson"]


def test_a_rollback_with_halt_takes_off_what_a_living_tool_does_not(
    tmp_path: Path, sleeper: ProcessName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sprint.tools.chaos.rollback.HALT_WAIT_S_MAX", 0.0)
    faults = FaultKeeper(tmp_path)
    faults.inject(Freeze(sleeper), "freeze", "sleeper", "stopped")
    os.kill(faults.keeper_pid, signal.SIGSTOP)
    (found,) = rollback(tmp_path, halt=True)
    assert (found.state, found.undone) == ("ended", ("fault 1: freeze on sleeper",))
    wait_until(lambda: state_of(sleeper) == "S", "it goes on, and sleeps again")
    os.kill(faults.keeper_pid, signal.SIGCONT)
    assert faults.close() == []


def test_what_a_tool_could_not_take_off_its_keeper_does_after_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sprint.tools.chaos.undoing.HTTP_TIMEOUT_S", 0.2)
    monkeypatch.setattr("sprint.tools.chaos.taking_off.PASS_PAUSE_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as node, FaultProxyProcess(node.getsockname()[1]) as proxy:
        faults = FaultKeeper(tmp_path)
        faults.inject(
            Toxic(proxy.control_url, NAME, {"kind": "stall"}), "stall", "node", "still", ttl_s=1_000
        )
        keeper = name_of(faults.keeper_pid)
        os.kill(proxy.pid, signal.SIGSTOP)
        (remaining,) = faults.close()
        assert (remaining.number, remaining.kind) == (1, "stall")
        assert "ReadTimeout" in remaining.says
        os.kill(proxy.pid, signal.SIGCONT)
        wait_until(lambda: faults.journal.read().ended, "the keeper took it off")
        assert faults.journal.read().undone[1].by == "keeper"
        assert proxy.view()["toxics"] == []
        wait_until(lambda: not processes.lives(keeper), "the keeper has ended")


def test_nothing_is_put_on_without_a_keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_process, "COMMAND", (sys.executable, "-c", "pass"))
    with pytest.raises(FaultError, match="nothing is put on without it"):
        FaultKeeper(tmp_path)
    (path,) = tmp_path.iterdir()
    assert read_journal(path.read_bytes()).ended


def test_a_keeper_whose_tool_was_killed_as_it_started_printed_a_traceback(tmp_path: Path) -> None:
    first = Run("begun", 1.0, processes.name_of(os.getpid()))
    with JournalFile.create(tmp_path, "begun", first) as journal:
        reading, writing = os.pipe()
        os.close(reading)
        command = [*keeper_process.COMMAND, str(journal.path)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=30
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b"")
        assert journal.read().ended


def test_a_journal_that_went_or_broke_while_a_halt_waited_ended_the_halt_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Run("begun", 1.0, processes.name_of(os.getpid()))

    def halted(folder: Path) -> list[str]:
        told = halt_all(folder)
        (folder / "begun.ndjson").write_bytes(b"no line of ours\n")
        return [*told, "gone"]

    monkeypatch.setattr(rollback_module, "halt_all", halted)
    paths = [tmp_path / "begun.ndjson", tmp_path / "gone.ndjson"]
    monkeypatch.setattr(rollback_module, "journals_in", lambda _folder: paths)
    with JournalFile.create(tmp_path, "begun", first):
        (found,) = rollback(tmp_path, halt=True)
    assert (found.run, found.state) == ("begun", "unreadable")
