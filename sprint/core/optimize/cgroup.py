"""What a cgroup allows, version 1 and 2: the CPUs' worth of a quota, and memory in bytes.

A limit of any cgroup above counts as well: the least of all is what holds. Sources: cgroups(7), the kernel's
Documentation/admin-guide/cgroup-v2.rst (`cpu.max`, `memory.max`, `memory.high`) and cgroup-v1/.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.errors import WireError

# What version 1 writes for no limit: the largest number of pages, in bytes; anything near it is none.
V1_UNLIMITED_FROM_BYTES = 1 << 62
LINES_MAX = 64
DEPTH_MAX = 64


def parse_membership(text: str) -> dict[str, str]:
    """Return a process's place in each hierarchy out of /proc/PID/cgroup, by controller; "" is version 2."""
    places = {}
    for line in text.splitlines()[:LINES_MAX]:
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon or not path.startswith("/"):
            raise WireError(f"{line[:120]!r} is no line of /proc/PID/cgroup")
        for controller in controllers.split(","):
            places[controller] = path
    return places


def parse_mounts(mountinfo: str) -> dict[str, tuple[str, str]]:
    """Return where each hierarchy is mounted, by controller, "" for version 2: its mount point and its root.

    The root is the place in the hierarchy that is seen at the mount point: in a container often its own.
    """
    mounts: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if not dash or len(fields) < 5 or not kind:
            continue
        if kind[0] == "cgroup2":
            mounts.setdefault("", (fields[4], fields[3]))
        elif kind[0] == "cgroup" and len(kind) > 2:
            for controller in kind[2].split(","):
                mounts.setdefault(controller, (fields[4], fields[3]))
    return mounts


def folders_up(place: str, mount: tuple[str, str]) -> list[str]:
    """Return a cgroup's folder and those above it, up to its mount point; each may have a limit.

    In a container's own cgroup namespace the place may lie outside of what is mounted: then the mount
    point is all there is to see.
    """
    point, root = mount
    inside = place[len(root.rstrip("/")) :] if _is_within(place, root) else "/"
    parts = [part for part in inside.split("/") if part]
    if ".." in parts:
        parts = []
    folders = ["/".join([point.rstrip("/"), *parts[:count]]) for count in range(len(parts), -1, -1)]
    return folders[:DEPTH_MAX]


def quota_of_v2(cpu_max: str) -> float | None:
    """Return the CPUs' worth of a `cpu.max`: `150000 100000` is 1.5, `max 100000` is None."""
    quota, _, period = cpu_max.strip().partition(" ")
    return None if quota == "max" else _quota(quota, period or "100000")


def quota_of_v1(quota_us: str, period_us: str) -> float | None:
    """Return the CPUs' worth of `cpu.cfs_quota_us` and `cpu.cfs_period_us`; a quota of -1 is None."""
    return None if quota_us.strip() == "-1" else _quota(quota_us, period_us)


def memory_of_v2(text: str) -> int | None:
    """Return the bytes of a `memory.max` or `memory.high`; `max` is None."""
    return None if text.strip() == "max" else _number(text)


def memory_of_v1(text: str) -> int | None:
    """Return the bytes of a `memory.limit_in_bytes`; None where there is no limit."""
    number = _number(text)
    return None if number >= V1_UNLIMITED_FROM_BYTES else number


def least(limits: Sequence[float | None]) -> float | None:
    """Return the least of some limits; None where there is none."""
    return min((limit for limit in limits if limit is not None), default=None)


def _quota(quota: str, period: str) -> float:
    microseconds = _number(period)
    if microseconds == 0:
        raise WireError("a CPU quota with a period of 0 us")
    return _number(quota) / microseconds


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise WireError(f"{text[:40]!r} is no limit of a cgroup") from error


def _is_within(place: str, root: str) -> bool:
    return root in {"/", place} or place.startswith(root.rstrip("/") + "/")
