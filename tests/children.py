"""The children of a test's process by what they run; one that ended and wasn't waited for is none."""

from __future__ import annotations

import contextlib

import psutil


def children_that_run(word: str) -> list[psutil.Process]:
    """Return those, and theirs, with `word` in their command line."""
    found = []
    for each in psutil.Process().children(recursive=True):
        # Another test of this process may have left one that nobody has waited for.
        with contextlib.suppress(psutil.NoSuchProcess):
            if word in " ".join(each.cmdline()):
                found.append(each)
    return found
