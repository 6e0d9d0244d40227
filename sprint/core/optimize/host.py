"""What is known of a host and of one process on it, as values; and the parsers of the texts it is read from.

`tools.optimize.facts` reads the files. All figures are those of the process that is to be tuned: the CPUs it
may run on, the limits of its cgroup, its capabilities.
"""

from __future__ import annotations

import math
import re

import msgspec

from sprint.core.errors import WireError
from sprint.core.optimize.cpu_list import parse_cpu_list

UNLIMITED = -1
KILOBYTE = 1_024
PF_KTHREAD = 0x0020_0000

# In the order of their bits; <linux/capability.h>.
CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock",
    "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin",
    "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write",
    "audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend",
    "audit_read", "perfmon", "bpf", "checkpoint_restore",
)  # fmt: skip
# Rows of /proc/PID/limits, their units are those of setrlimit(2).
LIMIT_ROWS = {
    "Max locked memory": "memlock",
    "Max realtime priority": "rtprio",
    "Max nice priority": "nice",
    "Max realtime timeout": "rttime",
}
_MODE = re.compile(r"\[([a-z]+)\]")


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A host as one process sees it.

    `cpus_isolated` are those of isolcpus=. `cpu_siblings` are the threads of each core, where a core has
    more than one. `numa_nodes` gives each node's CPUs; `network_nodes` the nodes that network cards are on.
    `cpu_quota` is in CPUs. `limits` are soft and hard, -1 for no limit. `realtime_runtime_us` is the part of
    each second that real-time threads may use, in us; -1: all of it, nothing holds them back.
    """

    platform: str = "linux"
    kernel: str = ""
    python: str = ""
    cpus_allowed: tuple[int, ...] = (0,)
    cpus_isolated: tuple[int, ...] = ()
    cpu_siblings: tuple[tuple[int, ...], ...] = ()
    numa_nodes: dict[int, tuple[int, ...]] = {}
    network_nodes: tuple[int, ...] = ()
    cgroup_version: int = 0
    cpu_quota: float | None = None
    memory_total_bytes: int = 0
    cgroup_memory_bytes: int | None = None
    capabilities: frozenset[str] = frozenset()
    limits: dict[str, tuple[int, int]] = {}
    user: int = 0
    threads: int = 1
    huge_pages_mode: str = ""
    realtime_runtime_us: int | None = None
    dma_latency: bool = False
    sysctls: dict[str, str] = {}

    @property
    def cpus(self) -> int:
        """How many CPUs' worth of work this process can do: those allowed, cut by the quota; at least one."""
        quota = len(self.cpus_allowed) if self.cpu_quota is None else math.ceil(self.cpu_quota)
        return max(1, min(len(self.cpus_allowed), quota))

    @property
    def memory_bytes(self) -> int:
        """What a share of memory is a share of: the host's, or the cgroup's where that is less."""
        return min(self.memory_total_bytes, self.cgroup_memory_bytes or self.memory_total_bytes)

    def may(self, capability: str) -> bool:
        """Whether the process has a capability, by its name without CAP_, in small letters."""
        return capability in self.capabilities


def parse_capabilities(mask: str) -> frozenset[str]:
    """Return the names in a mask as /proc/PID/status has it: `000001ffffffffff`."""
    try:
        bits = int(mask, 16)
    except ValueError as error:
        raise WireError(f"{mask!r} is no mask of capabilities") from error
    return frozenset(name for place, name in enumerate(CAPABILITIES) if bits >> place & 1)


def parse_status(text: str) -> dict[str, str]:
    """Return the fields of /proc/PID/status."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def parse_limits(text: str) -> dict[str, tuple[int, int]]:
    """Return soft and hard limits out of /proc/PID/limits; -1 for `unlimited`."""
    found = {}
    for line in text.splitlines():
        for row, name in LIMIT_ROWS.items():
            if line.startswith(row):
                soft, hard = line[len(row) :].split()[:2]
                found[name] = (_limit(soft), _limit(hard))
    return found


def parse_memory_total(meminfo: str) -> int:
    """Return the host's memory in bytes out of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * KILOBYTE
    raise WireError("/proc/meminfo without a line MemTotal")


def parse_huge_pages_mode(text: str) -> str:
    """Return the chosen word of /sys/kernel/mm/transparent_hugepage/enabled: always, madvise, never."""
    matched = _MODE.search(text)
    return matched[1] if matched else ""


def parse_started_ticks(stat: str) -> int:
    """Return when a process or thread began, in ticks since boot, out of /proc/PID/stat.

    Its name is in brackets and may hold brackets and spaces itself: fields are counted from the last one.
    """
    fields = stat.rpartition(")")[2].split()
    try:
        return int(fields[19])
    except (IndexError, ValueError) as error:
        raise WireError(f"no start time in {stat[:80]!r}") from error


def parse_is_of_kernel(stat: str) -> bool:
    """Tell whether /proc/PID/stat is of a thread of the kernel's own: PF_KTHREAD of linux/sched.h."""
    fields = stat.rpartition(")")[2].split()
    return len(fields) > 6 and fields[6].isdigit() and bool(int(fields[6]) & PF_KTHREAD)


def parse_siblings(texts: list[str]) -> tuple[tuple[int, ...], ...]:
    """Return the threads of each core that has more than one, out of every CPU's thread_siblings_list."""
    cores = {parse_cpu_list(text) for text in texts}
    return tuple(sorted(core for core in cores if len(core) > 1))


def _limit(text: str) -> int:
    return UNLIMITED if text == "unlimited" else int(text)
