"""`sprint relay --optimize` and `sprint optimize` on it, as root and as somebody who may nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sprint.core.model import BlockData
from sprint.tools.client import Client
from tests.integration.relay_process import COMMAND, RelayProcess
from tests.integration.unprivileged import AS_NOBODY
from tests.tools.optimize.seen_from_outside import ROOT, host_alone, host_settings, process_settings, said

TIMEOUT_S = 60
SWAPPINESS = "vm.swappiness"
OTHER_SWAPPINESS = "37"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="asks for privileges: root")
WITHOUT_THEM = pytest.mark.skipif(
    not AS_NOBODY and os.access("/dev/cpu_dma_latency", os.W_OK), reason="this user may what would be refused"
)
SPRINT = (sys.executable, "-m", "sprint.cli.main")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that everybody may write to, for journals and logs."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    return tmp_path


@pytest.fixture
def swappiness() -> Iterator[str]:
    """The host's own figure, which the relays of these tests set to another; no other test does meanwhile."""
    with host_alone():
        yield swappiness_now()


def swappiness_now() -> str:
    return host_settings()[f"sysctl:{SWAPPINESS}"]


def environment(folder: Path) -> dict[str, str]:
    state = folder / "state"
    state.mkdir(exist_ok=True)
    state.chmod(0o777)
    return {
        "XDG_STATE_HOME": str(state),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "80",
    }


def with_other_swappiness(folder: Path) -> dict[str, str]:
    return {**environment(folder), "SPRINT_OPTIMIZE__SWAPPINESS": OTHER_SWAPPINESS}


def optimize(folder: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *SPRINT, "optimize", *arguments],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=folder,
        env={"PATH": os.environ["PATH"], **environment(folder)},
    )  # fmt: skip


def rows_of(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["setting"]: row for row in told["settings"]}


def told_by(relay: RelayProcess) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{relay.serving.admin}/api/optimize", trust_env=False).json()
    return found


def a_block_of(relay: RelayProcess) -> int:
    """Wait for a block; return its height."""
    with Client(relay.url) as client, client.events(["bitcoin"], ["block"], "earliest") as events:
        data = next(iter(events)).data
        assert isinstance(data, BlockData)
        return data.height


@AS_ROOT
def test_a_turbo_relay_is_real_time_as_others_see_it_and_leaves_the_host_as_it_was(
    folder: Path, swappiness: str
) -> None:
    with RelayProcess(
        folder, "--demo", "--optimize", "turbo", environment=with_other_swappiness(folder)
    ) as relay:
        assert "SCHED_FIFO|SCHED_RESET_ON_FORK" in said("chrt", "-p", str(relay.pid))
        settings = process_settings(relay.pid)
        assert settings["memory_lock"] == "some"
        assert int(settings["timer_slack"]) <= 1, "some kernels tell 0 of a real-time thread"
        assert settings["realtime_guard"].split()[0] == "200000"
        assert host_settings()["cpu_dma_latency"] == "0"
        assert swappiness_now() == OTHER_SWAPPINESS
        rows = rows_of(told_by(relay))
        assert {row["state"] for row in rows.values()} <= {"applied", "unsupported"}, rows
        assert rows["gc_threshold"]["now"].startswith("0 ")
        checked = optimize(folder, "check", "--admin-url", str(relay.serving.admin))
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert a_block_of(relay) > 0
        assert relay.terminate() == 0
    assert swappiness_now() == swappiness


