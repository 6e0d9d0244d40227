"""Tests that change the host: one process at a time, and none leaves it changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.optimize.seen_from_outside import ROOT, TIMEOUT_S, host_alone

SWAPPINESS = Path("/proc/sys/vm/swappiness")
HOLDER = """
import sys
from pathlib import Path
from tests.tools.optimize.seen_from_outside import host_alone
file = Path(sys.argv[1])
with host_alone():
    before = file.read_text().strip()
    file.write_text("17" if before != "17" else "18")
    print(before, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it changes a setting of the host")
def test_tests_that_were_killed_left_the_host_changed() -> None:
    """Nobody has the host before it is as it was."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(SWAPPINESS)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        before = holder.stdout.readline().strip()
        assert SWAPPINESS.read_text().strip() != before
        holder.kill()
        holder.wait(TIMEOUT_S)
        with host_alone():
            assert SWAPPINESS.read_text().strip() == before
