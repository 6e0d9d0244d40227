"""From a level and a host to settings: what is wanted where, in which order, and what isn't to be had."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.optimize.cpu_choice import choose_cpus, preferred_node
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS, LevelFields, LevelName, changed
from sprint.core.optimize.plan import (
    GC_THRESHOLD_MAX,
    GUARD_HARD_US,
    GUARD_SOFT_US,
    describe,
    gc_thresholds,
    lock_is_covered,
    plan,
)
from sprint.core.optimize.setting import Setting

GIGABYTE = 1024**3


def host(cpus: int = 32, **facts: object) -> HostFacts:
    """A host of two nodes, each core with two threads (0 and 16, 1 and 17 …), where all is permitted."""
    half = cpus // 2
    base = HostFacts(
        cpus_allowed=tuple(range(cpus)),
        cpu_siblings=tuple((cpu, cpu + half) for cpu in range(half)),
        numa_nodes={0: tuple(range(0, cpus, 2)), 1: tuple(range(1, cpus, 2))},
        memory_total_bytes=8 * GIGABYTE,
        capabilities=frozenset({"sys_nice", "ipc_lock", "sys_resource"}),
        limits={"memlock": (-1, -1), "rttime": (-1, -1)},
        huge_pages_mode="madvise",
        realtime_runtime_us=950_000,
        dma_latency=True,
        sysctls={"net.core.busy_poll": "0", "net.core.busy_read": "0", "vm.swappiness": "60"},
    )
    return msgspec.structs.replace(base, **facts)


def by_key(level: LevelName | LevelFields, facts: HostFacts) -> dict[str, Setting]:
    fields = level if isinstance(level, LevelFields) else LEVELS[level].fields
    return {setting.key: setting for setting in plan(fields, facts)}


def test_basic_sets_only_what_is_of_this_process() -> None:
    assert set(by_key("basic", host())) == {"worker_threads", "thread_stack", "memory_limit"}


@pytest.mark.parametrize(("cpus", "keys"), [
    (3, set()),
    (4, {"cpu_affinity"}),
    (8, {"cpu_affinity", "huge_pages"}),
    (16, {"cpu_affinity", "huge_pages", "numa_policy"}),
])  # fmt: skip
def test_standard_asks_for_a_host_of_some_size(cpus: int, keys: set[str]) -> None:
    placing = {"cpu_affinity", "huge_pages", "numa_policy"}
    assert placing & set(by_key("standard", host(cpus))) == keys


def test_the_guard_stands_before_the_policy_and_both_are_last() -> None:
    for level in ("enterprise", "turbo"):
        keys = [setting.key for setting in plan(LEVELS[level].fields, host())]
        assert keys[-2:] == ["realtime_guard", "scheduler"]


def test_aggressive_is_real_time_only_where_that_is_asked_for() -> None:
    assert "scheduler" not in by_key("aggressive", host())
    asked = changed(LEVELS["aggressive"].fields, {"realtime": "required", "realtime_policy": "rr"})
    assert by_key(asked, host())["scheduler"].value == ("rr reset-on-fork", 10)


def test_turbo_runs_on_isolated_cpus_if_there_are_any() -> None:
    facts = host(cpus_isolated=(6, 7, 8))
    assert by_key("turbo", facts)["cpu_affinity"].value == (6, 8)
    assert by_key("enterprise", facts)["cpu_affinity"].value == (2, 4, 6, 8)


def test_each_chosen_cpu_is_on_a_core_of_its_own_and_cpu_0_comes_last() -> None:
    cpus, _ = choose_cpus(LevelFields(cpus_pinned_max=3), host(8, numa_nodes={0: tuple(range(8))}))
    assert cpus == (1, 2, 3)
    siblings_too, _ = choose_cpus(LevelFields(cpus_pinned_max=5), host(8, numa_nodes={0: tuple(range(8))}))
    assert siblings_too == (0, 1, 2, 3, 5)


def test_a_core_whose_first_thread_is_not_allowed_counts_by_its_second() -> None:
    facts = host(8, cpus_allowed=(4, 5, 1), numa_nodes={0: tuple(range(8))})
    cpus, _ = choose_cpus(LevelFields(cpus_pinned_max=2), facts)
    assert cpus == (1, 4)


def test_chosen_cpus_are_on_the_node_of_the_network_card() -> None:
    facts = host(8, network_nodes=(1,))
    assert preferred_node(facts) == 1
    assert choose_cpus(LevelFields(cpus_pinned_max=2), facts)[0] == (1, 3)
    assert by_key("turbo", facts)["numa_policy"].value == ("preferred", 1)


def test_no_more_cpus_than_are_allowed_are_pinned() -> None:
    assert by_key("enterprise", host(2))["cpu_affinity"].value == (0, 1)


def test_a_quota_is_what_all_cpus_means() -> None:
    facts = host(32, cpu_quota=2.5)
    assert facts.cpus == 3
    assert by_key("turbo", facts)["worker_threads"].value == 3
    assert by_key("standard", facts)["worker_threads"].value == 6
    assert "cpu_affinity" not in by_key("standard", facts)


def test_a_cgroups_memory_is_what_a_share_is_of() -> None:
    facts = host(cgroup_memory_bytes=GIGABYTE)
    assert by_key("basic", facts)["memory_limit"].value == GIGABYTE // 2
    assert by_key("turbo", facts)["memory_limit"].value == GIGABYTE * 95 // 100
    assert by_key("basic", host())["memory_limit"].value == 4 * GIGABYTE


@pytest.mark.parametrize(("limit", "may_lock", "covered"), [
    (1000, False, True), (999, False, False), (0, True, True), (-1, False, True),
])  # fmt: skip
def test_a_limit_covers_a_lock_only_if_it_covers_all_there_will_be(
    limit: int, *, may_lock: bool, covered: bool
) -> None:
    assert lock_is_covered(limit, may_lock=may_lock, bytes_most=1000) is covered


def test_without_throttling_nothing_is_real_time_unless_asked() -> None:
    facts = host(realtime_runtime_us=-1)
    refused = by_key("turbo", facts)
    assert "sched_rt_runtime_us is -1" in refused["scheduler"].unsupported
    assert "sched_rt_runtime_us is -1" in refused["realtime_guard"].unsupported
    asked = changed(LEVELS["turbo"].fields, {"realtime_unthrottled": "on"})
    assert by_key(asked, facts)["scheduler"].unsupported == ""
    no_kill = msgspec.structs.replace(facts, capabilities=frozenset({"sys_nice"}))
    assert "not even then" in by_key(asked, no_kill)["scheduler"].unsupported


def test_a_hard_limit_that_could_not_be_put_back_is_left() -> None:
    assert by_key("turbo", host())["realtime_guard"].value == (GUARD_SOFT_US, GUARD_HARD_US)
    without = host(capabilities=frozenset({"sys_nice"}))
    assert by_key("turbo", without)["realtime_guard"].value == (GUARD_SOFT_US, -1)
    lower = msgspec.structs.replace(without, limits={"rttime": (90_000, 100_000)})
    assert by_key("turbo", lower)["realtime_guard"].value == (100_000, 100_000)


def test_throttling_itself_is_in_no_plan() -> None:
    for level in LEVELS.values():
        assert not [each for each in plan(level.fields, host()) if "sched_rt" in each.key]


def test_without_leave_to_touch_the_host_no_setting_is_the_hosts() -> None:
    for level in LEVELS.values():
        fields = changed(level.fields, {"system": False})
        assert {each.scope for each in plan(fields, host())} <= {"process", "thread"}


def test_what_a_host_has_not_got_is_in_the_plan_with_the_reason() -> None:
    bare = host(2, numa_nodes={0: (0, 1)}, huge_pages_mode="never", dma_latency=False, sysctls={})
    found = by_key("turbo", bare)
    for key in ("numa_policy", "huge_pages", "cpu_dma_latency", "sysctl:net.core.busy_poll"):
        assert found[key].unsupported, key


def test_from_outside_only_what_the_kernel_lets_be_set_from_outside() -> None:
    def permitted(kind: str) -> set[str]:
        settings = plan(LEVELS["turbo"].fields, host(), kind)  # type: ignore[arg-type]
        return {each.key for each in settings if not each.unsupported}

    sysctls = {"sysctl:net.core.busy_poll", "sysctl:net.core.busy_read", "sysctl:vm.swappiness"}
    outside = {"cpu_affinity", "nice", "io_priority", "timer_slack", "realtime_guard", "scheduler", *sysctls}
    assert permitted("process") == outside
    assert permitted("command") == outside | {"numa_policy", "huge_pages", "cpu_dma_latency", "malloc_arenas"}
    assert permitted("self") >= outside | {"numa_policy", "huge_pages", "cpu_dma_latency", "memory_lock"}


def test_every_setting_says_why() -> None:
    for level in LEVELS.values():
        assert all(each.why for each in plan(level.fields, host()))


def test_effort_in_percent_as_thresholds() -> None:
    assert gc_thresholds(100) == (700, 10, 10)
    assert gc_thresholds(25) == (2_800, 10, 10)
    assert gc_thresholds(0) == (0, 10, 10)


def test_values_for_people() -> None:
    turbo = by_key("turbo", host(cpus_isolated=(6, 7, 8, 9)))
    assert describe(turbo["cpu_affinity"]) == "6,8"
    assert describe(turbo["scheduler"]) == "fifo reset-on-fork 10"


def test_where_full_rounds_wait_for_an_idle_moment_the_collector_makes_none_by_itself() -> None:
    """At enterprise it went on with them in the middle of work, beside those made while idle."""
    thresholds = {
        name: next(
            (each.value for each in plan(level.fields, HostFacts()) if each.key == "gc_threshold"), None
        )
        for name, level in LEVELS.items()
    }
    assert thresholds["enterprise"] == (7_000, 10, GC_THRESHOLD_MAX)
    assert thresholds["aggressive"] == (2_800, 10, 10)
    assert thresholds["turbo"] == (0, 10, 10), "off by the first"
