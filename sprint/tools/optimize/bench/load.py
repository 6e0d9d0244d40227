"""A load on the CPUs: one process for each, which ends by itself.

    with CpuLoad(processes, seconds_max) as load: …

Each runs until its time is over or its stdin ends, that is with who started it however that ends; the `with`
block kills those left, by their ids.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

SECONDS_MAX = 120.0
END_TIMEOUT_S = 10.0
# It looks at the clock every few ms, and at its stdin in a thread that else waits.
_PROGRAM = """
import os, sys, threading, time
def end_with_stdin():
    while os.read(0, 64): pass
    os._exit(0)
threading.Thread(target=end_with_stdin, daemon=True).start()
end = time.monotonic() + float(sys.argv[1])
print("runs", flush=True)
while time.monotonic() < end:
    sum(range(50_000))
"""


class CpuLoad:
    """Running processes that keep so many CPUs busy; none outlives `seconds`."""

    def __init__(self, processes: int, seconds: float) -> None:
        if not 0 < seconds <= SECONDS_MAX:
            raise ValueError(f"a load of {seconds:g} s; want up to {SECONDS_MAX:g}")
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(seconds)]
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(processes):
                self._processes.append(
                    subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
                    )
                )
            for process in self._processes:
                _wait_until_it_runs(process)
        except BaseException:
            self.end()
            raise

    def __repr__(self) -> str:
        return f"CpuLoad({self.pids})"

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self._processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Kill those that run, and wait for all. May be called again."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        for process in self._processes:
            process.wait(END_TIMEOUT_S)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _wait_until_it_runs(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is None or not process.stdout.readline():
        raise OSError(f"a process of the load ended with {process.wait(END_TIMEOUT_S)}")
