"""Each undo does its work once, finds it done the second time, and touches nothing that is not ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sprint.core.chaos.faults import BreakerOrder, Freeze, SourceDetour, SourcePause, Toxic
from sprint.core.chaos.undo import (
    ContinueProcess,
    EndProcess,
    ProcessName,
    ReleaseBreaker,
    RemoveFile,
    RemoveSource,
    RemoveTable,
    RemoveToxic,
    ResumeSource,
    StartProcess,
    Undo,
)
from sprint.core.errors import ConfigError, FaultError, UndoFailed
from sprint.tools.chaos import processes, undoing
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.processes import lives, name_of, state_of
from sprint.tools.chaos.undoing import asked, encoded, undo
from tests.integration.chaos_scene import CHAIN, ChaosScene
from tests.integration.fault_proxy_process import NAME

ALICE = f"source:{CHAIN}:alice"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosScene]:
    with ChaosScene(tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[FaultKeeper]:
    with FaultKeeper(tmp_path / "journals") as made:
        yield made


@pytest.fixture
def sleeper() -> Iterator[ProcessName]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield name_of(process.pid)
        process.kill()


def free_url() -> str:
    """A URL at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_an_order_to_a_breaker_comes_off_and_anothers_is_left(scene: ChaosScene, faults: FaultKeeper) -> None:
    fault = BreakerOrder(scene.admin_url, ALICE, "force_open")
    number = faults.inject(fault, "force-open", ALICE, "held open")
    assert scene.breaker_state(ALICE) == "force_open"
    with pytest.raises(ConfigError, match="is force_open already: operator via admin API: cb-chaos"):
        faults.inject(fault, "force-open", ALICE, "held open")
    faults.undo(number)
    assert not scene.breaker_state(ALICE).startswith("force")
    state = f"/api/breakers/{encoded(ALICE)}/state"
    asked("POST", scene.admin_url, state, {"action": "force_open", "reason": "my disk is replaced"})
    ours = ReleaseBreaker(scene.admin_url, ALICE, "cb-chaos run-1")
    assert "under another's order: operator via admin API: my disk is replaced" in undo(ours)
    assert scene.breaker_state(ALICE) == "force_open"
    asked("POST", scene.admin_url, state, {"action": "reset"})
    assert undo(ours) == f"breaker {ALICE} is closed"


def test_a_paused_source_is_resumed_and_anothers_pause_is_left(
    scene: ChaosScene, faults: FaultKeeper
) -> None:
    fault = SourcePause(scene.admin_url, CHAIN, "alice")
    number = faults.inject(fault, "pause", "alice", "paused")
    assert scene.source_state("alice") == "paused"
    with pytest.raises(ConfigError, match="paused already"):
        faults.inject(fault, "pause", "alice", "paused")
    faults.undo(number)
    assert scene.source_state("alice") != "paused"
    state = f"/api/sources/{CHAIN}/alice/state"
    asked("POST", scene.admin_url, state, {"action": "pause", "reason": "upgrade"})
    ours = ResumeSource(scene.admin_url, CHAIN, "alice", "cb-chaos run-1")
    assert "paused by another" in undo(ours)
    assert scene.source_state("alice") == "paused"
    asked("POST", scene.admin_url, state, {"action": "resume"})
    assert undo(ResumeSource(scene.admin_url, CHAIN, "nobody")) == f"source nobody of {CHAIN} is gone"


def test_a_detour_is_ready_before_the_straight_way_is_paused(scene: ChaosScene, faults: FaultKeeper) -> None:
    fault = scene.fault("detour")
    assert isinstance(fault, SourceDetour)
    number = faults.inject(fault, "latency", "alice", "led through a proxy")
    assert (scene.source_state("alice"), scene.source_state(fault.by)) == ("paused", "ready")
    faults.undo(number)
    assert scene.source_state("alice") != "paused"
    assert scene.source_state(fault.by) is None
    assert "is gone" in undo(RemoveSource(fault.admin_url, fault.chain, fault.by))


