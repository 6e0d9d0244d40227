"""As root: each setting of each level is what other programs read, and then what it was, to the byte."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.core.errors import UpstreamError
from sprint.core.optimize.levels import LEVELS, LevelName
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Outcome, Setting
from sprint.tools.optimize import applying
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.applying import Applied, Target, apply
from sprint.tools.optimize.facts import read_facts
from sprint.tools.optimize.restoring import restore_all
from tests.tools.optimize.seen_from_outside import (
    OptimizedChild,
    host_alone,
    host_settings,
    process_settings,
    said,
    settings_of,
)
from tests.tools.optimize.test_killed import PAST_THE_LAST, run_applier

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: these are the settings root may change"
)
LAST_CPU = max(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with host_alone():
        yield


@pytest.fixture
def sleeper() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "300"])
    yield process.pid
    process.kill()
    process.wait()


def setting(key: str, value: str | int | tuple[str | int, ...]) -> Setting:
    scope = "host" if SYSTEM_ACTUATORS[key].host else "process"
    return Setting(key=key, value=value, scope=scope, why="a test wants it")  # type: ignore[arg-type]


def states(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    return {outcome.setting.key: outcome.state for outcome in outcomes}


def applied_to(pid: int, folder: Path, *settings: Setting) -> Applied:
    clock = iter(range(1_000)).__next__
    return apply(settings, target=Target.of_process(pid), journal_folder=folder, clock=clock)


# What other programs say where a setting has its value at the highest levels, on any host.
SEEN = {
    "scheduler": "SCHED_FIFO|SCHED_RESET_ON_FORK",
    "nice": "-10",
    "io_priority": "best-effort: prio 0",
    "realtime_guard": "200000",
    "timer_slack": "0",
    "memory_lock": "some",
    "huge_pages": "1",
    "cpu_dma_latency": "0",
    "sysctl:net.core.busy_poll": "50",
    "sysctl:net.core.busy_read": "50",
    "sysctl:vm.swappiness": "10",
}


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_read_back_by_others_and_restored_to_the_byte(level: LevelName, tmp_path: Path) -> None:
    with OptimizedChild(tmp_path) as child:
        before = settings_of(child.pid)
        outcomes = child.tell(f"plan {level}")
        inside = settings_of(child.pid)
        wanted = {each.key for each in plan(LEVELS[level].fields, read_facts()) if not each.unsupported}
        wanted &= set(SYSTEM_ACTUATORS)
        assert {key for key, state in states(outcomes).items() if state == "applied"} == wanted
        if level in {"enterprise", "turbo"}:
            assert {key: text for key, text in SEEN.items() if text not in inside[key]} == {}
        assert child.tell("drift") == outcomes
        assert set(states(child.tell("restore")).values()) <= {"applied"}
        assert settings_of(child.pid) == before
        assert list(tmp_path.glob("*.jsonl")) == []


def test_settings_that_this_host_is_too_small_for_work_all_the_same(tmp_path: Path) -> None:
    with OptimizedChild(tmp_path) as child:
        before = settings_of(child.pid)
        outcomes = child.apply([
            setting("cpu_affinity", (LAST_CPU,)),
            setting("numa_policy", ("bind", 0)),
            setting("huge_pages", 0),
        ])  # fmt: skip
        assert set(states(outcomes).values()) == {"applied"}
        inside = process_settings(child.pid)
        lists = {line.rpartition(": ")[2] for line in inside["cpu_affinity"].splitlines()}
        assert lists == {str(LAST_CPU)}
        assert "bind:0" in inside["numa_policy"]
        assert inside["huge_pages"] == "0"
        child.tell("restore")
        assert settings_of(child.pid) == before


def test_another_process_gets_what_can_be_set_from_outside(tmp_path: Path, sleeper: int) -> None:
    before = settings_of(sleeper)
    settings = plan(LEVELS["turbo"].fields, read_facts(sleeper), "process")
    applied = applied_to(sleeper, tmp_path, *settings)
    wanted = {each.key for each in settings if not each.unsupported}
    assert {key for key, state in states(applied.outcomes).items() if state == "applied"} == wanted
    assert {"scheduler", "nice", "io_priority", "timer_slack", "realtime_guard"} <= wanted
    inside = settings_of(sleeper)
    assert {key for key in wanted & set(SEEN) if SEEN[key] not in inside[key]} == set()
    applied.restore()
    assert settings_of(sleeper) == before


def test_what_another_process_must_do_itself_is_unsupported(tmp_path: Path, sleeper: int) -> None:
    applied = applied_to(sleeper, tmp_path, setting("huge_pages", 0), setting("memory_lock", ("all", 1)))
    assert set(states(applied.outcomes).values()) == {"unsupported"}
    assert "apply -- COMMAND" in applied.outcomes[0].says


def test_no_thread_is_real_time_without_its_guard(tmp_path: Path, sleeper: int) -> None:
    (outcome,) = applied_to(sleeper, tmp_path, setting("scheduler", ("fifo reset-on-fork", 10))).outcomes
    assert (outcome.state, outcome.says) == (
        "denied",
        "not without its guard: realtime_guard was not applied",
    )
    assert "SCHED_OTHER" in said("chrt", "-p", str(sleeper))


def test_what_somebody_else_sets_is_seen_as_drift(tmp_path: Path, sleeper: int) -> None:
    before = os.getpriority(os.PRIO_PROCESS, sleeper)
    applied = applied_to(sleeper, tmp_path, setting("nice", -10), setting("timer_slack", 1_000))
    assert states(applied.drift()) == {"nice": "applied", "timer_slack": "applied"}
    assert os.getpriority(os.PRIO_PROCESS, sleeper) == -10
    said("renice", "-n", "3", "-p", str(sleeper))
    nice, _ = applied.drift()
    assert (nice.state, nice.found) == ("drifted", 3)
    applied.restore()
    assert os.getpriority(os.PRIO_PROCESS, sleeper) == before


def test_what_the_kernel_makes_of_a_value_is_not_taken_for_it(tmp_path: Path, sleeper: int) -> None:
    """Of CPUs that aren't there the kernel takes those that are, and says nothing."""
    wanted = setting("cpu_affinity", (LAST_CPU, 8_000))
    before = process_settings(sleeper)
    (outcome,) = applied_to(sleeper, tmp_path, wanted).outcomes
    assert outcome.state == "denied"
    assert "read back as" in outcome.says
    assert process_settings(sleeper) == before


