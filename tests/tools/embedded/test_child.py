"""A child says its first line, and is gone with who started it, whatever ended that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sprint.tools.embedded.child import Child, ChildFailed, environment
from sprint.tools.embedded.folder import OwnedFolder
from sprint.tools.embedded.guard import ENDED_BY_SIGNAL
from tests.integration.real_servers import wait_until

SAYS_AND_WAITS = "import sys; print('{\"at\": 1}', flush=True); sys.stdin.read()"
SAYS_AND_STAYS = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('{\"at\": 1}', flush=True); time.sleep(600)"
)
STARTS_A_CHILD = """
import sys, time
from pathlib import Path
from sprint.tools.embedded.child import Child
child = Child("a part", [sys.executable, "-c", {script!r}], folder=Path("."))
print(child.pid, flush=True)
time.sleep(600)
"""


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def parent_of(script: str, folder: Path) -> subprocess.Popen[str]:
    """Start a process that starts a child, and says that one's pid."""
    command = python(STARTS_A_CHILD.format(script=script))
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment())


def gone(pid: int) -> bool:
    """A process that ended is a zombie until its parent asks; one without a parent is init's."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state in "ZX"


def test_a_child_says_its_first_line_and_ends_when_told(tmp_path: Path) -> None:
    with Child("a part", python(SAYS_AND_WAITS), folder=tmp_path) as child:
        assert child.first_line == {"at": 1}
        os.kill(child.pid, 0)
    assert gone(child.pid)
    child.end()


def test_a_child_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="a part does not run: no such node"):
        Child("a part", python("import sys; sys.exit('no such node')"), folder=tmp_path)


def test_a_child_that_says_no_json_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="a part says what is no line of JSON"):
        Child("a part", python("print('hello', flush=True); input()"), folder=tmp_path)


def test_a_child_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match=r"a part says nothing for 0\.5 s"):
        Child("a part", python("input()"), folder=tmp_path, first_line_timeout_s=0.5)


def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    with parent_of(SAYS_AND_WAITS, tmp_path) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
    wait_until(lambda: gone(pid), "the child is gone")


def test_a_child_that_is_stopped_or_takes_no_sigterm_does_not_outlive_its_parent_either(
    tmp_path: Path,
) -> None:
    with parent_of(SAYS_AND_STAYS, tmp_path) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
    wait_until(lambda: gone(pid), "the child is gone", timeout_s=20.0)


def test_a_child_that_is_killed_by_somebody_is_seen_to_have_ended(tmp_path: Path) -> None:
    with Child("a part", python(SAYS_AND_WAITS), folder=tmp_path) as child:
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == ENDED_BY_SIGNAL + signal.SIGKILL
        assert not child.runs


def test_a_folder_is_removed_with_all_that_is_in_it() -> None:
    with OwnedFolder() as owned:
        (owned.path / "data").mkdir()
        (owned.path / "data" / "log").write_bytes(b"x")
    assert not owned.path.exists()


def test_a_folder_does_not_outlive_an_owner_that_was_killed() -> None:
    script = (
        "import time; from sprint.tools.embedded.folder import OwnedFolder\n"
        "owned = OwnedFolder(); (owned.path / 'log').write_bytes(b'x'); print(owned.path, flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen(python(script), stdout=subprocess.PIPE, text=True, env=environment()) as owner:
        assert owner.stdout is not None
        path = Path(owner.stdout.readline().strip())
        assert (path / "log").exists()
        owner.kill()
    wait_until(lambda: not path.exists(), "the folder is removed")
