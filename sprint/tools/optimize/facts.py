"""Reads what `core.optimize.host` knows of a host and a process, out of /proc, /sys and the cgroup's files.

Everything is read below a root, so that hosts can be recorded as folders. What isn't there is left at its
default: a fact that can't be read is one that can't be counted on.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sprint.core.errors import WireError
from sprint.core.optimize import cgroup
from sprint.core.optimize.cpu_list import parse_cpu_list
from sprint.core.optimize.host import (
    HostFacts,
    parse_capabilities,
    parse_huge_pages_mode,
    parse_limits,
    parse_memory_total,
    parse_siblings,
    parse_status,
)
from sprint.core.optimize.plan import SYSCTLS

FILE_BYTES_MAX = 1024 * 1024
CPUS_READ_MAX = 8_192

Fact = TypeVar("Fact")
Text = TypeVar("Text", str, list[str])


def read_facts(pid: int | None = None, *, root: Path = Path("/")) -> HostFacts:
    """Return the facts for this process, or another by its id; blocking, a few ms.

    On another system than Linux only what Python itself knows.
    """
    host = _Host(root, "self" if pid is None else str(pid))
    status = parse_status(host.text(host.process / "status"))
    version, quota, memory = _cgroup_limits(host)
    cpus = root / "sys/devices/system/cpu"
    return HostFacts(
        platform=sys.platform,
        kernel=host.text(root / "proc/sys/kernel/osrelease").strip() or _elsewhere(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        cpus_allowed=host.fact(parse_cpu_list, status.get("Cpus_allowed_list", "")) or (0,),
        cpus_isolated=host.fact(parse_cpu_list, host.text(cpus / "isolated")) or (),
        cpu_siblings=host.fact(parse_siblings, _siblings(host, cpus)) or (),
        numa_nodes=_numa_nodes(host),
        network_nodes=_network_nodes(host),
        cgroup_version=version,
        cpu_quota=quota,
        cgroup_memory_bytes=memory,
        memory_total_bytes=host.fact(parse_memory_total, host.text(root / "proc/meminfo")) or 0,
        capabilities=host.fact(parse_capabilities, status.get("CapEff", "0")) or frozenset(),
        limits=host.fact(parse_limits, host.text(host.process / "limits")) or {},
        user=int([*status.get("Uid", "0 0").split(), "0", "0"][1]),
        threads=int(status.get("Threads", "1")),
        huge_pages_mode=parse_huge_pages_mode(host.text(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        realtime_runtime_us=host.fact(int, host.text(root / "proc/sys/kernel/sched_rt_runtime_us")),
        dma_latency=(root / "dev/cpu_dma_latency").exists(),
        sysctls=_sysctls(host),
    )


def _elsewhere() -> str:
    """Return release and machine of a system without /proc; Apple silicon is told by the second."""
    return f"{platform.release()} {platform.machine()}"


class _Host:
    """A host below a root, and one process's folder in its /proc."""

    def __init__(self, root: Path, process: str) -> None:
        self.root = root
        self.process = root / "proc" / process

    def text(self, path: Path) -> str:
        """Return a file's text; "" where it can't be read."""
        try:
            with path.open("rb") as file:
                return file.read(FILE_BYTES_MAX).decode("utf-8", errors="replace")
        except OSError:
            return ""

    def fact(self, parse: Callable[[Text], Fact], text: Text) -> Fact | None:
        """Return what a text says; None where it is empty or says nothing."""
        try:
            return parse(text) if text else None
        except (WireError, ValueError):
            return None


def _cgroup_limits(host: _Host) -> tuple[int, float | None, int | None]:
    """Return the cgroup's version, the CPUs' worth of its quota, and its memory in bytes."""
    mounts = host.fact(cgroup.parse_mounts, host.text(host.process / "mountinfo")) or {}
    places = host.fact(cgroup.parse_membership, host.text(host.process / "cgroup")) or {}
    if not mounts:
        return 0, None, None
    first = "cpu" in mounts or "memory" in mounts
    return (1 if first else 2), _quota(host, places, mounts), _memory(host, places, mounts)


def _quota(host: _Host, places: dict[str, str], mounts: dict[str, tuple[str, str]]) -> float | None:
    limits: list[float | None] = []
    for folder in _folders(host, "cpu", places, mounts):
        pair = f"{host.text(folder / 'cpu.cfs_quota_us')} {host.text(folder / 'cpu.cfs_period_us')}"
        limits += [
            host.fact(lambda text: cgroup.quota_of_v1(*text.split()), pair.strip()),
            host.fact(cgroup.quota_of_v2, host.text(folder / "cpu.max")),
        ]
    return cgroup.least(limits)


def _memory(host: _Host, places: dict[str, str], mounts: dict[str, tuple[str, str]]) -> int | None:
    limits: list[float | None] = []
    for folder in _folders(host, "memory", places, mounts):
        limits.append(host.fact(cgroup.memory_of_v1, host.text(folder / "memory.limit_in_bytes")))
        limits += [
            host.fact(cgroup.memory_of_v2, host.text(folder / name)) for name in ("memory.max", "memory.high")
        ]
    found = cgroup.least(limits)
    return None if found is None else int(found)


def _folders(
    host: _Host, controller: str, places: dict[str, str], mounts: dict[str, tuple[str, str]]
) -> Sequence[Path]:
    """Return the folders of a controller's cgroup and of those above: version 1's where it is mounted."""
    hierarchy = controller if controller in mounts else ""
    if hierarchy not in mounts:
        return ()
    found = cgroup.folders_up(places.get(hierarchy, "/"), mounts[hierarchy])
    return [host.root / folder.lstrip("/") for folder in found]


def _siblings(host: _Host, cpus: Path) -> list[str]:
    found = sorted(cpus.glob("cpu[0-9]*/topology/thread_siblings_list"))[:CPUS_READ_MAX]
    return [text for path in found if (text := host.text(path).strip())]


def _numa_nodes(host: _Host) -> dict[int, tuple[int, ...]]:
    nodes = {}
    for path in (host.root / "sys/devices/system/node").glob("node[0-9]*"):
        nodes[int(path.name.removeprefix("node"))] = (
            host.fact(parse_cpu_list, host.text(path / "cpulist").strip()) or ()
        )
    return dict(sorted(nodes.items()))


def _network_nodes(host: _Host) -> tuple[int, ...]:
    """Return the nodes that network cards are on; those of a virtual card are -1, and left out."""
    texts = (host.text(path) for path in (host.root / "sys/class/net").glob("*/device/numa_node"))
    numbers = {int(text) for text in texts if text.strip().isdigit()}
    return tuple(sorted(numbers))


def _sysctls(host: _Host) -> dict[str, str]:
    read = {name: host.text(host.root / "proc/sys" / name.replace(".", "/")).strip() for name in SYSCTLS}
    return {name: value for name, value in read.items() if value}
