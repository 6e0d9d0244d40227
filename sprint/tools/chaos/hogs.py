"""Hogs: processes that take a share of a resource, from when they are told to until they must give it back.

    python -m sprint.tools.chaos.hogs cpu 2 FILE TTL_S

A hog waits until `go` stands on its stdin, so that its pid is in the journal first. It gives all back when
its time is over, when its stdin ends, and when it is killed: each by itself is enough.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

from sprint.core.chaos.faults import Hog
from sprint.core.chaos.undo import ProcessName
from sprint.core.errors import ConfigError, FaultError
from sprint.tools.chaos import processes

COMMAND = (sys.executable, "-m", "sprint.tools.chaos.hogs")
MIB = 1024 * 1024
PAGE_SIZE = 4_096
MEMORY_SHARE_MAX = 0.5
CORES_FACTOR_MAX = 2.0
DESCRIPTORS_SHARE_MAX = 0.9
# Where the journal lies on the same disk, it must still be written; elsewhere a disk may be filled up.
RESERVE_BESIDE_JOURNAL_MIB = 256.0
RESERVE_MIB = 0.0625
TURN_S = 0.05
GO = b"go\n"
HOLDING_LINE = b"holding\n"
HOLDING_S_MAX = 60.0
END_S_MAX = 5.0
OOM_SCORE_MOST = "1000"


def refuse_hog(hog: Hog, journal_folder: Path) -> None:
    """Raise ConfigError where a hog would take more than may be taken; names what there is."""
    limit, what = _room(hog, journal_folder)
    if not 0.0 < hog.amount <= limit:
        raise ConfigError(
            f"{hog.resource} hog: {hog.amount:g}; want more than 0 and at most {limit:,.4g}: {what}"
        )


def _room(hog: Hog, journal_folder: Path) -> tuple[float, str]:
    """Return how much a hog may take in its unit, and what that limit is."""
    match hog.resource:
        case "cpu":
            return CORES_FACTOR_MAX * (os.cpu_count() or 1), f"{CORES_FACTOR_MAX:g} for each core"
        case "memory":
            free = psutil.virtual_memory().available / MIB
            return (
                MEMORY_SHARE_MAX * free,
                f"{MEMORY_SHARE_MAX:.0%} of the {free:,.0f} MiB that are available",
            )
        case "descriptors":
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            return int(
                DESCRIPTORS_SHARE_MAX * hard
            ), f"{DESCRIPTORS_SHARE_MAX:.0%} of the hard limit {hard:,}"
        case "disk":
            return _disk_room(Path(hog.folder), journal_folder)


def free_mib(folder: str) -> float:
    """Return how much is free on a folder's disk. ConfigError where there is no such folder."""
    if not Path(folder).is_absolute() or not Path(folder).is_dir():
        raise ConfigError(f"disk hog: folder {folder!r}; want an absolute path of a folder that is there")
    return shutil.disk_usage(folder).free / MIB


def _disk_room(folder: Path, journal_folder: Path) -> tuple[float, str]:
    free = free_mib(str(folder))
    beside = folder.stat().st_dev == journal_folder.stat().st_dev
    reserve = RESERVE_BESIDE_JOURNAL_MIB if beside else RESERVE_MIB
    where = " (the journal lies there too)" if beside else ""
    return free - reserve, f"{free:,.4g} MiB are free at {folder}, {reserve:g} of them stay{where}"


