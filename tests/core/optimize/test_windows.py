"""Windows on a recorded fake: what is called with what, what is read back, what a restore brings back."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from sprint.core.optimize.abi import Knob, Refused
from sprint.core.optimize.setting import Value
from sprint.core.optimize.windows import NO_THROTTLING, Region, Windows
from tests.core.optimize.recorded_abi import RecordedAbi
from tests.core.optimize.windows_model import PAGE, WindowsModel

BUFFERS = (Region(0x7F0000000100, 3 * PAGE), Region(0x7F0000100000, 2 * PAGE))
WHOLE = 6 * PAGE  # the first one begins within a page, so it takes four

# What each setting is set to, and the calls that a read and a write of it are.
TOKEN = ["OpenProcessToken", "LookupPrivilegeValueW"]
CASES: dict[str, tuple[Value, list[str], list[str]]] = {
    "cpu_affinity": (
        (0, 2),
        ["GetActiveProcessorGroupCount", "GetProcessAffinityMask"],
        ["GetActiveProcessorGroupCount", "SetProcessAffinityMask"],
    ),
    "priority_class": ("high", ["GetPriorityClass"], ["SetPriorityClass"]),
    "working_set_bytes": (
        (256 * PAGE, 1024 * PAGE),
        ["GetProcessWorkingSetSize"],
        ["SetProcessWorkingSetSize"],
    ),
    "power_throttling": (NO_THROTTLING, ["GetProcessInformation"], ["SetProcessInformation"]),
    "thread_priority": (
        2,
        ["GetCurrentThread", "GetThreadPriority"],
        ["GetCurrentThread", "SetThreadPriority"],
    ),
    "buffer_lock_bytes": (
        WHOLE,
        ["K32QueryWorkingSetEx"] * 2,
        ["K32QueryWorkingSetEx", "VirtualLock"] * 2,
    ),
    "large_page_privilege": (
        "enabled",
        [*TOKEN, "GetTokenInformation", "CloseHandle"],
        [*TOKEN, "AdjustTokenPrivileges", "CloseHandle"],
    ),
    "timer_period_ms": (1, ["NtQueryTimerResolution"], ["NtQueryTimerResolution", "timeBeginPeriod"]),
}
NEVER_FAIL = {"GetCurrentProcess", "GetCurrentThread"}


def opened(model: WindowsModel) -> tuple[RecordedAbi, dict[str, Knob]]:
    abi = RecordedAbi(model)
    knobs = {knob.key: knob for knob in Windows(abi, buffers=BUFFERS).knobs()}
    abi.calls.clear()
    return abi, knobs


def test_each_setting_has_a_case() -> None:
    _, knobs = opened(WindowsModel())
    assert set(knobs) == set(CASES)


@pytest.mark.parametrize("key", CASES)
def test_a_setting_is_read_written_read_back_and_restored(key: str) -> None:
    wanted, reading, writing = CASES[key]
    model = WindowsModel()
    abi, knobs = opened(model)
    knob, earlier = knobs[key], model.state()
    before = knob.read(0)
    assert abi.called == reading
    assert model.state() == earlier
    abi.calls.clear()
    knob.write(0, wanted)
    assert abi.called == writing
    found = knob.read(0)
    assert knob.meets(wanted, found)
    assert not knob.meets(wanted, before)
    assert model.state() != earlier
    assert knob.valid(before)
    knob.write(0, before)
    assert model.state() == earlier


def steps(key: str) -> list[Callable[[Knob], object]]:
    wanted = CASES[key][0]
    return [lambda knob: knob.read(0), lambda knob: knob.write(0, wanted)]


@pytest.mark.parametrize("key", CASES)
def test_each_call_that_fails_is_told_with_its_name_and_leaves_no_handle_open(key: str) -> None:
    for step in steps(key):
        abi, knobs = opened(WindowsModel())
        step(knobs[key])
        names = abi.called
        for place, name in enumerate(names):
            if name in NEVER_FAIL or name == "CloseHandle":
                continue
            model = WindowsModel()
            abi, knobs = opened(model)
            abi.failing = place
            if name == "GetThreadPriority":
                abi.code = 0  # it says so by its result alone; see the test of that
                continue
            with pytest.raises(Refused, match=f"{name} failed with ERROR_ACCESS_DENIED") as refused:
                step(knobs[key])
            assert (refused.value.errno, refused.value.code) == (errno.EACCES, 5)
            assert model.open_handles == []


def test_a_thread_priority_that_cannot_be_read_is_not_taken_for_a_priority() -> None:
    model = WindowsModel()
    model.thread_priority = 0x7FFFFFFF
    _, knobs = opened(model)
    with pytest.raises(OSError, match="GetThreadPriority failed"):
        knobs["thread_priority"].read(0)


def test_realtime_that_silently_became_high_is_seen_by_reading_back() -> None:
    _, knobs = opened(WindowsModel())
    knobs["priority_class"].write(0, "realtime")
    found = knobs["priority_class"].read(0)
    assert found == "high"
    assert not knobs["priority_class"].meets("realtime", found)


def test_with_several_processor_groups_the_thread_is_pinned_within_one() -> None:
    model = WindowsModel(groups=2)
    abi, knobs = opened(model)
    affinity = knobs["cpu_affinity"]
    before = affinity.read(0)
    assert before == (64, 65, 66, 67)
    affinity.write(0, (65, 66))
    assert abi.called[-2:] == ["GetCurrentThread", "SetThreadGroupAffinity"]
    assert model.thread_group == (0b0110, 1)
    assert model.process_mask == 0b1111
    with pytest.raises(OSError, match="2 processor groups") as refused:
        affinity.write(0, (0, 65))
    assert refused.value.errno == errno.EINVAL
    affinity.write(0, before)
    assert model.thread_group == (0b1111, 1)


def test_cpus_of_a_second_group_are_refused_where_there_is_one_group() -> None:
    _, knobs = opened(WindowsModel())
    with pytest.raises(OSError, match="has one processor group"):
        knobs["cpu_affinity"].write(0, (64,))


def test_a_privilege_the_user_was_not_given_is_absent_and_refused_although_the_call_succeeds() -> None:
    model = WindowsModel(holds_privilege=False)
    _, knobs = opened(model)
    privilege = knobs["large_page_privilege"]
    assert privilege.read(0) == "absent"
    with pytest.raises(Refused, match="ERROR_NOT_ALL_ASSIGNED") as refused:
        privilege.write(0, "enabled")
    assert refused.value.errno == errno.EPERM
    privilege.write(0, "absent")
    assert model.open_handles == []


def test_buffers_beyond_the_working_set_are_refused_until_it_is_grown() -> None:
    model = WindowsModel()
    model.working_set = (4 * PAGE, 345 * PAGE)
    _, knobs = opened(model)
    with pytest.raises(Refused, match="ERROR_WORKING_SET_QUOTA") as refused:
        knobs["buffer_lock_bytes"].write(0, WHOLE)
    assert refused.value.errno == errno.ENOMEM
    knobs["working_set_bytes"].write(0, (64 * PAGE, 345 * PAGE))
    knobs["buffer_lock_bytes"].write(0, WHOLE)
    assert knobs["buffer_lock_bytes"].read(0) == WHOLE


def test_each_timer_period_that_was_begun_is_ended() -> None:
    model = WindowsModel()
    _, knobs = opened(model)
    for period_ms in (1, 2, 1, 16):
        knobs["timer_period_ms"].write(0, period_ms)
        assert len(model.periods) == (period_ms < 16)


def test_a_finer_timer_than_wanted_meets_it() -> None:
    _, knobs = opened(WindowsModel())
    assert knobs["timer_period_ms"].meets(2, 1)
    assert not knobs["timer_period_ms"].meets(1, 2)


def test_buffers_come_from_the_node_of_a_cpu_in_whole_large_pages() -> None:
    model = WindowsModel()
    abi = RecordedAbi(model)
    windows = Windows(abi)
    assert [windows.node_of(cpu) for cpu in (0, 3, 7)] == [0, 1, None]
    with pytest.raises(Refused, match="ERROR_PRIVILEGE_NOT_HELD"):
        windows.allocate(5, node=1, large_pages=True)
    windows.set_large_page_privilege("enabled")
    region = windows.allocate(5, node=1, large_pages=True)
    assert model.allocated[region.address] == (2 << 20, 0x20003000, 1)
    small = windows.allocate(5, node=0)
    assert model.allocated[small.address] == (5, 0x3000, 0)
    windows.free(region)
    windows.free(small)
    assert model.allocated == {}
    model.large_page_size = 0
    with pytest.raises(OSError, match="no large pages"):
        windows.allocate(5, node=1, large_pages=True)


def test_another_process_is_opened_and_closed_and_only_what_can_be_set_from_outside_is_offered() -> None:
    model = WindowsModel()
    windows = Windows(RecordedAbi(model), pid=4321)
    keys = [knob.key for knob in windows.knobs()]
    assert keys == ["cpu_affinity", "priority_class", "working_set_bytes", "power_throttling"]
    windows.close()
    windows.close()
    assert model.open_handles == []
    grouped = Windows(RecordedAbi(WindowsModel(groups=2)), pid=4321)
    with pytest.raises(OSError, match="each thread sets its own"):
        grouped.cpus()


WRONG: dict[str, tuple[Value, ...]] = {
    "cpu_affinity": ((), "0", 3, (-1,), ("0",), (4096,)),
    "priority_class": ("fast", 0x80),
    "working_set_bytes": ((0, 1), (2, 1), 5, (1, 2, 3)),
    "power_throttling": ((8, 0), (1, 4), "off"),
    "thread_priority": (3, "2"),
    "buffer_lock_bytes": (1, -1, "0"),
    "large_page_privilege": ("on", 1),
    "timer_period_ms": (0, 17, "1"),
}


@pytest.mark.parametrize("key", WRONG)
def test_what_a_journal_may_not_ask_for_is_neither_valid_nor_written(key: str) -> None:
    model = WindowsModel()
    abi, knobs = opened(model)
    for value in WRONG[key]:
        assert not knobs[key].valid(value)
        with pytest.raises(ValueError, match=key):
            knobs[key].write(0, value)
    assert abi.called == []
