"""macOS on a recorded fake: what is its own. What holds of every setting is in test_platforms."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize.abi import Refused, Region
from sprint.core.optimize.macos import COMPUTATION_NS_MAX, COMPUTATION_NS_MIN, TIME_SHARED, MacOS
from tests.core.optimize.macos_cases import BUFFERS, CASES, CONSTRAINT, opened
from tests.core.optimize.macos_model import LOCKABLE_BYTES, MacOSModel
from tests.core.optimize.recorded_abi import RecordedAbi


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
    tag = knobs["affinity_tag"]
    for step in (lambda: tag.read(0), lambda: tag.write(0, CASES["affinity_tag"].wanted)):
        with pytest.raises(Refused, match="KERN_NOT_SUPPORTED") as refused:
            step()
        assert refused.value.errno == errno.ENOTSUP


def test_a_lock_that_is_refused_half_way_is_undone_by_a_restore() -> None:
    model = MacOSModel()
    buffers = (BUFFERS[0], Region(0x20000, LOCKABLE_BYTES))
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