class HogProcess:
    """A hog that waits. `name` stands in the journal before `go`."""

    def __init__(self, hog: Hog, file: str, ttl_s: float) -> None:
        words = (hog.resource, repr(hog.amount), file, repr(ttl_s))
        self._what = f"{hog.resource} hog of {hog.amount:g}"
        self._process = subprocess.Popen(
            [*COMMAND, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.name: ProcessName = processes.name_of(self._process.pid)

    def __repr__(self) -> str:
        return f"HogProcess({self._what}, pid={self.name.pid})"

    def go(self) -> None:
        """Have it take what it is for; returns when it has. FaultError where it could not."""
        stdin, stdout = _pipes(self._process)
        try:
            stdin.write(GO)
            stdin.flush()
        except BrokenPipeError as error:
            raise FaultError(f"the {self._what} ended before it was told to go") from error
        ready, _, _ = select.select([stdout], [], [], HOLDING_S_MAX)
        line = os.read(stdout.fileno(), PAGE_SIZE) if ready else b""
        if line != HOLDING_LINE:
            raise FaultError(
                f"the {self._what} said {line!r} within {HOLDING_S_MAX:g} s, not that it holds it"
            )

    def end(self) -> None:
        """End it and what it holds; twice does no harm."""
        self._process.kill()
        self._process.wait(END_S_MAX)
        for pipe in _pipes(self._process):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise FaultError("a hog has pipes from the start")
    return process.stdin, process.stdout


def main(words: list[str]) -> int:
    """Run as a process; returns the exit code."""
    kind, amount, file, ttl_s = words[0], float(words[1]), Path(words[2]), float(words[3])
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    # Whatever becomes of what follows: the kernel ends it a little after its time.
    signal.setitimer(signal.ITIMER_REAL, ttl_s + 2 * END_S_MAX)
    if sys.stdin.buffer.readline() != GO:
        return 0
    deadline = time.monotonic() + ttl_s
    with _held(kind, amount, file, deadline):
        sys.stdout.buffer.write(HOLDING_LINE)
        sys.stdout.buffer.flush()
        select.select([sys.stdin], [], [], max(0.0, deadline - time.monotonic()))
    return 0


@contextlib.contextmanager
def _held(kind: str, amount: float, file: Path, deadline: float) -> Iterator[None]:
    match kind:
        case "cpu":
            _burn_cores(amount, deadline)
            yield
        case "memory":
            with contextlib.suppress(OSError):
                # Where memory ends after all, this process is the one to go.
                Path("/proc/self/oom_score_adj").write_text(OOM_SCORE_MOST, "ascii")
            kept = [_touched() for _ in range(round(amount))]
            yield
            kept.clear()
        case "descriptors":
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            opened = [os.dup(sys.stdin.fileno()) for _ in range(round(amount))]
            yield
            opened.clear()
        case _:
            with _filled(file, round(amount * MIB)):
                yield


def _touched() -> bytearray:
    """Return a MiB that is there: each page was written to."""
    made = bytearray(MIB)
    made[::PAGE_SIZE] = b"\x01" * (MIB // PAGE_SIZE)
    return made


@contextlib.contextmanager
def _filled(file: Path, size: int) -> Iterator[None]:
    """Fill a file up to its size, or until the disk is full; remove it afterwards."""
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _fill(descriptor, size)
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


def _fill(descriptor: int, size: int) -> None:
    piece = bytes(MIB)
    written = 0
    with contextlib.suppress(OSError):
        while written < size:
            written += os.write(descriptor, piece[: size - written])
    # What is left is less than a piece: taken in ever smaller ones.
    for smaller in (PAGE_SIZE, 1):
        with contextlib.suppress(OSError):
            while written < size:
                written += os.write(descriptor, bytes(min(smaller, size - written)))


def _burn_cores(cores: float, deadline: float) -> None:
    """Start a process for each core; each ends with this one, by itself."""
    parent = os.getpid()
    while cores > 0:
        if os.fork() == 0:
            _burn(min(1.0, cores), parent, deadline)
        cores -= 1.0


def _burn(share: float, parent: int, deadline: float) -> None:
    """Be busy for a share of each turn, until the time is over or the parent is gone; ends the process."""
    while os.getppid() == parent and time.monotonic() < deadline:
        until = time.monotonic() + share * TURN_S
        while time.monotonic() < until:
            pass
        if share < 1.0:
            time.sleep((1.0 - share) * TURN_S)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
