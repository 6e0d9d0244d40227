"""`sprint optimize` as a person or a script meets it: tables, JSON, exit codes, what is said of mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sprint.cli.main import app
from tests.cli.test_commands import run as run_apart

NO_RELAY = ("--admin-url", "http://127.0.0.1:9")
CLEARED = ("TIER", "SPRINT_ENV", "BITCOIN_SPRINT_ENV", "SPRINT_CONFIG", "SPRINT_OPTIMIZE__LEVEL")
NOBODYS_PID = "4194305"  # beyond the kernel's most


class Run:
    """Runs the command in this process, in an empty folder; starting Python anew each time takes a second."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        patch.chdir(folder)
        for name in CLEARED:
            patch.delenv(name, raising=False)
        self._environment = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "COLUMNS": "80"}

    def __call__(self, *arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, env={**self._environment, **environment})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(tmp_path, monkeypatch)


def test_alone_it_shows_the_status_at_80_columns(run: Run) -> None:
    done = run("optimize", SPRINT_ADMIN__PORT="9", COLUMNS="80")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "level standard (production), from default"
    assert {"setting", "now", "wanted", "state"} == set(lines[2].split())
    assert max(map(len, lines)) <= 80
    assert any(line.split()[:1] == ["gc_freeze"] for line in lines)
    assert [line.split()[0] for line in lines[-5:] if "denied:" not in line][-1] == "turbo"


def test_a_wide_terminal_has_the_reasons_beside_the_values(run: Run) -> None:
    done = run("optimize", "status", SPRINT_ADMIN__PORT="9", COLUMNS="160")
    assert done.stdout.splitlines()[2].split() == ["setting", "now", "wanted", "state", "why"]


def test_status_as_json_has_the_host_each_level_and_the_papers_figures(run: Run) -> None:
    done = run("optimize", "status", "--level", "turbo", "--json", SPRINT_ADMIN__PORT="9")
    told = json.loads(done.stdout)
    assert (told["level"], told["level_origin"], told["relay"]) == ("turbo", "--level", None)
    assert set(told["levels"]) == {"basic", "standard", "aggressive", "enterprise", "turbo"}
    assert set(told["stats"]) == set(told["equals"])
    assert told["host"]["cpus_allowed"]
    assert {"setting", "now", "wanted", "state", "why", "remedy"} <= set(told["settings"][0])


