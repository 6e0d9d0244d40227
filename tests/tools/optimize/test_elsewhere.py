"""Levels of Windows and macOS go through the same apply and restore as Linux's, on recorded fakes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS, LevelName
from sprint.core.optimize.plan_elsewhere import plan_elsewhere
from sprint.tools.optimize.actuators.elsewhere import actuators_elsewhere
from sprint.tools.optimize.applying import Applied, Target, apply
from tests.core.optimize.macos_model import MacOSModel
from tests.core.optimize.recorded_abi import RecordedAbi
from tests.core.optimize.windows_model import WindowsModel

FACTS = {
    name: HostFacts(platform=name, cpus_allowed=(0, 1, 2, 3), memory_total_bytes=16 << 30)
    for name in ("win32", "darwin")
}


def applied_on(platform: str, level: LevelName, abi: RecordedAbi, folder: Path) -> Applied:
    settings = plan_elsewhere(LEVELS[level].fields, FACTS[platform])
    actuators = actuators_elsewhere(platform, abi)
    return apply(
        settings, target=Target.of_self(), journal_folder=folder, clock=time.monotonic, actuators=actuators
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("platform", FACTS)
def test_a_level_is_applied_and_restored_by_the_same_tool_as_on_linux(
    platform: str, level: LevelName, tmp_path: Path
) -> None:
    model = WindowsModel() if platform == "win32" else MacOSModel(is_apple_silicon=False)
    earlier = model.state()
    applied = applied_on(platform, level, RecordedAbi(model), tmp_path)
    states = {outcome.setting.key: outcome.state for outcome in applied.outcomes}
    wanted = {each.setting.key for each in applied.outcomes if not each.setting.unsupported}
    assert {key for key, state in states.items() if state == "applied"} == wanted
    assert (model.state() != earlier) == (level != "basic")
    assert {outcome.setting.key: outcome.state for outcome in applied.drift()} == states
    applied.restore()
    assert model.state() == earlier


def test_a_refusal_of_windows_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    model = WindowsModel(holds_privilege=False)
    applied = applied_on("win32", "turbo", RecordedAbi(model), tmp_path)
    refused = {each.setting.key: each for each in applied.outcomes if each.state == "denied"}
    assert set(refused) == {"large_page_privilege"}
    refusal = refused["large_page_privilege"].refusal
    assert refusal is not None
    assert (refusal.name, "SeLockMemoryPrivilege" in refusal.remedy) == ("EPERM", True)
    assert model.priority_class == 0x80


def test_apple_silicon_has_no_affinity_tags_and_the_rest_goes_on(tmp_path: Path) -> None:
    model = MacOSModel()
    applied = applied_on("darwin", "turbo", RecordedAbi(model), tmp_path)
    states = {outcome.setting.key: outcome.state for outcome in applied.outcomes}
    assert states["affinity_tag"] == "unsupported"
    assert states["time_constraint_ns"] == "applied"


def test_on_a_platform_that_nobody_knows_nothing_is_set() -> None:
    assert actuators_elsewhere("plan9", RecordedAbi(object())) == {}
