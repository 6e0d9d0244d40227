"""As uid 65534: nothing crashes, what is permitted is applied, each refusal is named with its remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.core.optimize.levels import LEVELS, LevelName
from sprint.core.optimize.setting import Outcome
from tests.tools.optimize.seen_from_outside import (
    NOBODY,
    ROOT,
    OptimizedChild,
    as_nobody,
    host_alone,
    process_settings,
)

# One that another user may run: that of the tests may lie in root's home.
PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def runs_as_nobody() -> bool:
    if os.geteuid() != 0 or not Path(PYTHON).exists():
        return False
    command = [*as_nobody(), PYTHON, "-c", "import msgspec, sprint"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not runs_as_nobody(), reason=f"needs root, {PYTHON}, and this folder readable by other users"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of its own for journals: those of pytest are closed to others."""
    made = Path(tempfile.mkdtemp())
    os.chown(made, NOBODY, NOBODY)
    yield made
    shutil.rmtree(made)


def is_a_try(outcome: Outcome) -> bool:
    """Whether it was no sysctl that the host has as it is wanted: that one nobody is refused."""
    return not outcome.setting.key.startswith("sysctl:") or outcome.says != "it was so already"


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_applied_as_far_as_it_is_permitted_and_put_back(level: LevelName, folder: Path) -> None:
    with host_alone(), OptimizedChild(folder, *as_nobody(), python=PYTHON) as child:
        before = process_settings(child.pid)
        outcomes = child.tell(f"plan {level}")
        for outcome in outcomes:
            if outcome.state == "denied":
                assert outcome.says
                assert outcome.refusal is None or (outcome.refusal.name and outcome.refusal.remedy)
        states = {outcome.setting.key: outcome.state for outcome in outcomes if is_a_try(outcome)}
        if level in {"enterprise", "turbo"}:
            assert {key for key, state in states.items() if state == "denied"} >= {
                "nice", "scheduler", "memory_lock", "cpu_dma_latency",
                *(key for key in states if key.startswith("sysctl:")),
            }  # fmt: skip
            assert states["timer_slack"] == states["io_priority"] == states["realtime_guard"] == "applied"
        assert {outcome.state for outcome in child.tell("restore")} <= {"applied"}
        assert process_settings(child.pid) == before


def test_refusals_name_errno_and_the_lines_that_would_permit_them(folder: Path) -> None:
    with host_alone(), OptimizedChild(folder, *as_nobody(), python=PYTHON) as child:
        outcomes = child.tell("plan turbo")
    refusals = {each.setting.key: each.refusal for each in outcomes if each.refusal}
    sysctls = {each.setting.key for each in outcomes if "sysctl" in each.setting.key and is_a_try(each)}
    assert {key: refusal.name for key, refusal in refusals.items()} == {
        "nice": "EACCES", "cpu_dma_latency": "EACCES", "memory_lock": "ENOMEM", "scheduler": "EPERM",
        **dict.fromkeys(sysctls, "EACCES"),
    }  # fmt: skip
    for line in ("ulimit -r 10", "LimitRTPRIO=10", "--cap-add SYS_NICE"):
        assert line in refusals["scheduler"].remedy
    for line in ("ulimit -l ", "LimitMEMLOCK=", "--cap-add IPC_LOCK"):
        assert line in refusals["memory_lock"].remedy


def test_with_the_capabilities_that_the_remedies_name_it_is_permitted(folder: Path) -> None:
    """As systemd's AmbientCapabilities= gives them, and docker's --cap-add to a root of its own."""
    nobody = as_nobody("sys_nice", "ipc_lock")
    with host_alone(), OptimizedChild(folder, *nobody, python=PYTHON) as child:
        before = process_settings(child.pid)
        states = {each.setting.key: each.state for each in child.tell("plan turbo")}
        assert states["memory_lock"] == states["scheduler"] == states["nice"] == "applied"
        assert "SCHED_FIFO" in process_settings(child.pid)["scheduler"]
        assert {each.state for each in child.tell("restore")} <= {"applied"}
        assert process_settings(child.pid) == before


def test_somebody_elses_process_is_refused_without_a_crash(folder: Path) -> None:
    program = (
        "import time; from pathlib import Path; from sprint.core.optimize.levels import LEVELS;"
        "from sprint.core.optimize.plan import plan; from sprint.tools.optimize.applying import *;"
        "from sprint.tools.optimize.facts import read_facts;"
        f"settings = plan(LEVELS['turbo'].fields, read_facts({os.getpid()}), 'process');"
        f"applied = apply(settings, target=Target.of_process({os.getpid()}),"
        f" journal_folder=Path({str(folder)!r}), clock=time.perf_counter);"
        "print(*sorted({each.state for each in applied.outcomes if each.says != 'it was so already'}))"
    )
    command = [*as_nobody(), PYTHON, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "denied unsupported\n"), done.stderr


def test_a_command_was_refused_the_timers_that_it_may_set_itself(folder: Path) -> None:
    """From outside they need a capability, be it the same user's process; over execve they stay."""
    program = (
        "import time; from pathlib import Path; from sprint.core.optimize.setting import Setting;"
        "from sprint.tools.optimize.starting import start;"
        "slack = Setting(key='timer_slack', value=1_234, scope='thread', why='a test wants it');"
        f"folder = Path({str(folder)!r});"
        "child = start(['cat', '/proc/self/timerslack_ns'], [slack], journal_folder=folder, clock=time.time);"
        "print(*(each.state for each in child.outcomes), flush=True); child.wait()"
    )
    command = [*as_nobody(), PYTHON, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "applied\n1234\n"), done.stderr
