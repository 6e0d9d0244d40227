"""The command makes way for its generators, and they don't with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sprint.tools.loadtest.priority import NICE_MAX, NICER_BY

# Prints what it had, what a child that was there has, and what it has.
PROGRAM = """
import os, subprocess, sys
from sprint.tools.loadtest.priority import make_way

child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
before = os.getpriority(os.PRIO_PROCESS, 0)
make_way()
make_way() if len(sys.argv) > 1 else None
print(before, os.getpriority(os.PRIO_PROCESS, child.pid), os.getpriority(os.PRIO_PROCESS, 0))
child.communicate(b"\\n")
"""


def nices(*words: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    return [int(each) for each in done.stdout.split()]


def test_the_command_runs_after_the_generators_that_it_has_started() -> None:
    """Adding up a second of theirs made one late by several milliseconds on two busy processors."""
    before, generators, after = nices()
    assert (generators, after) == (before, min(NICE_MAX, before + NICER_BY))


def test_who_is_the_nicest_already_stays_so() -> None:
    assert nices("twice")[2] == min(NICE_MAX, os.getpriority(os.PRIO_PROCESS, 0) + 2 * NICER_BY)
