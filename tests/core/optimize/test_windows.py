"""Windows on a recorded fake: what is its own. What holds of every setting is in test_platforms."""

from __future__ import annotations

import errno

import pytest

from sprint.core.optimize.abi import Refused
from sprint.core.optimize.windows import Windows
from tests.core.optimize.recorded_abi import RecordedAbi
from tests.core.optimize.windows_cases import WHOLE, opened
from tests.core.optimize.windows_model import PAGE, WindowsModel


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
