"""Limits of cgroups as files have them, in both versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import WireError
from sprint.core.optimize import cgroup


def test_places_by_controller_and_the_one_of_version_2() -> None:
    text = "4:memory:/a/b\n3:cpu,cpuacct:/c\n1:name=systemd:/x\n0::/user.slice/a:b\n"
    assert cgroup.parse_membership(text) == {
        "memory": "/a/b", "cpu": "/c", "cpuacct": "/c", "name=systemd": "/x", "": "/user.slice/a:b",
    }  # fmt: skip


def test_mounts_of_a_container_name_their_root() -> None:
    text = (
        "35 30 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
        "36 30 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    )
    assert cgroup.parse_mounts(text) == {
        "": ("/sys/fs/cgroup", "/"),
        "rw": ("/sys/fs/cgroup/cpu,cpuacct", "/docker/abc"),
        "cpu": ("/sys/fs/cgroup/cpu,cpuacct", "/docker/abc"),
        "cpuacct": ("/sys/fs/cgroup/cpu,cpuacct", "/docker/abc"),
    }


@pytest.mark.parametrize(
    ("place", "mount", "folders"),
    [
        ("/", ("/g", "/"), ["/g"]),
        ("/a/b", ("/g", "/"), ["/g/a/b", "/g/a", "/g"]),
        # A container sees its own cgroup at the mount point.
        ("/docker/abc", ("/g", "/docker/abc"), ["/g"]),
        ("/docker/abc/in", ("/g", "/docker/abc"), ["/g/in", "/g"]),
        # Outside of what is mounted, and out of the namespace: only the mount point is there to see.
        ("/docker/abcd", ("/g", "/docker/abc"), ["/g"]),
        ("/../other", ("/g", "/"), ["/g"]),
    ],
)
def test_limits_are_looked_for_up_to_the_mount_point(
    place: str, mount: tuple[str, str], folders: list[str]
) -> None:
    assert cgroup.folders_up(place, mount) == folders


def test_quotas() -> None:
    assert cgroup.quota_of_v2("150000 100000\n") == 1.5
    assert cgroup.quota_of_v2("max 100000\n") is None
    assert cgroup.quota_of_v1("-1\n", "100000\n") is None
    assert cgroup.quota_of_v1("50000", "100000") == 0.5


def test_memory() -> None:
    assert cgroup.memory_of_v2("max\n") is None
    assert cgroup.memory_of_v2("1048576\n") == 1_048_576
    assert cgroup.memory_of_v1("9223372036854771712\n") is None
    assert cgroup.memory_of_v1(str(cgroup.V1_UNLIMITED_FROM_BYTES - 1)) == cgroup.V1_UNLIMITED_FROM_BYTES - 1


@pytest.mark.parametrize("text", ["x 100000", "100000 0", "10 y"])
def test_what_is_no_quota_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        cgroup.quota_of_v2(text)


@given(st.lists(st.one_of(st.none(), st.integers(1, 100))))
def test_the_least_limit_holds(limits: list[int | None]) -> None:
    there = [limit for limit in limits if limit is not None]
    assert cgroup.least(limits) == (min(there) if there else None)
