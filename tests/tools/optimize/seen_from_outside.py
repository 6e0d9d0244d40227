"""What other programs than ours say of a process and the host: chrt, taskset, ionice, prlimit, /proc."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from sprint.core.optimize.plan import SYSCTLS
from sprint.core.optimize.setting import Outcome, Setting

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65_534
TIMEOUT_S = 60.0
HOST_LOCK = Path(tempfile.gettempdir(), "sprint-tests-optimize-host.lock")


# Where its input ends without a word, who held the host was killed: names and values follow in turn.
PUT_BACK = """read -r word || while [ $# -gt 0 ]; do printf %s "$2" > "$1"; shift 2; done"""


@contextmanager
def host_alone() -> Iterator[None]:
    """Hold the host's settings: tests of other processes wait that change or compare them.

    Where this process is killed meanwhile, another puts the host's values back, and only then lets go.
    """
    with HOST_LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with _guarded(file.fileno()):
            yield


@contextmanager
def _guarded(lock: int) -> Iterator[None]:
    """Run a process that outlives this one, in a session of its own, and shares the lock."""
    if os.geteuid() != 0:
        # Who can't change the host can't leave it changed.
        yield
        return
    files = [Path("/proc/sys", name.replace(".", "/")) for name in SYSCTLS]
    pairs = [word for file in files for word in (str(file), file.read_text().strip())]
    command = ["/bin/sh", "-c", PUT_BACK, "sh", *pairs]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, pass_fds=(lock,), start_new_session=True, text=True
    ) as guard:
        yield
        guard.communicate("let go\n", TIMEOUT_S)


def said(*command: str) -> str:
    """Return what a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    return done.stdout.strip()


def process_settings(pid: int) -> dict[str, str]:
    """Return what is set for a process and its threads, as others read it."""
    threads = sorted(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    maps = Path(f"/proc/{pid}/numa_maps").read_text()
    return {
        "cpu_affinity": said("taskset", "-a", "-c", "-p", str(pid)),
        "scheduler": said("chrt", "-a", "-p", str(pid)),
        "nice": " ".join(_nice(f"/proc/{pid}/task/{thread}/stat") for thread in threads),
        "io_priority": said("ionice", "-p", *map(str, threads)),
        "realtime_guard": _realtime_limit(pid),
        "timer_slack": Path(f"/proc/{pid}/timerslack_ns").read_text().strip(),
        "memory_lock": "none" if status["VmLck"].split() == ["0", "kB"] else "some",
        "huge_pages": status["THP_enabled"].strip(),
        "numa_policy": " ".join(sorted({line.split()[1] for line in maps.splitlines()})),
    }


def _realtime_limit(pid: int) -> str:
    """Return both limits by prlimit; another user's, which it may not read, out of /proc."""
    if Path(f"/proc/{pid}").stat().st_uid == os.geteuid():
        return said("prlimit", "--noheadings", "-o", "SOFT,HARD", "--rttime", "-p", str(pid))
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max realtime timeout"))


def _nice(stat: str) -> str:
    """Return the nice value of a thread: ps shows none of a real-time one."""
    return Path(stat).read_text().rpartition(")")[2].split()[16]


def host_settings() -> dict[str, str]:
    """Return what is set for the host."""
    found = {f"sysctl:{name}": said("cat", "/proc/sys/" + name.replace(".", "/")) for name in SYSCTLS}
    with Path("/dev/cpu_dma_latency").open("rb") as file:
        found["cpu_dma_latency"] = str(struct.unpack("=i", file.read(4))[0])
    return found


def settings_of(pid: int) -> dict[str, str]:
    """Return all that levels change, of a process and of the host."""
    return process_settings(pid) | host_settings()


class OptimizedChild:
    """The process of optimized_child.py, told what to do; `before` is what others said of it at its start."""

    def __init__(self, folder: Path, *prefix: str, python: str = sys.executable) -> None:
        command = [*prefix, python, "-m", "tests.tools.optimize.optimized_child", str(folder)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answered()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, order: str) -> tuple[Outcome, ...]:
        """Give an order; return the outcomes it answers with."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return self._answered()

    def apply(self, settings: Sequence[Setting]) -> tuple[Outcome, ...]:
        return self.tell("settings " + msgspec.json.encode(settings).decode())

    def wait(self) -> int:
        """Wait for its end; return minus the signal that ended it."""
        return self._process.wait(TIMEOUT_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(TIMEOUT_S)

    def _answered(self) -> tuple[Outcome, ...]:
        assert self._process.stdout is not None
        return tuple(msgspec.json.decode(self._process.stdout.readline(), type=list[Outcome]))


def as_nobody(*capabilities: str) -> tuple[str, ...]:
    """Return what runs a command as uid 65534, with this project and its libraries, and some capabilities."""
    paths = os.pathsep.join([str(ROOT), *[path for path in sys.path if path.endswith("site-packages")]])
    chosen = ",".join(["-all", *(f"+{each}" for each in capabilities)])
    return (
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        f"--inh-caps={chosen}", f"--ambient-caps={chosen}",
        "env", f"PYTHONPATH={paths}", "HOME=/nonexistent", "PYTHONDONTWRITEBYTECODE=1",
    )  # fmt: skip