def test_a_refusal_does_not_keep_the_rest_from_being_applied(tmp_path: Path, sleeper: int) -> None:
    applied = applied_to(sleeper, tmp_path, setting("cpu_affinity", (8_000,)), setting("nice", 5))
    assert states(applied.outcomes) == {"cpu_affinity": "denied", "nice": "applied"}
    assert applied.outcomes[0].refusal is not None
    assert "cpuset" in applied.outcomes[0].refusal.remedy
    applied.restore()


def test_a_policy_that_could_not_be_put_back_is_not_touched(tmp_path: Path) -> None:
    deadline = ("--sched-runtime", "1000000", "--sched-deadline", "10000000", "--sched-period", "10000000")
    process = subprocess.Popen(["chrt", "-d", *deadline, "0", "sleep", "300"])
    try:
        while "SCHED_DEADLINE" not in said("chrt", "-p", str(process.pid)):
            pass
        guard = setting("realtime_guard", (200_000, -1))
        scheduler = setting("scheduler", ("fifo reset-on-fork", 10))
        outcome = applied_to(process.pid, tmp_path, guard, scheduler).outcomes[1]
        assert outcome.state == "unsupported"
        assert "could not be put back" in outcome.says
    finally:
        process.kill()
        process.wait()


def test_threads_made_meanwhile_are_put_back_as_the_main_one(tmp_path: Path) -> None:
    with OptimizedChild(tmp_path) as child:
        child.apply(
            [setting("cpu_affinity", (LAST_CPU,)), setting("nice", 19), setting("io_priority", ("idle", 0))]
        )
        child.tell("thread")
        assert {outcome.state for outcome in child.tell("drift")} == {"applied"}
        assert len(set(process_settings(child.pid)["nice"].split())) == 1
        child.tell("restore")
        for thread in Path(f"/proc/{child.pid}/task").iterdir():
            number = int(thread.name)
            assert os.sched_getaffinity(number) == os.sched_getaffinity(0)
            assert os.getpriority(os.PRIO_PROCESS, number) == os.getpriority(os.PRIO_PROCESS, 0)
            assert said("ionice", "-p", thread.name) == said("ionice", "-p", str(os.getpid()))