@AS_ROOT
def test_a_turbo_relay_that_was_killed_is_undone_by_restore(folder: Path, swappiness: str) -> None:
    with RelayProcess(
        folder, "--demo", "--optimize", "turbo", environment=with_other_swappiness(folder)
    ) as relay:
        assert swappiness_now() == OTHER_SWAPPINESS
        relay.kill()
    done = optimize(folder, "restore", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"sysctl:{SWAPPINESS}" in {row["setting"] for row in json.loads(done.stdout)["settings"]}
    assert swappiness_now() == swappiness
    again = optimize(folder, "restore")
    assert again.stdout == "nothing is to be restored\n"


@AS_ROOT
def test_the_next_relay_undoes_what_one_that_was_killed_has_left(folder: Path, swappiness: str) -> None:
    with RelayProcess(
        folder, "--demo", "--optimize", "turbo", environment=with_other_swappiness(folder)
    ) as relay:
        relay.kill()
    with RelayProcess(folder, "--demo", "--optimize", "basic", environment=environment(folder)) as relay:
        assert "restored after a crash" in relay.stderr()
        assert swappiness_now() == swappiness


@AS_ROOT
def test_a_running_relay_takes_another_level_and_takes_it_back(folder: Path, swappiness: str) -> None:
    with RelayProcess(folder, "--demo", "--optimize", "basic", environment=environment(folder)) as relay:
        where = ("--admin-url", str(relay.serving.admin))
        before = said("chrt", "-p", str(relay.pid))
        planned = optimize(folder, "apply", "--level", "enterprise", "--dry-run", "--json", *where)
        assert json.loads(planned.stdout)["level"] == "enterprise"
        assert said("chrt", "-p", str(relay.pid)) == before
        done = optimize(folder, "apply", "--level", "enterprise", "--set", "nice=-3", *where)
        assert done.returncode == 0, done.stderr
        assert "from --set" in done.stderr
        told = told_by(relay)
        assert (told["level"], told["level_origin"], told["changes"]) == (
            "enterprise",
            "--level",
            {"nice": -3},
        )
        assert "SCHED_FIFO" in said("chrt", "-p", str(relay.pid))
        assert optimize(folder, "restore", *where).returncode == 0
        assert "SCHED_OTHER" in said("chrt", "-p", str(relay.pid))
        assert swappiness_now() == swappiness
        assert optimize(folder, "check", *where).returncode == 1, "a level that was taken back is not applied"


@WITHOUT_THEM
def test_without_privileges_the_relay_runs_on_and_each_refusal_names_its_remedy(folder: Path) -> None:
    command = (*AS_NOBODY, *COMMAND)
    with RelayProcess(
        folder, "--demo", "--optimize", "turbo", environment=environment(folder), command=command
    ) as relay:
        assert a_block_of(relay) > 0
        rows = rows_of(told_by(relay))
        denied = {name: row for name, row in rows.items() if row["state"] == "denied"}
        assert {"memory_lock", "scheduler"} <= set(denied)
        assert "CAP_IPC_LOCK" in denied["memory_lock"]["remedy"]
        assert "LimitMEMLOCK=" in denied["memory_lock"]["remedy"]
        assert denied["memory_lock"]["errno"] != 0
        assert rows["gc_freeze"]["state"] == "applied", "what needs no privilege is there"
        where = ("--admin-url", str(relay.serving.admin))
        checked = optimize(folder, "check", *where, prefix=AS_NOBODY)
        assert checked.returncode == 1
        assert "turbo is not applied: it requires" in checked.stdout
        strict = optimize(folder, "apply", "--level", "turbo", "--strict", *where, prefix=AS_NOBODY)
        assert strict.returncode == 1
        assert "--strict: refused: " in strict.stderr
        assert optimize(folder, "restore", *where, prefix=AS_NOBODY).returncode == 0
        taken_back = optimize(folder, "apply", "--level", "turbo", "--strict", *where, prefix=AS_NOBODY)
        assert taken_back.returncode == 1
        assert told_by(relay)["settings"] == [], "--strict had it tuned again, as it was before the restore"
        lower = optimize(folder, "apply", "--level", "turbo", "--fallback", *where, prefix=AS_NOBODY)
        assert lower.returncode == 0, lower.stderr
        assert told_by(relay)["level"] == "aggressive"
        assert optimize(folder, "check", *where, prefix=AS_NOBODY).returncode == 0
        assert relay.terminate() == 0


@WITHOUT_THEM
def test_without_privileges_a_relay_with_fallback_starts_at_a_level_that_it_can_have(folder: Path) -> None:
    falling_back = {**environment(folder), "SPRINT_OPTIMIZE__FALLBACK": "true"}
    command = (*AS_NOBODY, *COMMAND)
    with RelayProcess(
        folder, "--demo", "--optimize", "turbo", environment=falling_back, command=command
    ) as relay:
        told = told_by(relay)
        assert told["level"] == "aggressive"
        assert told["level_origin"].startswith("--fallback: enterprise requires ")
        assert "a lower level" in relay.stderr()


@WITHOUT_THEM
def test_a_command_is_started_under_what_is_granted_and_not_at_all_under_strict(folder: Path) -> None:
    asked = ("apply", "--level", "turbo")
    program = (sys.executable, "-c", "import os, sys; sys.exit(7)")
    done = optimize(folder, *asked, "--", *program, prefix=AS_NOBODY)
    assert done.returncode == 7, done.stderr
    assert "scheduler (required)" in done.stderr
    strict = optimize(folder, *asked, "--strict", "--", *program, prefix=AS_NOBODY)
    assert strict.returncode == 1
    assert "the command is not started" in strict.stderr


@AS_ROOT
def test_a_command_runs_under_the_level_and_its_exit_code_is_given_on(folder: Path, swappiness: str) -> None:
    program = ("sh", "-c", "chrt -p $$; exit 5")
    done = optimize(folder, "apply", "--level", "turbo", "--", *program)
    assert done.returncode == 5, done.stderr
    assert "SCHED_FIFO" in done.stdout
    assert swappiness_now() == swappiness


@AS_ROOT
def test_a_process_is_set_from_outside_and_put_back_by_restore(folder: Path, swappiness: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            before = process_settings(sleeper.pid)
            done = optimize(folder, "apply", "--level", "aggressive", "--pid", str(sleeper.pid), "--json")
            assert done.returncode == 0, done.stderr
            rows = rows_of(json.loads(done.stdout))
            assert rows["nice"]["state"] == "applied"
            assert rows["gc_freeze"]["says"].startswith("only the process itself")
            assert process_settings(sleeper.pid) != before
            assert optimize(folder, "restore").returncode == 0
            assert process_settings(sleeper.pid) == before
        finally:
            sleeper.kill()
    assert swappiness_now() == swappiness
