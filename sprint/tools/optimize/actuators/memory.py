"""Where the process's memory lies and whether it may be taken from it: locks, huge pages, NUMA nodes."""

from __future__ import annotations

import errno
import mmap
import os
import platform
import resource
from pathlib import Path
from typing import ClassVar, Literal

from sprint.core.optimize import linux
from sprint.core.optimize.host import parse_capabilities, parse_status
from sprint.core.optimize.plan import lock_is_covered
from sprint.core.optimize.setting import Value
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.actuators.scheduling import number_of, pair_of

LOCKED_NONE = "none"
LOCKED_SOME = "some"
LOCKED_ALL = "all"


class MemoryLock(Actuator):
    """All memory that there is and will be: mlockall(2). `("all", BYTES)`: the most the process will have.

    Read back by what the kernel counts as locked, and by a page that is made for the purpose: only where
    later memory is locked too is that one locked.
    """

    inside: ClassVar[bool] = True

    def read(self, pid: int) -> tuple[str, int]:
        before = _locked_kilobytes(pid)
        if pid != os.getpid():
            return (LOCKED_SOME if before else LOCKED_NONE), 0
        with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:
            page[0] = 1
            later = _locked_kilobytes(pid) > before
        if later and before:
            return LOCKED_ALL, 0
        return (LOCKED_SOME if later or before else LOCKED_NONE), 0

    def write(self, pid: int, value: Value) -> None:
        del pid
        kind, bytes_most = pair_of(value)
        if kind == LOCKED_NONE:
            linux.unlock_memory()
            return
        limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        may_lock = "ipc_lock" in parse_capabilities(_status(os.getpid())["CapEff"])
        if not lock_is_covered(limit, may_lock=may_lock, bytes_most=bytes_most):
            raise OSError(
                errno.ENOMEM,
                f"the limit of locked memory is {limit} bytes and does not cover the {bytes_most} bytes that "
                "this process may grow to: allocations above it would fail",
            )
        linux.lock_memory()

    def meets(self, wanted: Value, found: Value) -> bool:
        return isinstance(wanted, tuple) and isinstance(found, tuple) and wanted[0] == found[0]

    def valid(self, value: Value) -> bool:
        """Nothing locked can be put back; parts, which the process locked for its own reasons, can't."""
        return value == (LOCKED_NONE, 0)


class HugePages(Actuator):
    """Whether the process may have transparent huge pages, 1 or 0: prctl(2), PR_SET_THP_DISABLE."""

    inside: ClassVar[bool] = True

    def read(self, pid: int) -> int:
        """Return it by prctl of ourselves, of others out of /proc/PID/status."""
        if pid == os.getpid():
            return int(linux.huge_pages_are_permitted())
        status = _status(pid)
        if "THP_enabled" not in status:
            raise OSError(errno.ENOSYS, f"/proc/{pid}/status has no line THP_enabled")
        return int(status["THP_enabled"])

    def write(self, pid: int, value: Value) -> None:
        del pid
        linux.set_huge_pages(permitted=bool(number_of(value)))

    def valid(self, value: Value) -> bool:
        return value in {0, 1}


class MemoryPolicy(Actuator):
    """From which NUMA nodes the calling thread gets memory, and threads it makes later: set_mempolicy(2)."""

    threads: ClassVar[Literal["all", "main", "none"]] = "main"
    inside: ClassVar[bool] = True

    def read(self, pid: int) -> tuple[str | int, ...]:
        del pid
        policy, nodes = linux.memory_policy(machine=platform.machine())
        return (policy, *nodes)

    def write(self, pid: int, value: Value) -> None:
        del pid
        if not self.valid(value) or not isinstance(value, tuple):
            raise OSError(errno.EINVAL, f"{value!r} is no memory policy with its nodes")
        nodes = tuple(node for node in value[1:] if isinstance(node, int))
        linux.set_memory_policy(str(value[0]), nodes, machine=platform.machine())

    def valid(self, value: Value) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) > 0
            and value[0] in linux.MEMORY_POLICIES
            and all(isinstance(node, int) and 0 <= node < linux.NODES_MAX for node in value[1:])
        )


class MallocArenas(Actuator):
    """How many arenas glibc's malloc may have: MALLOC_ARENA_MAX in the environment, mallopt(3).

    Only a command that is started gets it. mallopt would take it later too, but malloc has settled on a
    number with its second thread and says nothing about it, so that there is nothing to read back.
    """

    def read(self, pid: int) -> int:
        """Return what a process was started with; 0 where it has malloc's own number."""
        for pair in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            name, _, value = pair.partition(b"=")
            if name == b"MALLOC_ARENA_MAX" and value.isdigit():
                return int(value)
        return 0

    def write(self, pid: int, value: Value) -> None:
        raise OSError(errno.EOPNOTSUPP, f"process {pid} was not started with MALLOC_ARENA_MAX={value}")

    def valid(self, value: Value) -> bool:
        return isinstance(value, int)


def _locked_kilobytes(pid: int) -> int:
    return int(_status(pid).get("VmLck", "0 kB").split()[0])


def _status(pid: int) -> dict[str, str]:
    return parse_status(Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace"))
