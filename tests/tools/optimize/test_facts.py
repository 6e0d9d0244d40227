"""Facts out of files: recorded hosts with both versions of cgroups, files that say nothing, and this host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sprint.core.optimize.levels import LEVELS
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Value
from sprint.tools.optimize.facts import read_facts
from tests.tools.optimize import recorded_hosts as hosts

GIGABYTE = 1024**3
V1_CPU = Path("/sys/fs/cgroup/cpu")
V1_MEMORY = Path("/sys/fs/cgroup/memory")


def planned(root: Path | None = None, pid: int | None = None) -> dict[str, Value]:
    facts = read_facts(pid) if root is None else read_facts(root=root)
    return {setting.key: setting.value for setting in plan(LEVELS["turbo"].fields, facts)}


def test_a_recorded_host_is_read_in_full(tmp_path: Path) -> None:
    facts = read_facts(root=hosts.record(tmp_path, hosts.V1))
    assert facts.kernel == "6.1.0-18-amd64"
    assert facts.cpus_allowed == tuple(range(8))
    assert facts.cpus_isolated == (6, 7)
    assert facts.cpu_siblings == ((0, 4), (1, 5), (2, 6), (3, 7))
    assert facts.numa_nodes == {0: (0, 1, 4, 5), 1: (2, 3, 6, 7)}
    assert facts.network_nodes == (1,)
    assert facts.capabilities == {"sys_nice"}
    assert facts.limits == {"memlock": (8_388_608, 8_388_608)}
    assert (facts.user, facts.threads) == (1000, 4)
    assert facts.huge_pages_mode == "madvise"
    assert facts.realtime_runtime_us == 950_000
    assert facts.dma_latency
    assert facts.sysctls == {"vm.swappiness": "60", "net.core.busy_poll": "0"}


@pytest.mark.parametrize(("files", "version", "quota", "cpus", "memory"), [
    ({}, 0, None, 8, 16 * GIGABYTE),
    (hosts.V1, 1, 3.0, 3, 4 * GIGABYTE),
    (hosts.V2_POD, 2, 1.5, 2, 3 * GIGABYTE // 4),
    (hosts.V2_CONTAINER, 2, 0.5, 1, GIGABYTE // 2),
])  # fmt: skip
def test_a_cgroups_limits_are_what_all_cpus_and_a_share_of_memory_mean(
    files: dict[str, str], version: int, quota: float | None, cpus: int, memory: int, tmp_path: Path
) -> None:
    root = hosts.record(tmp_path, files)
    facts = read_facts(root=root)
    assert (facts.cgroup_version, facts.cpu_quota, facts.cpus) == (version, quota, cpus)
    assert facts.memory_bytes == memory
    settings = planned(root)
    assert settings["worker_threads"] == cpus
    assert settings["memory_limit"] == memory * 95 // 100


def test_files_that_say_nothing_leave_their_facts_at_nothing(tmp_path: Path) -> None:
    broken = {name: "\x00?\n" for name in [*hosts.HOST, *hosts.V1] if name != "proc/self/status"}
    facts = read_facts(root=hosts.record(tmp_path, hosts.V1, broken))
    assert (facts.memory_total_bytes, facts.cpu_quota, facts.cpus_isolated) == (0, None, ())
    assert facts.realtime_runtime_us is None


def test_an_empty_root_has_one_cpu_and_nothing_is_permitted(tmp_path: Path) -> None:
    facts = read_facts(root=tmp_path)
    assert (facts.cpus, facts.capabilities, facts.cgroup_version) == (1, frozenset(), 0)
    assert plan(LEVELS["turbo"].fields, facts)


def test_this_host_is_read_as_python_reads_it() -> None:
    facts = read_facts()
    assert set(facts.cpus_allowed) == os.sched_getaffinity(0)
    assert facts.user == os.geteuid()
    assert facts.memory_total_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def version_1_group(controller: Path) -> Iterator[Path]:
    group = controller / f"sprint-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup of version 1 can be made here: {error}")
    try:
        yield group
    finally:
        group.rmdir()


@contextmanager
def process_in(group: Path) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (group / "cgroup.procs").write_text(str(process.pid))
        yield process.pid
    finally:
        process.communicate(b"\n")


@pytest.mark.skipif(not (V1_CPU / "cgroup.procs").exists(), reason="needs cgroups of version 1")
def test_a_quota_of_this_kernel_changes_the_number_of_threads() -> None:
    with version_1_group(V1_CPU) as group:
        if not (group / "cpu.cfs_quota_us").exists():
            pytest.skip("this kernel is built without CPU quotas")
        (group / "cpu.cfs_quota_us").write_text("50000")
        with process_in(group) as pid:
            assert read_facts(pid).cpu_quota == 0.5
            assert planned(pid=pid)["worker_threads"] == 1


@pytest.mark.skipif(not (V1_MEMORY / "cgroup.procs").exists(), reason="needs cgroups of version 1")
def test_a_memory_limit_of_this_kernel_changes_the_share() -> None:
    with version_1_group(V1_MEMORY) as group:
        (group / "memory.limit_in_bytes").write_text(str(GIGABYTE))
        with process_in(group) as pid:
            assert read_facts(pid).memory_bytes == GIGABYTE
            assert planned(pid=pid)["memory_limit"] == GIGABYTE * 95 // 100
