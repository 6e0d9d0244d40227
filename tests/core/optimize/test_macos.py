"""macOS on a recorded fake: what is called with what, what is read back, what a restore brings back."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize.abi import Knob, Refused
from sprint.core.optimize.macos import COMPUTATION_NS_MAX, COMPUTATION_NS_MIN, TIME_SHARED, Buffer, MacOS
from sprint.core.optimize.setting import Value
from tests.core.optimize.macos_model import LOCKABLE_BYTES, MacOSModel
from tests.core.optimize.recorded_abi import RecordedAbi

BUFFERS = (Buffer(0x10000, 4096), Buffer(0x20000, 8192))
WHOLE = 12_288
THREAD = ["pthread_self", "pthread_mach_thread_np"]
CONSTRAINT = (10_000_000, 1_000_000, 2_000_000, 1)

CASES: dict[str, tuple[Value, list[str], list[str]]] = {
    "thread_quality": (
        ("user_interactive", -2),
        ["pthread_self", "pthread_get_qos_class_np"],
        ["pthread_set_qos_class_self_np"],
    ),
    "time_constraint_ns": (
        CONSTRAINT,
        [*THREAD, "thread_policy_get"],
        [*THREAD, "mach_timebase_info", "thread_policy_set"],
    ),
    "affinity_tag": (7, [*THREAD, "thread_policy_get"], [*THREAD, "thread_policy_set"]),
    "buffer_lock_bytes": (WHOLE, [], ["mlock", "mlock"]),
}
NEVER_FAIL = {"pthread_self"}


def opened(model: MacOSModel) -> tuple[RecordedAbi, dict[str, Knob]]:
    abi = RecordedAbi(model, code=8)
    return abi, {knob.key: knob for knob in MacOS(abi, buffers=BUFFERS).knobs()}


def test_each_setting_has_a_case() -> None:
    _, knobs = opened(MacOSModel())
    assert set(knobs) == set(CASES)


@pytest.mark.parametrize("key", CASES)
def test_a_setting_is_read_written_read_back_and_restored(key: str) -> None:
    wanted, reading, writing = CASES[key]
    model = MacOSModel(is_apple_silicon=False)
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
def test_each_call_that_fails_is_told_with_its_name(key: str) -> None:
    for step in steps(key):
        abi, knobs = opened(MacOSModel(is_apple_silicon=False))
        step(knobs[key])
        for place, name in enumerate(abi.called):
            if name in NEVER_FAIL:
                continue
            failing, knobs = opened(MacOSModel(is_apple_silicon=False))
            failing.failing = place
            with pytest.raises(Refused, match=f"{name} failed") as refused:
                step(knobs[key])
            assert refused.value.code == 8


@pytest.mark.parametrize("is_apple_silicon", [True, False])
def test_time_constraints_go_to_mach_in_ticks_and_come_back_in_nanoseconds(*, is_apple_silicon: bool) -> None:
    model = MacOSModel(is_apple_silicon=is_apple_silicon)
    _, knobs = opened(model)
    knob = knobs["time_constraint_ns"]
    knob.write(0, CONSTRAINT)
    ticks = (240_000, 24_000, 48_000, 1) if is_apple_silicon else CONSTRAINT
    assert model.constraint == ticks
    assert knob.meets(CONSTRAINT, knob.read(0))
    knob.write(0, TIME_SHARED)
    assert model.state()["constraint"] is None
    assert knob.read(0) == TIME_SHARED


@given(
    computation=st.integers(COMPUTATION_NS_MIN, COMPUTATION_NS_MAX),
    slack=st.integers(0, 10**9),
    period=st.integers(0, 4 * 10**9),
    is_apple_silicon=st.booleans(),
)
def test_what_was_written_is_always_met_by_what_is_read(
    computation: int, slack: int, period: int, *, is_apple_silicon: bool
) -> None:
    _, knobs = opened(MacOSModel(is_apple_silicon=is_apple_silicon))
    wanted = (period, computation, computation + slack, 1)
    knobs["time_constraint_ns"].write(0, wanted)
    assert knobs["time_constraint_ns"].meets(wanted, knobs["time_constraint_ns"].read(0))


def test_a_time_constraint_leaves_the_classes_of_quality_for_good_and_says_so() -> None:
    _, knobs = opened(MacOSModel())
    knobs["time_constraint_ns"].write(0, CONSTRAINT)
    knobs["time_constraint_ns"].write(0, TIME_SHARED)
    with pytest.raises(Refused, match="pthread_set_qos_class_self_np failed with EPERM") as refused:
        knobs["thread_quality"].write(0, ("user_interactive", 0))
    assert refused.value.errno == errno.EPERM


def test_affinity_tags_are_unsupported_on_apple_silicon() -> None:
    _, knobs = opened(MacOSModel())
    for step in steps("affinity_tag"):
        with pytest.raises(Refused, match="KERN_NOT_SUPPORTED") as refused:
            step(knobs["affinity_tag"])
        assert refused.value.errno == errno.ENOTSUP


def test_a_lock_that_is_refused_half_way_is_undone_by_a_restore() -> None:
    model = MacOSModel()
    buffers = (BUFFERS[0], Buffer(0x20000, LOCKABLE_BYTES))
    knobs = {knob.key: knob for knob in MacOS(RecordedAbi(model), buffers=buffers).knobs()}
    lock = knobs["buffer_lock_bytes"]
    with pytest.raises(Refused, match="mlock failed with EAGAIN"):
        lock.write(0, LOCKABLE_BYTES + 4096)
    assert lock.read(0) == 4096
    lock.write(0, 0)
    assert model.locked == {}


def test_an_unspecified_quality_is_put_back_as_the_default() -> None:
    model = MacOSModel()
    model.quality = (0, 0)
    _, knobs = opened(model)
    assert knobs["thread_quality"].read(0) == ("unspecified", 0)
    knobs["thread_quality"].write(0, ("unspecified", 0))
    assert model.quality == (0x15, 0)


WRONG: dict[str, tuple[Value, ...]] = {
    "thread_quality": ("user_interactive", ("fast", 0), ("default", 1), ("default", -16), (1, 2)),
    "time_constraint_ns": (
        5,
        (1, 2, 3),
        (0, COMPUTATION_NS_MIN - 1, 10**9, 1),
        (0, COMPUTATION_NS_MAX + 1, 10**9, 1),
        (0, 100_000, 99_999, 1),
        (0, 100_000, 100_000, 2),
        (2**32, 100_000, 100_000, 1),
    ),
    "affinity_tag": (-1, 2**31, "1"),
    "buffer_lock_bytes": (1, -1, "0"),
}


@pytest.mark.parametrize("key", WRONG)
def test_what_a_journal_may_not_ask_for_is_neither_valid_nor_written(key: str) -> None:
    abi, knobs = opened(MacOSModel())
    for value in WRONG[key]:
        assert not knobs[key].valid(value)
        with pytest.raises(ValueError, match=key):
            knobs[key].write(0, value)
    assert abi.called == []
