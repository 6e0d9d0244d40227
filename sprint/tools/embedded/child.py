"""A command as a child that says in its first line where it is, and ends with this process however that ends.

    child = Child("the devnet", [sys.executable, "-m", "sprint.tools.devnet", …], folder=folder)
    ports = child.first_line
    child.end()

It runs under a `guard`, in a session of its own, so that Ctrl-C in a terminal doesn't reach it first.
Blocking; asyncio calls it in a thread.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from sprint.core.errors import SprintError

FIRST_LINE_TIMEOUT_S = 60.0
ASK_S = 0.1  # how often it is asked whether a child that starts is still wanted
# Longer than the guard's, which then kills.
STOP_TIMEOUT_S = 10.0
LINE_SIZE_MAX = 64 * 1024
SAID_LENGTH_MAX = 500
_GUARD = (sys.executable, "-m", "sprint.tools.embedded.guard")
_GUARDED = "guarded"


class ChildFailed(SprintError):
    """A child that did not come to run."""

    code = "child"


def always() -> bool:
    return True


class Child:
    """A running command. `first_line` is the JSON object that it said first, `pid` its own.

    It is waited for as long as `is_wanted`, which is asked from the thread that starts it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        first_line_timeout_s: float = FIRST_LINE_TIMEOUT_S,
        is_wanted: Callable[[], bool] = always,
    ) -> None:
        self.name = name
        self._is_wanted = is_wanted
        descriptor, path = tempfile.mkstemp(prefix="said-", dir=folder)
        os.close(descriptor)
        self._stderr_path = Path(path)
        with self._stderr_path.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*_GUARD, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=folder,
                env=environment(),
                start_new_session=True,
            )
        try:
            said = self._read_lines(2, first_line_timeout_s)
            self.pid: int = next(line[_GUARDED] for line in said if _GUARDED in line)
            self.first_line: dict[str, Any] = next(line for line in said if _GUARDED not in line)
        except BaseException:
            self.end()
            raise

    def __repr__(self) -> str:
        return f"Child({self.name}, exit_code={self._process.poll()})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait until it ends; its exit code, 128 and more where a signal ended it."""
        return self._process.wait()

    def said(self) -> str:
        """Return the end of what it said on stderr."""
        with self._stderr_path.open("rb") as stderr:
            stderr.seek(max(0, self._stderr_path.stat().st_size - SAID_LENGTH_MAX))
            return stderr.read(SAID_LENGTH_MAX).decode(errors="replace").strip()

    def end(self) -> None:
        """Have the guard end it, and wait until both are gone. May be called again."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_lines(self, count: int, timeout_s: float) -> list[dict[str, Any]]:
        """Read so many lines of stdout, with bounds in time and size."""
        stdout = self._process.stdout
        said, deadline = b"", time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            if stdout is not None:
                selector.register(stdout, selectors.EVENT_READ)
            while stdout is not None and said.count(b"\n") < count:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise self._failed(f"says nothing for {timeout_s:g} s")
                if not self._is_wanted():
                    raise self._failed("is no longer wanted")
                if not selector.select(min(ASK_S, left_s)):
                    continue
                part = os.read(stdout.fileno(), LINE_SIZE_MAX)
                if not part or len(said) > LINE_SIZE_MAX:
                    raise self._failed("does not run")
                said += part
        try:
            return [msgspec.json.decode(line, type=dict[str, Any]) for line in said.splitlines()[:count]]
        except msgspec.DecodeError as error:
            raise self._failed(f"says what is no line of JSON ({error})") from error

    def _failed(self, what: str) -> ChildFailed:
        return ChildFailed(f"{self.name} {what}: {self.said() or 'it said nothing'}")


def environment() -> dict[str, str]:
    """Return the environment without settings for a relay of the user's own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SPRINT_")}
    # The child stands in a folder of its own, and finds the package where this process has it.
    return ours | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