def test_two_runs_that_change_the_same_leave_the_host_as_it_was(tmp_path: Path, sleeper: int) -> None:
    """Whoever ended first once put back what the other one still counted on, and the other put that back."""
    before = host_settings()
    wanted = setting("sysctl:vm.swappiness", "7")
    with OptimizedChild(tmp_path) as first, OptimizedChild(tmp_path) as second:
        assert states(first.apply([wanted])) == {"sysctl:vm.swappiness": "applied"}
        assert states(second.apply([wanted])) == {"sysctl:vm.swappiness": "applied"}
        (held,) = first.tell("restore")
        assert "another run holds it" in held.says
        assert host_settings()["sysctl:vm.swappiness"] == "7"
        second.tell("restore")
    assert host_settings() == before


def test_what_another_process_was_given_is_not_taken_for_left_behind(tmp_path: Path, sleeper: int) -> None:
    """The next relay took away what an operator had given a process, as who had set it had ended."""
    before = host_settings()
    done = run_applier(tmp_path, sleeper, PAST_THE_LAST)
    assert done.returncode == 0, done.stderr
    assert restore_all(tmp_path, dead_only=True) == ()
    assert os.getpriority(os.PRIO_PROCESS, sleeper) == -10
    os.kill(sleeper, signal.SIGKILL)
    os.waitpid(sleeper, 0)
    assert {outcome.state for outcome in restore_all(tmp_path, dead_only=True)} == {"applied", "unsupported"}
    assert host_settings() == before


def test_what_a_killed_run_left_is_not_taken_for_how_the_host_was(tmp_path: Path) -> None:
    """The next run found it so already, ended, and left it."""
    before = host_settings()
    wanted = setting("sysctl:vm.swappiness", "7")
    with OptimizedChild(tmp_path) as killed:
        killed.apply([wanted])
    assert host_settings()["sysctl:vm.swappiness"] == "7"
    with OptimizedChild(tmp_path) as child:
        assert states(child.apply([wanted])) == {"sysctl:vm.swappiness": "applied"}
        assert restore_all(tmp_path, dead_only=True)[0].says.startswith("another run holds it")
        child.tell("restore")
    assert host_settings() == before


def test_what_an_operator_has_set_since_a_run_was_killed_is_what_the_next_one_puts_back(
    tmp_path: Path,
) -> None:
    before = host_settings()["sysctl:vm.swappiness"]
    with OptimizedChild(tmp_path) as killed:
        killed.apply([setting("sysctl:vm.swappiness", "7")])
    try:
        said("sh", "-c", "echo 33 > /proc/sys/vm/swappiness")
        with OptimizedChild(tmp_path) as child:
            child.apply([setting("sysctl:vm.swappiness", "8")])
            child.tell("restore")
        assert host_settings()["sysctl:vm.swappiness"] == "33"
        assert [outcome.state for outcome in restore_all(tmp_path)] == ["drifted"]
    finally:
        said("sh", "-c", f"echo {before} > /proc/sys/vm/swappiness")


def test_a_process_that_is_not_there_is_no_target() -> None:
    with pytest.raises(UpstreamError, match="there is none"):
        Target.of_process(2**22)


def test_a_thread_of_the_kernel_was_given_another_nice_as_any_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--pid 2` is kthreadd, from whom all further ones have theirs."""
    monkeypatch.setattr(applying, "is_of_kernel", lambda pid: pid == 2)
    with pytest.raises(UpstreamError, match="process 2 is a thread of the kernel's own"):
        Target.of_process(2)
