"""The pages on Windows, macOS and what was measured say what the code does: keys, calls, figures."""

from __future__ import annotations

import re
from pathlib import Path

from sprint.core.optimize import macos
from sprint.core.optimize import windows_functions as win
from sprint.core.optimize.abi import Function
from sprint.core.optimize.bench_result import GAIN_OF_ONE_MAX, GAIN_SHARE_MIN
from sprint.core.optimize.macos import MacOS
from sprint.core.optimize.plan_elsewhere import TIME_CONSTRAINT_NS
from sprint.core.optimize.verdict import CHANGE_SHARE_MIN, CONFIDENCE
from sprint.core.optimize.windows import Windows
from sprint.tools.optimize.bench.options import ROUNDS
from sprint.tools.optimize.bench.pauses import HEAP_OBJECTS
from sprint.tools.optimize.bench.scenes import SCENES
from tests.bench.bench_optimize import SEEDS_CLAIM
from tests.core.optimize.macos_model import MacOSModel
from tests.core.optimize.recorded_abi import RecordedAbi
from tests.core.optimize.windows_model import WindowsModel

DOCS = Path(__file__).resolve().parent.parent / "docs"
PLATFORMS = DOCS / "reference" / "optimize-windows-macos.md"
MEASURED = DOCS / "explanation" / "optimize-measured.md"


def test_each_setting_of_the_platforms_is_in_their_tables_and_no_other() -> None:
    _, windows, mac = re.split(r"^## (?:Windows|macOS)$", PLATFORMS.read_text("utf-8"), flags=re.MULTILINE)
    for page, knobs in (
        (windows, Windows(RecordedAbi(WindowsModel())).knobs()),
        (mac, MacOS(RecordedAbi(MacOSModel())).knobs()),
    ):
        keys = {knob.key for knob in knobs}
        named = set(re.findall(r"`(\w+_\w+)`", page.partition("\n\n")[2].partition("\n\n")[0]))
        assert keys <= named


def test_each_call_that_the_page_names_is_one_that_is_declared() -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+[a-z][A-Za-z0-9]*)`", PLATFORMS.read_text("utf-8")))
    named |= set(
        re.findall(
            r"`((?:thread|pthread|mach)_[a-z_]+|timeBeginPeriod|m?unlock|mlock)`",
            PLATFORMS.read_text("utf-8"),
        )
    )
    declared = {
        value.name
        for module in (win, macos)
        for value in vars(module).values()
        if isinstance(value, Function)
    }
    assert named - declared - {"thread_priority", "thread_quality"} == set()


def test_the_page_says_that_nobody_has_run_it() -> None:
    page = PLATFORMS.read_text("utf-8")
    assert "**Not run on hardware.**" in page
    assert TIME_CONSTRAINT_NS == (0, 5_000_000, 10_000_000, 1), "computation 5 ms, constraint 10 ms"
    assert "computation 5 ms, constraint 10 ms" in page


def test_the_method_on_the_page_is_the_codes() -> None:
    page = " ".join(MEASURED.read_text("utf-8").split())
    assert f"{CONFIDENCE:.0%}" in page
    assert f"{CHANGE_SHARE_MIN:.0%}" in page
    assert f"{ROUNDS} rounds" in page
    assert f"{HEAP_OBJECTS:,} objects" in page
    assert f"{GAIN_OF_ONE_MAX:g} times" in page
    assert f"within {GAIN_SHARE_MIN:.0%}" in page
    for scene in SCENES.values():
        for figure in scene.figures:
            assert figure.name.removesuffix(" p50").removesuffix(" p99") in page


def test_the_seeds_claims_stand_beside_what_was_measured() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \|", MEASURED.read_text("utf-8"), re.MULTILINE)
    assert {level: float(claim) for level, claim in rows} == SEEDS_CLAIM
