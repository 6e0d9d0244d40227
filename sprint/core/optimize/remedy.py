"""What would permit a setting that was refused: the exact capability, ulimit, systemd and docker line.

Sources: mlockall(2), sched(7), setpriority(2), ioprio_set(2), proc(5), systemd.exec(5), docker run.
"""

from __future__ import annotations

import errno

import msgspec

from sprint.core.optimize.plan_elsewhere import remedy_elsewhere
from sprint.core.optimize.setting import Refusal, Value

NO_SYSTEM_CALL = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY)
GONE = (errno.ESRCH,)
HOST_FILES_READ_ONLY = (
    "run with the host's own /proc/sys, as root: a container has it read-only unless --privileged"
)


class Permit(msgspec.Struct, frozen=True):
    """How a setting is permitted: the capability, the limit of a shell, the lines of systemd and docker."""

    capability: str
    shell: str
    systemd: str
    docker: str

    def says(self) -> str:
        """The four in one sentence; what there isn't is left out."""
        parts = (
            ("", self.capability),
            ("shell: ", self.shell),
            ("systemd: ", self.systemd),
            ("docker: ", self.docker),
        )
        return "; ".join(f"{label}{text}" for label, text in parts if text)


_SCHEDULE = Permit(
    "CAP_SYS_NICE, or a limit of real-time priority of {priority}",
    "ulimit -r {priority}",
    "LimitRTPRIO={priority}, or AmbientCapabilities=CAP_SYS_NICE",
    "--ulimit rtprio={priority} --cap-add SYS_NICE",
)
_LOCK = Permit(
    "CAP_IPC_LOCK, or a limit of locked memory of {kilobytes} kB",
    "ulimit -l {kilobytes}",
    "LimitMEMLOCK={bytes}, or AmbientCapabilities=CAP_IPC_LOCK",
    "--ulimit memlock={bytes}:{bytes} --cap-add IPC_LOCK",
)
_NICE = Permit(
    "CAP_SYS_NICE, or a limit of nice of {nice_limit}",
    "ulimit -e {nice_limit}",
    "LimitNICE={nice}, or AmbientCapabilities=CAP_SYS_NICE",
    "--ulimit nice={nice_limit} --cap-add SYS_NICE",
)
_OTHERS = Permit(
    "CAP_SYS_NICE, or to be the same user as the process",
    "",
    "AmbientCapabilities=CAP_SYS_NICE",
    "--cap-add SYS_NICE",
)
_TIMERS = Permit(
    "CAP_SYS_NICE, also for a process of the same user; what sets its own needs nothing: a relay, or a "
    "command that is started by `sprint optimize apply -- COMMAND`",
    "",
    "AmbientCapabilities=CAP_SYS_NICE",
    "--cap-add SYS_NICE",
)
_LIMITS = Permit(
    "CAP_SYS_RESOURCE, as a hard limit is raised by nobody else",
    "",
    "LimitRTTIME=200ms:500ms, or AmbientCapabilities=CAP_SYS_RESOURCE",
    "--ulimit rttime=200000:500000 --cap-add SYS_RESOURCE",
)
_MEMORY_NODE = Permit(
    "a seccomp filter that lets set_mempolicy through",
    "",
    "SystemCallFilter=set_mempolicy get_mempolicy",
    "--cap-add SYS_NICE, which Docker's own filter asks of set_mempolicy",
)
_DMA_LATENCY = Permit(
    "write access to /dev/cpu_dma_latency, which is root's",
    "",
    "DeviceAllow=/dev/cpu_dma_latency rw, and a udev rule that gives the file to the service's group",
    "--device /dev/cpu_dma_latency",
)
_SYSCTL = Permit(
    "root, with /proc/sys writable",
    "sudo sysctl -w {name}={value}",
    "a file in /etc/sysctl.d with {name}={value}",
    "set it on the host: {name} is not a container's own",
)

PERMITS: dict[str, Permit] = {
    "scheduler": _SCHEDULE,
    "memory_lock": _LOCK,
    "nice": _NICE,
    "cpu_affinity": _OTHERS,
    "io_priority": _OTHERS,
    "timer_slack": _TIMERS,
    "realtime_guard": _LIMITS,
    "numa_policy": _MEMORY_NODE,
    "cpu_dma_latency": _DMA_LATENCY,
}


def refusal(key: str, error_number: int, value: Value = 0) -> Refusal:
    """Return why a setting was refused and what would permit it, for the value that was wanted."""
    name = errno.errorcode.get(error_number, str(error_number))
    return Refusal(error_number, name, remedy(key, error_number, value))


def remedy(key: str, error_number: int, value: Value = 0) -> str:
    """Return what would permit a setting that was refused with an errno."""
    if error_number in NO_SYSTEM_CALL:
        return "this kernel is built without it: another kernel, nothing else"
    if error_number in GONE:
        return "the process has ended"
    if error_number == errno.EROFS:
        return HOST_FILES_READ_ONLY
    if error_number == errno.EINVAL and key == "cpu_affinity":
        return "the cpuset of this process has none of these CPUs: systemd AllowedCPUs=, docker --cpuset-cpus"
    if error_number == errno.EPERM and key == "nice":
        # EACCES is what a limit of nice permits: setpriority(2).
        return _OTHERS.says()
    permit = _SYSCTL if key.startswith("sysctl:") else PERMITS.get(key)
    if permit is None:
        return remedy_elsewhere(key) or "root, or the user whose process it is"
    return permit.says().format(**_figures(key, value))


def _figures(key: str, value: Value) -> dict[str, object]:
    """Return what stands in a remedy's lines, for a wanted value."""
    last = value[-1] if isinstance(value, tuple) and value else value
    number = last if isinstance(last, int) else 0
    return {
        "priority": number,
        "bytes": number,
        "kilobytes": -(-number // 1024),
        "nice": number,
        # What setrlimit(2) calls RLIMIT_NICE: 20 minus the nice value.
        "nice_limit": 20 - number,
        "name": key.removeprefix("sysctl:"),
        "value": value,
    }