def test_a_detour_that_leads_nowhere_is_taken_back_whole(
    scene: ChaosScene, faults: FaultKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sprint.tools.chaos.injecting.DETOUR_READY_S_MAX", 0.2)
    url = free_url().replace("http", "p2p")
    fault = SourceDetour(scene.admin_url, CHAIN, "alice", "alice-nowhere", url)
    with pytest.raises(FaultError, match=r"source alice-nowhere is \w+ after 0.2 s"):
        faults.inject(fault, "latency", "alice", "led through a proxy")
    assert faults.on() == []
    assert scene.source_state("alice-nowhere") is None
    assert scene.source_state("alice") != "paused"


def test_a_fault_that_is_refused_leaves_nothing_and_says_why(scene: ChaosScene, faults: FaultKeeper) -> None:
    bad = Toxic(scene.control_url, NAME, {"kind": "latency", "latency_ms": -5})
    with pytest.raises(FaultError, match="latency_ms"):
        faults.inject(bad, "latency", "node", "-5 ms")
    with pytest.raises(FaultError, match="nobody listens there"):
        faults.inject(Toxic(free_url(), NAME, {"kind": "stall"}), "stall", "node", "still")
    assert faults.on() == []
    before = faults.journal.path.read_bytes()
    with pytest.raises(ConfigError, match="neither on loopback nor among the allowed"):
        faults.inject(Toxic("http://192.0.2.1:1", NAME, {"kind": "stall"}), "stall", "node", "still")
    with pytest.raises(ConfigError, match="no fault stays"):
        faults.inject(bad, "latency", "node", "", ttl_s=0.0)
    assert faults.journal.path.read_bytes() == before


@pytest.mark.parametrize(
    "one",
    [
        RemoveToxic("URL", "node", "x"),
        ReleaseBreaker("URL", "store"),
        ResumeSource("URL", CHAIN, "alice"),
        RemoveSource("URL", CHAIN, "alice"),
    ],
    ids=repr,
)
def test_what_nobody_listens_for_any_more_counts_as_undone(one: Undo) -> None:
    field = "control_url" if isinstance(one, RemoveToxic) else "admin_url"
    told = undo(msgspec.structs.replace(one, **{field: free_url()}))
    assert "nobody listens there any more" in told


def test_one_that_does_not_answer_is_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undoing, "HTTP_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(UndoFailed, match="ReadTimeout"):
        undo(RemoveToxic(f"http://127.0.0.1:{mute.getsockname()[1]}", "node", "x"))


def test_processes_are_ended_and_continued_by_name_and_only_that_very_one(sleeper: ProcessName) -> None:
    another = ProcessName(sleeper.pid, sleeper.started_ticks + 1)
    assert undo(EndProcess(another)) == undo(ContinueProcess(another)) == f"process {sleeper.pid} is gone"
    assert lives(sleeper)
    assert not lives(another)
    assert undo(ContinueProcess(sleeper)) == ""
    assert undo(EndProcess(sleeper)) == ""
    assert state_of(sleeper) is None
    assert undo(EndProcess(sleeper)) == f"process {sleeper.pid} is gone"


@pytest.mark.parametrize("pid", [-1, 0, 1])
def test_the_first_process_and_groups_have_no_name(pid: int) -> None:
    with pytest.raises(ConfigError, match="never touched"):
        name_of(pid)


def test_the_tool_itself_and_its_parent_are_never_stopped(faults: FaultKeeper) -> None:
    for pid in (os.getpid(), os.getppid()):
        with pytest.raises(ConfigError, match="not touched"):
            faults.inject(Freeze(name_of(pid)), "freeze", "us", "stopped")


def test_only_a_plain_file_of_ours_is_removed(tmp_path: Path) -> None:
    ours, theirs, folder = tmp_path / "sprint-chaos-1", tmp_path / "ledger", tmp_path / "sprint-chaos-2"
    ours.write_bytes(b"x")
    theirs.write_bytes(b"x")
    folder.mkdir()
    (tmp_path / "sprint-chaos-3").symlink_to(theirs)
    assert undo(RemoveFile(str(ours))) == ""
    assert undo(RemoveFile(str(ours))) == f"file {ours} is gone"
    for path in (theirs, folder, tmp_path / "sprint-chaos-3"):
        with pytest.raises(UndoFailed, match="left"):
            undo(RemoveFile(str(path)))
        assert path.exists()


def test_only_a_table_of_ours_is_removed() -> None:
    with pytest.raises(UndoFailed, match="not ours"):
        undo(RemoveTable("filter"))


def test_what_does_not_come_back_is_told(tmp_path: Path) -> None:
    address = free_url().removeprefix("http://")
    with pytest.raises(UndoFailed, match="ended with 3 before it listened"):
        undo(StartProcess((sys.executable, "-c", "raise SystemExit(3)"), str(tmp_path), address))
    with pytest.raises(UndoFailed, match="FileNotFoundError"):
        undo(StartProcess(("/nowhere/program",), str(tmp_path), address))


def test_a_process_that_ended_unreaped_is_gone(sleeper: ProcessName) -> None:
    assert processes.end(sleeper)
    assert not lives(sleeper)
    with pytest.raises(ConfigError, match="no such process runs"):
        name_of(sleeper.pid)
