"""What is begun for an owner that is gone already ends too: its folder, its command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sprint.tools.embedded.guard import ENDED_BY_SIGNAL

TIMEOUT_S = 30


def test_a_folder_stayed_whose_owner_was_killed_before_it_was_told_of_it(tmp_path: Path) -> None:
    assert begun_by_nobody("folder", environment={"TMPDIR": str(tmp_path)}) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_command_went_on_whose_owner_was_killed_before_it_was_told_of_it() -> None:
    assert begun_by_nobody("guard", "sleep", "600") == ENDED_BY_SIGNAL + signal.SIGTERM


def begun_by_nobody(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
    """Run a module whose owner is gone: nobody reads what it says, and its stdin is at its end."""
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", f"sprint.tools.embedded.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=write_end,
        env={**os.environ, **(environment or {})},
    )
    os.close(read_end)
    os.close(write_end)
    process.communicate(timeout=TIMEOUT_S)
    return process.returncode
