"""What a journal may do and what not: torn, of another boot, somebody else's, with anything in it."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize.journal import BYTES_MAX, encode_entry, encode_header
from sprint.core.optimize.setting import Entry, Outcome, Process, Setting, Value
from sprint.tools.optimize import journal as journal_module
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.applying import Target, apply
from sprint.tools.optimize.journal import locked
from sprint.tools.optimize.restoring import restore_all
from sprint.tools.optimize.threads import boot_id, process_of

DEAD = Process(2**22, 1)


@pytest.fixture
def sleeper() -> Iterator[Process]:
    """A process of its own whose nice value tests change; to raise it again needs root."""
    started = subprocess.Popen(["sleep", "300"])
    process = process_of(started.pid)
    assert process is not None
    yield process
    started.kill()
    started.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def write(folder: Path, *lines: bytes, name: str = "1.jsonl", boot: str | None = None) -> Path:
    path = folder / name
    path.write_bytes(encode_header(DEAD, boot_id() if boot is None else boot) + b"".join(lines))
    path.chmod(0o600)
    return path


def line(key: str, process: Process | None, before: Value, wanted: Value = 1) -> bytes:
    return encode_entry(Entry(number=1, key=key, process=process, before=before, wanted=wanted))


def nice_of(process: Process) -> int:
    return os.getpriority(os.PRIO_PROCESS, process.pid)


def only(outcomes: tuple[Outcome, ...]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def test_a_folder_that_is_not_there_has_nothing_to_restore(tmp_path: Path) -> None:
    assert restore_all(tmp_path / "none") == ()


def test_what_a_dead_run_changed_is_put_back_and_its_journal_goes(folder: Path, sleeper: Process) -> None:
    before = nice_of(sleeper)
    path = write(folder, line("nice", sleeper, min(before + 3, 19)))
    assert only(restore_all(folder)).state == "applied"
    assert nice_of(sleeper) == min(before + 3, 19)
    assert not path.exists()


def test_a_target_that_has_died_has_nothing_to_be_put_back(folder: Path) -> None:
    path = write(folder, line("nice", DEAD, 5))
    outcome = only(restore_all(folder))
    assert (outcome.state, "has ended" in outcome.says) == ("unsupported", True)
    assert not path.exists()


def test_another_process_with_the_same_id_is_left_alone(folder: Path, sleeper: Process) -> None:
    before = nice_of(sleeper)
    write(folder, line("nice", Process(sleeper.pid, sleeper.started_ticks - 1), 17))
    assert only(restore_all(folder)).state == "unsupported"
    assert nice_of(sleeper) == before


def test_after_another_start_of_the_host_nothing_is_written(folder: Path, sleeper: Process) -> None:
    """Recorded: the id of another boot. Its process ids and start times say nothing about ours."""
    before = nice_of(sleeper)
    path = write(folder, line("nice", sleeper, 17), boot="b7f0a2e8-0000-4000-8000-000000000000")
    outcome = only(restore_all(folder))
    assert (outcome.state, "earlier boot" in outcome.says) == ("unsupported", True)
    assert nice_of(sleeper) == before
    assert not path.exists()


def test_a_torn_last_line_is_told_and_the_rest_is_put_back(folder: Path, sleeper: Process) -> None:
    wanted = min(nice_of(sleeper) + 3, 19)
    write(folder, line("nice", sleeper, wanted), line("timer_slack", sleeper, 50_000)[:30])
    told, nice = restore_all(folder)
    assert "torn by a crash" in told.says
    assert (nice.state, nice_of(sleeper)) == ("applied", wanted)


def test_a_journal_torn_in_its_first_line_is_taken_away(folder: Path) -> None:
    path = folder / "1.jsonl"
    path.write_bytes(b'{"line":"head')
    path.chmod(0o600)
    assert "torn by a crash" in only(restore_all(folder)).says
    assert not path.exists()


@pytest.mark.parametrize(("key", "value"), [
    ("sysctl:kernel.core_pattern", "|/bin/sh"),
    ("sysctl:kernel.sched_rt_runtime_us", "-1"),
    ("../../etc/passwd", "x"),
    ("sysctl:vm.swappiness", "60\nx"),
    ("sysctl:vm.swappiness", 60),
    ("sysctl:vm.swappiness", "²"),
])  # fmt: skip
def test_unknown_keys_and_values_of_the_host_are_never_written(folder: Path, key: str, value: Value) -> None:
    path = write(folder, line(key, None, value))
    swappiness = Path("/proc/sys/vm/swappiness").read_text()
    assert only(restore_all(folder)).state == "denied"
    assert path.exists()
    assert Path("/proc/sys/vm/swappiness").read_text() == swappiness


@pytest.mark.parametrize(("key", "value"), [
    ("nice", "5"),
    ("nice", 20),
    ("cpu_affinity", ()),
    ("cpu_affinity", (0, "1")),
    ("scheduler", ("fifo", 0)),
    ("scheduler", ("fifo", 100)),
    ("scheduler", ("deadline", 0)),
    ("scheduler", ("other", 1)),
    ("io_priority", ("best-effort", 8)),
    ("io_priority", ("swift", 0)),
    ("timer_slack", -1),
    ("realtime_guard", (-2, 0)),
    ("realtime_guard", (1,)),
    ("memory_lock", ("all", 0)),
    ("malloc_arenas", "x"),
])  # fmt: skip
def test_values_that_an_actuator_does_not_take_are_never_written(
    folder: Path, sleeper: Process, key: str, value: Value
) -> None:
    path = write(folder, line(key, sleeper, value))
    outcome = only(restore_all(folder))
    assert (outcome.state, "no value it can be put back to" in outcome.says) == ("denied", True)
    assert path.exists()


def test_a_process_is_not_taken_for_the_host_nor_the_host_for_a_process(
    folder: Path, sleeper: Process
) -> None:
    write(folder, line("nice", None, 5), line("sysctl:vm.swappiness", sleeper, "60"))
    assert [outcome.state for outcome in restore_all(folder)] == ["denied", "denied"]


def test_what_only_the_process_itself_can_put_back_is_left_to_it(folder: Path, sleeper: Process) -> None:
    path = write(folder, line("huge_pages", sleeper, 1))
    outcome = only(restore_all(folder))
    assert (outcome.state, "itself" in outcome.says) == ("denied", True)
    assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_another_users_journal_is_not_read(folder: Path, sleeper: Process) -> None:
    before = nice_of(sleeper)
    path = write(folder, line("nice", sleeper, 17))
    os.chown(path, 65_534, 65_534)
    outcome = only(restore_all(folder))
    assert (outcome.state, "belongs to user 65534" in outcome.says) == ("denied", True)
    assert nice_of(sleeper) == before


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_journal_that_others_may_write_is_not_read(folder: Path, sleeper: Process, mode: int) -> None:
    path = write(folder, line("nice", sleeper, 17))
    path.chmod(mode)
    assert f"mode {mode:o}" in only(restore_all(folder)).says


def test_a_folder_that_others_may_write_is_not_used(folder: Path) -> None:
    write(folder)
    folder.chmod(0o777)
    assert "mode 777" in only(restore_all(folder)).says


def test_a_link_a_pipe_and_a_folder_are_no_journals(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "1.jsonl").symlink_to(write(elsewhere))
    os.mkfifo(folder / "2.jsonl", 0o600)
    (folder / "3.jsonl").mkdir()
    assert [outcome.state for outcome in restore_all(folder)] == ["denied"] * 3


def test_a_huge_journal_is_not_read(folder: Path) -> None:
    path = write(folder)
    os.truncate(path, BYTES_MAX + 1)
    assert f"{BYTES_MAX + 1} bytes; a journal has at most {BYTES_MAX}" in only(restore_all(folder)).says


def test_a_damaged_line_keeps_the_journal_and_not_the_rest_from_being_put_back(
    folder: Path, sleeper: Process
) -> None:
    wanted = min(nice_of(sleeper) + 3, 19)
    path = write(folder, b"{}\n", line("nice", sleeper, wanted))
    told, nice = restore_all(folder)
    assert (told.state, "line 2" in told.says, nice.state) == ("denied", True, "applied")
    assert path.exists()


def test_a_host_setting_that_somebody_else_has_set_since_stays(folder: Path) -> None:
    now = Path("/proc/sys/net/core/busy_read").read_text().strip()
    write(folder, line("sysctl:net.core.busy_read", None, "991", "992"))
    outcome = only(restore_all(folder))
    assert (outcome.state, outcome.found) == ("drifted", now)


def test_a_run_that_lives_is_left_alone_where_only_dead_ones_are_wanted(
    folder: Path, sleeper: Process
) -> None:
    path = folder / "1.jsonl"
    path.write_bytes(encode_header(sleeper, boot_id()) + line("nice", sleeper, 17))
    path.chmod(0o600)
    assert restore_all(folder, dead_only=True) == ()
    assert path.exists()


def test_without_a_journal_nothing_that_outlasts_the_run_is_changed(folder: Path, sleeper: Process) -> None:
    """A file stands where the folder should be: the disk refuses the journal."""
    blocked = folder / "file"
    blocked.write_text("")
    before = nice_of(sleeper)
    wanted = Setting(key="nice", value=19 if before != 19 else 18, scope="process", why="a test wants it")
    applied = apply(
        [wanted], target=Target.of_process(sleeper.pid), journal_folder=blocked / "in", clock=lambda: 0.0
    )
    assert applied.outcomes[0].state == "denied"
    assert "XDG_STATE_HOME" in applied.outcomes[0].says
    assert nice_of(sleeper) == before


def apply_nice(folder: Path, process: Process) -> Outcome:
    wanted = Setting(key="nice", value=19 if nice_of(process) != 19 else 18, scope="process", why="a test")
    target = Target.of_process(process.pid)
    return only(apply([wanted], target=target, journal_folder=folder, clock=lambda: 0.0).outcomes)


def test_a_disk_that_is_full_keeps_all_as_it_is(folder: Path, sleeper: Process) -> None:
    """No file may grow: what a full disk does to a journal."""
    before, limits = nice_of(sleeper), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        outcome = apply_nice(folder, sleeper)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (outcome.state, "File too large" in outcome.says) == ("denied", True)
    assert nice_of(sleeper) == before
    assert list(folder.glob("*.jsonl")) == []


def test_an_undo_that_no_restore_would_read_is_not_begun(
    folder: Path, sleeper: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LINES_MAX", 1)
    before = nice_of(sleeper)
    outcome = apply_nice(folder, sleeper)
    assert (outcome.state, "a process with fewer threads" in outcome.says) == ("denied", True)
    assert nice_of(sleeper) == before


def test_who_holds_the_folder_for_ever_does_not_hold_us(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LOCK_WAIT_S_MAX", 0.04)
    with locked(folder):
        outcome = only(restore_all(folder))
    assert (outcome.state, "held its lock" in outcome.says) == ("denied", True)


VALUES = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.lists(st.one_of(st.text(max_size=4), st.integers()), max_size=4).map(tuple),
)


@given(key=st.sampled_from(sorted(SYSTEM_ACTUATORS)), value=VALUES)
def test_any_value_is_either_taken_or_not(key: str, value: Value) -> None:
    assert SYSTEM_ACTUATORS[key].valid(value) in {True, False}
