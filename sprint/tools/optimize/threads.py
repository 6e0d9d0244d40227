"""The threads of a process, each told from another that gets its id later by when it began."""

from __future__ import annotations

from pathlib import Path

from sprint.core.errors import WireError
from sprint.core.optimize.host import parse_is_of_kernel, parse_started_ticks, parse_status
from sprint.core.optimize.setting import Process

STAT_BYTES_MAX = 8_192


def process_of(pid: int) -> Process | None:
    """Return a process or a thread with when it began; None where there is none, or only its corpse."""
    try:
        with Path(f"/proc/{pid}/stat").open(encoding="utf-8", errors="replace") as file:
            stat = file.read(STAT_BYTES_MAX)
        state = stat.rpartition(")")[2].split()[0]
        return None if state in {"Z", "X"} else Process(pid, parse_started_ticks(stat))
    except (OSError, WireError, IndexError):
        return None


def is_of_kernel(pid: int) -> bool:
    """Whether a process is a thread of the kernel's own, which runs no program."""
    try:
        return parse_is_of_kernel(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def lives(process: Process) -> bool:
    """Whether a process or thread is still the one it was."""
    return process_of(process.pid) == process


def threads_of(pid: int) -> list[Process]:
    """Return a process's threads, the main one first; none where it has ended."""
    try:
        names = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    found = (process_of(name) for name in sorted(names, key=lambda name: (name != pid, name)))
    return [thread for thread in found if thread is not None]


def group_of(pid: int) -> int | None:
    """Return the process that a thread belongs to; itself for a main thread, None where it has ended."""
    try:
        status = parse_status(Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace"))
        return int(status["Tgid"])
    except (OSError, KeyError, ValueError):
        return None


def boot_id() -> str:
    """Return what names this boot of the kernel; "" where it can't be read."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
