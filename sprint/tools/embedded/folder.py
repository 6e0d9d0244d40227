"""A temporary folder that is removed when its owner has ended, however that ended.

    python -m sprint.tools.embedded.folder

makes one, says its path on stdout, and removes it with all that is in it when its stdin ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from sprint.tools.embedded.child import STOP_TIMEOUT_S, ChildFailed, environment

PREFIX = "sprint-embedded-"
# Others who have it as their folder may still write while they end.
REMOVALS_MAX = 40
PAUSE_S = 0.25
PIECE_SIZE = 4_096
_STDIN = 0
_STDOUT = 1


class OwnedFolder:
    """A folder at `path` until `close`, or until this process is gone."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sprint.tools.embedded.folder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        said = b"" if self._process.stdout is None else self._process.stdout.readline()
        if not said:
            self.close()
            raise ChildFailed("no temporary folder could be made; see that the system's has room")
        self.path = Path(os.fsdecode(said.rstrip(b"\n")))

    def __repr__(self) -> str:
        return f"OwnedFolder({self.path})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Have it removed, and wait until it is. May be called again."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(REMOVALS_MAX * PAUSE_S + STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main() -> int:
    """Keep a folder until stdin ends."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # An owner that is gone before it is told leaves the folder to be removed all the same.
    with contextlib.suppress(BrokenPipeError):
        os.write(_STDOUT, os.fsencode(folder) + b"\n")
    while os.read(_STDIN, PIECE_SIZE):
        pass
    for _ in range(REMOVALS_MAX):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return 0
        time.sleep(PAUSE_S)
    return 1


if __name__ == "__main__":
    sys.exit(main())