def test_status_changes_nothing_and_loads_no_compiler(tmp_path: Path) -> None:
    program = """
import os, sys
from sprint.cli.optimize_showing import show_status
before = os.sched_getaffinity(0)
show_status('turbo', None, None, None, json_output=True)
assert os.sched_getaffinity(0) == before
print([name for name in ('numba', 'textual') if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "SPRINT_ADMIN__PORT": "9"},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_program_that_there_is_none_of_ends_as_in_a_shell(tmp_path: Path) -> None:
    done = run_apart("optimize", "apply", "--", "no-such-program-at-all", cwd=tmp_path)
    assert done.returncode == 127
    assert "no-such-program-at-all: No such file" in done.stderr


ORIGINS = [
    ({}, ("--level", "turbo", "--set", "gc_percent=7"), "from --level", "gc_percent = 7, from --set"),
    ({"SPRINT_ENV": "hft"}, (), "level turbo (ultra-low latency), from SPRINT_ENV=hft", ""),
    ({"GC_PERCENT": "0"}, (), "from default", "gc_percent = 0, from GC_PERCENT=0"),
    ({"TIER": "business"}, (), "level aggressive (high throughput), from tier business", ""),
    ({"SPRINT_OPTIMIZE__LEVEL": "basic"}, (), "from environment: SPRINT_OPTIMIZE__LEVEL", ""),
]


@pytest.mark.parametrize(("environment", "options", "level", "field"), ORIGINS, ids=lambda v: str(v)[:40])
def test_each_origin_is_named(
    run: Run, environment: dict[str, str], options: tuple[str, ...], level: str, field: str
) -> None:
    done = run("optimize", "status", *options, SPRINT_ADMIN__PORT="9", **environment)
    assert level in done.stdout
    assert field in done.stdout


WRONG = [
    (("status", "--level", "tubro"), 2, "--level: level 'tubro': did you mean turbo?"),
    (("status", "--set", "gc_percnt=5"), 2, "unknown key gc_percnt; did you mean gc_percent?"),
    (("status", "--set", "gc_percent=lots"), 2, "--set: gc_percent = 'lots'"),
    (("status", "--set", "gc_percent=lots"), 2, "want a whole number from 0 to 1000"),
    (("status", "--set", "realtime=yes"), 2, "--set: realtime = 'yes': want off, asked, required"),
    (("status", "--set", "memory_lock=maybe"), 2, "memory_lock = 'maybe': want off, wanted, required"),
    (("status", "--set", "cpus_pinned=true"), 2, "cpus_pinned = 'true': want off, wanted, required"),
    (("status", "--set", "realtime_policy=deadline"), 2, "want fifo, rr"),
    (("status", "--set", "gc_freeze=maybe"), 2, "want true or false"),
    (("apply", "--set", "gc_percent"), 2, "want KEY=VALUE"),
    (("apply", "--pid", NOBODYS_PID), 3, f"process {NOBODYS_PID}: there is none"),
    (("apply", "--pid", "1", "--", "true"), 2, "--pid and COMMAND name different targets"),
    (("apply", *NO_RELAY), 3, "no relay answers at http://127.0.0.1:9"),
    (("apply", *NO_RELAY), 3, "say --pid N, or a command after --"),
    (("apply", "--dry-run", *NO_RELAY), 3, "without a target: sprint optimize status --level standard"),
    (("check", *NO_RELAY), 3, "no relay answers"),
    (("check", "--admin-url", "http://[::1"), 2, "is no URL of an admin listener"),
    (("apply", "--dry-run", "--pid", NOBODYS_PID), 3, f"process {NOBODYS_PID}: there is none"),
    (("watch", *NO_RELAY), 3, "no relay answers"),
    (("watch", "--interval", "0s", *NO_RELAY), 2, "--interval"),
    (("restore", *NO_RELAY), 3, "no relay answers"),
    (("apply", "--rt-priority", "51"), 2, "less than or equal to 50"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG, ids=lambda v: str(v)[:50])
def test_a_mistake_is_told_with_what_would_be_right(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run("optimize", *arguments)
    assert done.exit_code == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_relay_refuses_a_level_that_is_none_before_it_starts(run: Run) -> None:
    done = run("relay", "--optimize", "tubro")
    assert done.exit_code == 2
    assert "--optimize: level 'tubro': did you mean turbo?" in done.stderr


CONFIGS = [
    ("[optimize]\nlevel = 'tubro'\n", "optimize.level = 'tubro'"),
    ("[optimize]\nlevle = 'turbo'\n", "unknown key optimize.levle; did you mean optimize.level?"),
    ("[optimize]\ngc_percent = 5000\n", "sprint.toml: [optimize]: gc_percent = 5000: may be 0 to 1000"),
    ("[optimize]\nmemory_lock = true\n", "optimize.memory_lock = True"),
    ("[optimize]\nmemory_lock = 'maybe'\n", "want off, required, wanted"),
    ("[tiers.free]\noptimize_level = 'fast'\n", "tiers.free.optimize_level: level 'fast'"),
]


@pytest.mark.parametrize(("text", "said"), CONFIGS)
def test_a_config_error_has_its_place(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "sprint.toml").write_text(text)
    done = run("optimize", "status")
    assert done.exit_code == 2, done.stdout
    assert said in done.stderr


def test_a_dry_run_for_a_command_starts_nothing(run: Run, tmp_path: Path) -> None:
    made = tmp_path / "made"
    done = run("optimize", "apply", "--level", "turbo", "--dry-run", "--", "touch", str(made))
    assert done.exit_code == 0, done.stderr
    assert "scheduler" in done.stdout
    assert not made.exists()


def test_a_command_whose_report_can_not_be_told_was_left_running(tmp_path: Path) -> None:
    """Real-time, unattended, and nothing restored: now it never begins."""
    made, state = tmp_path / "made", tmp_path / "state"
    options = ("--level", "aggressive", "--json", "--set", "memory_lock=off", "--set", "system=false")
    command = [sys.executable, "-m", "sprint.cli.main", "optimize", "apply", *options]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh", *command, "--", "touch", str(made)],
        cwd=tmp_path, timeout=60, check=False, capture_output=True,
        env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(state)},
    )  # fmt: skip
    assert done.returncode == 3
    assert not made.exists()
    assert list(state.rglob("*.jsonl")) == []


def test_sigterm_right_after_the_start_left_the_command_running(tmp_path: Path) -> None:
    options = ("--level", "aggressive", "--set", "memory_lock=off", "--set", "system=false", "--json")
    command = [sys.executable, "-m", "sprint.cli.main", "optimize", "apply", *options, "--"]
    with subprocess.Popen(
        [*command, "sleep", "300"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(60) in (128 + signal.SIGTERM, -signal.SIGTERM)
    assert not Path(f"/proc/{told['pid']}").exists()
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_what_is_asked_for_is_saved_and_holds_from_then_on(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("# mine\n[log]\nlevel = 'info'\n")
    options = ("--level", "aggressive", "--set", "gc_percent=40", "--config", str(file))
    done = run_apart("optimize", "apply", *options, "--save", "--", "true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert file.read_text().startswith("# mine\n[log]\nlevel = 'info'\n")
    shown = run("optimize", "status", "--config", str(file), SPRINT_ADMIN__PORT="9")
    assert f"from {file}: [optimize]" in shown.stdout
    assert f"gc_percent = 40, from {file}: [optimize]" in shown.stdout


def test_a_file_that_was_named_to_save_in_had_to_be_there(run: Run, tmp_path: Path) -> None:
    """Without one the message was to name one, and then that it isn't there."""
    file = tmp_path / "new.toml"
    options = ("--level", "basic", "--set", "nice=3", "--config", str(file), "--save")
    done = run_apart("optimize", "apply", *options, "--", "true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = run("optimize", "status", "--config", str(file), SPRINT_ADMIN__PORT="9")
    assert f"nice = 3, from {file}: [optimize]" in shown.stdout
    unsaved = run("optimize", "apply", "--config", str(tmp_path / "other.toml"), "--", "true")
    assert (unsaved.exit_code, "No such file" in unsaved.stderr) == (2, True)


NOT_SAVED = [
    ((), "there is no config file"),
    (("--config", "mine.yaml"), "only TOML is written"),
]


@pytest.mark.parametrize(("options", "said"), NOT_SAVED)
def test_what_could_not_be_saved_was_told_after_the_command_had_run(
    run: Run, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """And after the relay had its new level."""
    (tmp_path / "mine.yaml").write_text("")
    done = run("optimize", "apply", "--level", "basic", "--save", *options, "--", "touch", "made")
    assert (done.exit_code, (tmp_path / "made").exists()) == (2, False)
    assert said in " ".join(done.stderr.split())


def test_interrupts_are_a_plan_and_moved_by_nobody(run: Run) -> None:
    done = run(*("optimize", "apply", "--level", "turbo", "--irq", "--dry-run", "--", "true"))
    assert done.exit_code == 0
    assert "interrupts" in done.stderr


def test_recommend_gives_reasons_for_its_level_and_against_the_higher_ones(run: Run) -> None:
    done = run("optimize", "recommend", "--json")
    advice = json.loads(done.stdout)
    levels = ["basic", "standard", "aggressive", "enterprise", "turbo"]
    assert list(advice["against"]) == levels[levels.index(advice["level"]) + 1 :]
    assert all(advice["against"].values())
    assert "sprint optimize bench" in " ".join(advice["reasons"])
