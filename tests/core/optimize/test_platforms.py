"""Each setting of Windows and macOS on a recorded fake: its calls, what is read back and brought back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sprint.core.optimize.abi import Knob, Refused
from tests.core.optimize.macos_cases import MACOS
from tests.core.optimize.platform_of_tests import Model, Platform
from tests.core.optimize.windows_cases import WINDOWS
from tests.core.optimize.windows_model import WindowsModel

PLATFORMS = {"windows": WINDOWS, "macos": MACOS}
SETTINGS = [(platform, key) for platform in PLATFORMS.values() for key in platform.cases]
NAMES = [f"{name} {key}" for name, platform in PLATFORMS.items() for key in platform.cases]
each_setting = pytest.mark.parametrize(("platform", "key"), SETTINGS, ids=NAMES)


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_each_setting_has_a_case(platform: Platform) -> None:
    _, knobs = platform.opened(platform.model())
    assert set(knobs) == set(platform.cases) == set(platform.wrong)


@each_setting
def test_a_setting_is_read_written_read_back_and_restored(platform: Platform, key: str) -> None:
    case, model = platform.cases[key], platform.model()
    abi, knobs = platform.opened(model)
    knob, earlier = knobs[key], model.state()
    before = knob.read(0)
    assert abi.called == case.reading
    assert model.state() == earlier
    abi.calls.clear()
    knob.write(0, case.wanted)
    assert abi.called == case.writing
    found = knob.read(0)
    assert knob.meets(case.wanted, found)
    assert not knob.meets(case.wanted, before)
    assert model.state() != earlier
    assert knob.valid(before)
    knob.write(0, before)
    assert model.state() == earlier


@each_setting
def test_each_call_that_fails_is_told_with_its_name_and_leaves_no_handle_open(
    platform: Platform, key: str
) -> None:
    steps: list[Callable[[Knob], object]] = [
        lambda knob: knob.read(0),
        lambda knob: knob.write(0, platform.cases[key].wanted),
    ]
    for step in steps:
        abi, knobs = platform.opened(platform.model())
        step(knobs[key])
        for place, name in enumerate(abi.called):
            if name in platform.never_fail:
                continue
            model: Model = platform.model()
            failing, knobs = platform.opened(model)
            failing.failing, failing.code = place, platform.code
            with pytest.raises(Refused, match=f"{name} failed") as refused:
                step(knobs[key])
            assert refused.value.code == platform.code
            assert not isinstance(model, WindowsModel) or model.open_handles == []


@each_setting
def test_what_a_journal_may_not_ask_for_is_neither_valid_nor_written(platform: Platform, key: str) -> None:
    abi, knobs = platform.opened(platform.model())
    for value in platform.wrong[key]:
        assert not knobs[key].valid(value)
        with pytest.raises(ValueError, match=key):
            knobs[key].write(0, value)
    assert abi.called == []
