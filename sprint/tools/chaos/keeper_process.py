"""The keeper as the tool's child: started before the first fault, let go at the end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from sprint.core.errors import FaultError

COMMAND = (sys.executable, "-m", "sprint.tools.chaos.keeper")
READY_LINE = b'{"ready":true}\n'
READY_S_MAX = 30.0
END_S_MAX = 10.0


class KeeperProcess:
    """A running keeper. Making it waits until it watches; FaultError where it does not."""

    def __init__(self, journal: Path) -> None:
        # A session of its own: what the terminal or a supervisor sends to the tool's group is not for it.
        self._process = subprocess.Popen(
            [*COMMAND, str(journal)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self._let_go()
            self._process.wait(END_S_MAX)
            raise

    def __repr__(self) -> str:
        return f"KeeperProcess(pid={self.pid}, exit_code={self.exit_code})"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def release(self, *, wait: bool) -> None:
        """Close its pipe; it takes off what is on and ends. `wait` for that, where nothing is."""
        self._let_go()
        if wait:
            try:
                self._process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(END_S_MAX)
        else:
            # It outlives the tool on purpose: no complaint about a child that still runs.
            self._process.returncode = 0

    def _wait_until_ready(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            raise FaultError("the keeper's stdout is a pipe from the start")
        ready, _, _ = select.select([stdout], [], [], READY_S_MAX)
        line = os.read(stdout.fileno(), len(READY_LINE)) if ready else b""
        if line != READY_LINE:
            told = f"said {line!r}" if ready else f"said nothing for {READY_S_MAX:g} s"
            raise FaultError(f"the keeper (pid {self.pid}) {told}; nothing is put on without it")

    def _let_go(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
