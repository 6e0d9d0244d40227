"""A process that a test starts, stops, kills, freezes and starts again, all by its own handle."""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from typing import Self

STOP_TIMEOUT_S = 15.0


class ChildProcess(ABC):
    """One process at a time. A kind says how it is started and when it is ready."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self!r} does not run")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the process."""

    @abstractmethod
    def _wait_until_ready(self) -> None:
        """Return when it serves; any exception ends it."""

    def start(self) -> Self:
        """Start, or start again, and return when it is ready."""
        if self._process is not None:
            raise RuntimeError(f"{self!r} runs already")
        self._process = self._spawn()
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Ask it to end, frozen or not, and wait until it is gone."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
        self._reap()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def freeze(self) -> None:
        """Stop it where it stands; its sockets stay open. `thaw` lets it run on."""
        os.kill(self.pid, signal.SIGSTOP)
        # On a busy machine its threads run on for a while after the signal was sent.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _reap(self) -> None:
        process, self._process = self.process, None
        process.wait(STOP_TIMEOUT_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
