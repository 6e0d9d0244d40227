"""The levels on Windows and macOS: what each row comes to, and that it can be written there."""

from __future__ import annotations

import pytest

from sprint.core.optimize.abi import Knob
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS, LevelFields, LevelName, changed
from sprint.core.optimize.macos import MacOS
from sprint.core.optimize.plan import plan
from sprint.core.optimize.plan_elsewhere import REMEDIES, plan_elsewhere, remedy_elsewhere
from sprint.core.optimize.setting import Setting
from sprint.core.optimize.windows import Windows
from tests.core.optimize.macos_model import MacOSModel
from tests.core.optimize.recorded_abi import RecordedAbi
from tests.core.optimize.windows_model import WindowsModel

GIGABYTE = 1 << 30
WINDOWS = HostFacts(platform="win32", cpus_allowed=(0, 1, 2, 3), memory_total_bytes=16 * GIGABYTE)
INTEL = HostFacts(platform="darwin", kernel="22.6.0 x86_64", cpus_allowed=(0, 1, 2, 3))
APPLE = HostFacts(platform="darwin", kernel="25.1.0 arm64", cpus_allowed=(0, 1, 2, 3))


def planned(level: LevelName, facts: HostFacts) -> dict[str, Setting]:
    return {setting.key: setting for setting in plan_elsewhere(LEVELS[level].fields, facts)}


def knobs() -> dict[str, dict[str, Knob]]:
    windows = Windows(RecordedAbi(WindowsModel())).knobs()
    macos = MacOS(RecordedAbi(MacOSModel(is_apple_silicon=False))).knobs()
    return {"win32": {knob.key: knob for knob in windows}, "darwin": {knob.key: knob for knob in macos}}


@pytest.mark.parametrize("facts", [WINDOWS, INTEL, APPLE])
@pytest.mark.parametrize("level", LEVELS)
def test_each_setting_of_each_level_is_written_and_read_back_or_says_why_not(
    level: LevelName, facts: HostFacts
) -> None:
    there = knobs()[facts.platform]
    for key, setting in planned(level, facts).items():
        assert setting.why
        if setting.unsupported:
            continue
        before = there[key].read(0)
        assert there[key].valid(setting.value)
        there[key].write(0, setting.value)
        assert there[key].meets(setting.value, there[key].read(0))
        there[key].write(0, before)
        assert there[key].read(0) == before


def test_basic_changes_nothing() -> None:
    assert [planned("basic", facts) for facts in (WINDOWS, INTEL, APPLE)] == [{}, {}, {}]


def test_windows_gets_the_high_class_and_realtime_only_where_it_is_asked_for() -> None:
    for level in ("enterprise", "turbo"):
        assert planned(level, WINDOWS)["priority_class"].value == "high"
    assert planned("aggressive", WINDOWS)["priority_class"].value == "above_normal"
    asked = changed(LEVELS["turbo"].fields, {"realtime_priority": 50})
    (priority,) = (each for each in plan_elsewhere(asked, WINDOWS) if each.key == "priority_class")
    assert priority.value == "realtime"


def test_windows_is_pinned_to_cpus_of_one_processor_group() -> None:
    facts = HostFacts(platform="win32", cpus_allowed=(0, 1, *range(64, 72)), memory_total_bytes=GIGABYTE)
    settings = {each.key: each for each in plan_elsewhere(LEVELS["turbo"].fields, facts)}
    assert settings["cpu_affinity"].value == (70, 71)


def test_a_mac_thread_gets_a_class_of_quality_or_a_time_constraint_never_both() -> None:
    for level in LEVELS:
        for facts in (INTEL, APPLE):
            assert not {"thread_quality", "time_constraint_ns"} <= set(planned(level, facts))
    assert "time_constraint_ns" in planned("turbo", APPLE)
    assert "thread_quality" in planned("aggressive", APPLE)


def test_affinity_tags_are_tried_on_intel_and_told_as_unsupported_on_apple_silicon() -> None:
    assert planned("turbo", INTEL)["affinity_tag"].unsupported == ""
    assert planned("turbo", APPLE)["affinity_tag"].unsupported == "Apple silicon has no affinity tags"


def test_linux_has_its_own_plan() -> None:
    assert plan_elsewhere(LevelFields(cpus_pinned="required"), HostFacts()) == ()


def test_remedies_are_for_settings_that_there_are() -> None:
    keys = {key for there in knobs().values() for key in there}
    assert set(REMEDIES) <= keys
    assert "SeLockMemoryPrivilege" in remedy_elsewhere("large_page_privilege")
    assert remedy_elsewhere("cpu_affinity") == ""


@pytest.mark.parametrize("facts", [WINDOWS, INTEL])
def test_the_plan_of_a_host_is_its_platforms_own_and_cpythons(facts: HostFacts) -> None:
    fields = LEVELS["turbo"].fields
    keys = [setting.key for setting in plan(fields, facts)]
    own = [setting.key for setting in plan_elsewhere(fields, facts)]
    assert keys[: len(own)] == own
    assert {"gc_threshold", "switch_interval"} <= set(keys[len(own) :])
    assert not {"scheduler", "realtime_guard"} & set(keys)
