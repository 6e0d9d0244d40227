"""The settings of macOS on its model: values, calls, and values that are none."""

from __future__ import annotations

from sprint.core.optimize.abi import Knob, Region
from sprint.core.optimize.macos import COMPUTATION_NS_MAX, COMPUTATION_NS_MIN, MacOS
from sprint.core.optimize.setting import Value
from tests.core.optimize.macos_model import MacOSModel
from tests.core.optimize.platform_of_tests import Case, Platform
from tests.core.optimize.recorded_abi import RecordedAbi

BUFFERS = (Region(0x10000, 4096), Region(0x20000, 8192))
WHOLE = 12_288
THREAD = ["pthread_self", "pthread_mach_thread_np"]
CONSTRAINT = (10_000_000, 1_000_000, 2_000_000, 1)

CASES: dict[str, Case] = {
    "thread_quality": Case(
        ("user_interactive", -2),
        ["pthread_self", "pthread_get_qos_class_np"],
        ["pthread_set_qos_class_self_np"],
    ),
    "time_constraint_ns": Case(
        CONSTRAINT,
        [*THREAD, "thread_policy_get"],
        [*THREAD, "mach_timebase_info", "thread_policy_set"],
    ),
    "affinity_tag": Case(7, [*THREAD, "thread_policy_get"], [*THREAD, "thread_policy_set"]),
    "buffer_lock_bytes": Case(WHOLE, [], ["mlock", "mlock"]),
}

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


def opened(model: MacOSModel) -> tuple[RecordedAbi, dict[str, Knob]]:
    abi = RecordedAbi(model, code=8)
    return abi, {knob.key: knob for knob in MacOS(abi, buffers=BUFFERS).knobs()}


MACOS = Platform(
    cases=CASES,
    wrong=WRONG,
    never_fail=frozenset({"pthread_self"}),
    code=8,
    # Apple silicon has no affinity tags.
    model=lambda: MacOSModel(is_apple_silicon=False),
    opened=opened,
)
