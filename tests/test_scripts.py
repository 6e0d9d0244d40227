"""The scripts' own environment is of the Python that was named, or they say why it can't be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DRIVER = """set -eu
. "$(dirname -- "$0")/environment"
install() { say "made anew with $base"; }
make_environment dev
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree whose environment is of this Python and holds all that it should."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "driver").write_text(DRIVER)
    for name in ("uv.lock", "pyproject.toml", "scripts/environment"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    program(tmp_path / ".venv" / "bin" / "sprint", "exit 0")
    wanted = 'printf "%s dev\\n" "$(cat uv.lock pyproject.toml | cksum) $PWD" >.venv/sprint-stamp'
    subprocess.run(["sh", "-c", wanted], cwd=tmp_path, check=True)
    return tmp_path


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def started(tree: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", tree / "scripts" / "driver"],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_an_environment_that_is_whole_is_left_as_it_is(tree: Path) -> None:
    assert started(tree) == (0, "")
    assert started(tree, SPRINT_PYTHON=sys.executable) == (0, "")


def test_an_environment_of_another_python_is_made_anew_with_the_one_that_is_named(tree: Path) -> None:
    other = program(
        tree / "python", f'case $2 in *sys.version\\)*) echo 3.99;; *) exec {sys.executable} "$@";; esac'
    )
    assert started(tree, SPRINT_PYTHON=str(other)) == (0, f"sprint: made anew with {other}\n")


def test_a_named_python_that_cannot_be_used_is_an_error_and_no_other_takes_its_place(tree: Path) -> None:
    (tree / ".venv" / "sprint-stamp").unlink()
    for named in (tree / "absent", program(tree / "old", "exit 1")):
        status, said = started(tree, SPRINT_PYTHON=str(named))
        assert status == 3
        assert f"SPRINT_PYTHON={named} is not Python 3.11, 3.12 or 3.13" in said


def test_in_a_clone_postgresql_needed_a_package_that_no_script_installed(tree: Path) -> None:
    """The README's way made an environment without the driver, and `migrate` then named pip, not .venv."""
    shown = 'uv_is_there() { :; }\nuv_sync() { say "asked for $*"; }'
    asked = DRIVER.replace('install() { say "made anew with $base"; }', shown).replace("dev\n", "run\n")
    (tree / "scripts" / "driver").write_text(asked)
    (tree / ".venv" / "bin" / "python").unlink()
    program(tree / ".venv" / "bin" / "python", "exit 0")
    stamp = tree / ".venv" / "sprint-stamp"
    older = stamp.read_text().replace(" dev", " run")
    stamp.write_text(older)
    assert started(tree)[1].endswith("asked for --no-default-groups --extra postgres --reinstall\n")
    assert stamp.read_text() != older
    assert started(tree) == (0, "")
