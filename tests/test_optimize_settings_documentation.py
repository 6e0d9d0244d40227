"""The page of settings has each setting of each level, and no other; its figures are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS, REALTIME_PRIORITY, REALTIME_PRIORITY_MAX
from sprint.core.optimize.plan import GUARD_HARD_US, GUARD_SOFT_US, IN_PROCESS, SYSCTLS, plan
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS

DOCS = Path(__file__).resolve().parent.parent / "docs"
SETTINGS = (DOCS / "reference" / "optimize-settings.md").read_text(encoding="utf-8")
SAFETY = (DOCS / "explanation" / "optimize-safety.md").read_text(encoding="utf-8")
# Large enough for each setting of each level.
HOST = HostFacts(
    cpus_allowed=tuple(range(32)),
    numa_nodes={0: tuple(range(16)), 1: tuple(range(16, 32))},
    memory_total_bytes=1 << 36,
    realtime_runtime_us=950_000,
    dma_latency=True,
    huge_pages_mode="madvise",
    sysctls=dict.fromkeys(SYSCTLS, "0"),
)
PLANNED = {name: {each.key: each for each in plan(level.fields, HOST)} for name, level in LEVELS.items()}
KEYS = sorted(set().union(*PLANNED.values()))
ROWS = {
    cells[0].strip("`"): cells
    for line in SETTINGS.splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split(" | ")]) == 7
}


def test_every_setting_has_a_row_and_every_row_is_a_setting() -> None:
    assert sorted(set(ROWS) - {"setting", "---"}) == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_a_row_names_the_levels_that_have_the_setting(key: str) -> None:
    named = {name for name in LEVELS if name in ROWS[key][3].partition("where asked")[0]}
    if key == "scheduler":
        named.discard("aggressive")
    assert named == {name for name, settings in PLANNED.items() if key in settings}


@pytest.mark.parametrize("key", KEYS)
def test_a_row_says_how_it_is_seen_undone_and_permitted(key: str) -> None:
    assert all(ROWS[key])
    assert ROWS[key][4].startswith("`")


def test_what_the_process_itself_makes_stands_apart() -> None:
    apart = SETTINGS.index("## Of the Python process")
    for key in KEYS:
        inside = key in IN_PROCESS and key not in SYSTEM_ACTUATORS
        assert (SETTINGS.index(f"| `{key}` |") > apart) == inside, key


def test_figures_of_the_rows_are_the_codes() -> None:
    turbo = LEVELS["turbo"].fields
    assert f"SCHED_FIFO {REALTIME_PRIORITY} " in ROWS["scheduler"][1]
    assert f"{GUARD_SOFT_US // 1000} ms soft, {GUARD_HARD_US // 1000} ms hard" in ROWS["realtime_guard"][1]
    assert f"{turbo.busy_poll_us} µs" in ROWS["sysctl:net.core.busy_poll"][1]
    assert ROWS["sysctl:vm.swappiness"][1].startswith(f"{turbo.swappiness},")
    slacks = [LEVELS[name].fields.timer_slack_ns for name in ("standard", "aggressive", "turbo")]
    assert (slacks, "10 µs, 1 µs, 1 ns" in ROWS["timer_slack"][1]) == ([10_000, 1_000, 1], True)
    shares = ", ".join(str(level.fields.memory_limit_percent) for level in LEVELS.values())
    assert f"{shares} %" in ROWS["memory_limit"][1]


def test_figures_of_the_safety_page_are_the_codes() -> None:
    assert f"**Priority {REALTIME_PRIORITY}**, {REALTIME_PRIORITY_MAX} at most" in SAFETY
    assert f"At {GUARD_SOFT_US // 1000} ms" in SAFETY
    assert f"At {GUARD_HARD_US // 1000} ms" in SAFETY


def test_files_that_the_safety_page_names_are_there() -> None:
    named = re.findall(r"`(tests/[^`]+)`", SAFETY)
    assert named
    assert [name for name in named if not (DOCS.parent / name).exists()] == []
