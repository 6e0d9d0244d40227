"""The settings of Windows on its model: values, calls, and values that are none."""

from __future__ import annotations

from sprint.core.optimize.abi import Knob, Region
from sprint.core.optimize.setting import Value
from sprint.core.optimize.windows import NO_THROTTLING, Windows
from tests.core.optimize.platform_of_tests import Case, Platform
from tests.core.optimize.recorded_abi import RecordedAbi
from tests.core.optimize.windows_model import PAGE, WindowsModel

BUFFERS = (Region(0x7F0000000100, 3 * PAGE), Region(0x7F0000100000, 2 * PAGE))
WHOLE = 6 * PAGE  # the first one begins within a page, so it takes four

TOKEN = ["OpenProcessToken", "LookupPrivilegeValueW"]
CASES: dict[str, Case] = {
    "cpu_affinity": Case(
        (0, 2),
        ["GetActiveProcessorGroupCount", "GetProcessAffinityMask"],
        ["GetActiveProcessorGroupCount", "SetProcessAffinityMask"],
    ),
    "priority_class": Case("high", ["GetPriorityClass"], ["SetPriorityClass"]),
    "working_set_bytes": Case(
        (256 * PAGE, 1024 * PAGE),
        ["GetProcessWorkingSetSize"],
        ["SetProcessWorkingSetSize"],
    ),
    "power_throttling": Case(NO_THROTTLING, ["GetProcessInformation"], ["SetProcessInformation"]),
    "thread_priority": Case(
        2,
        ["GetCurrentThread", "GetThreadPriority"],
        ["GetCurrentThread", "SetThreadPriority"],
    ),
    "buffer_lock_bytes": Case(
        WHOLE,
        ["K32QueryWorkingSetEx"] * 2,
        ["K32QueryWorkingSetEx", "VirtualLock"] * 2,
    ),
    "large_page_privilege": Case(
        "enabled",
        [*TOKEN, "GetTokenInformation", "CloseHandle"],
        [*TOKEN, "AdjustTokenPrivileges", "CloseHandle"],
    ),
    "timer_period_ms": Case(1, ["NtQueryTimerResolution"], ["NtQueryTimerResolution", "timeBeginPeriod"]),
}

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


def opened(model: WindowsModel) -> tuple[RecordedAbi, dict[str, Knob]]:
    abi = RecordedAbi(model)
    knobs = {knob.key: knob for knob in Windows(abi, buffers=BUFFERS).knobs()}
    abi.calls.clear()
    return abi, knobs


WINDOWS = Platform(
    cases=CASES,
    wrong=WRONG,
    # GetThreadPriority says so by its result alone, CloseHandle is heard by nobody.
    never_fail=frozenset({"GetCurrentProcess", "GetCurrentThread", "GetThreadPriority", "CloseHandle"}),
    code=5,
    model=WindowsModel,
    opened=opened,
)
