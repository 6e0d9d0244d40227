"""The suite itself: what a benchmark tells reaches the table, and the table judges as the target says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.__main__ import chosen, listing, run, strays
from tests.bench.rows import Row, rows_in, skip, table, tell
from tests.bench.targets import AVX512, BENCHES, Bench, Target

FOLDER = Path(__file__).parent
LETTERS = st.characters(categories=("L", "N"), include_characters=" /,.µ")
WORDS = st.text(LETTERS, min_size=1, max_size=30).map(str.strip)
LATENCY = Target("lateness", "at most", 5, " ms")
SPEED = Target("speed", "at least", 2, wanted_without_avx512=1.5)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS, st.floats(0, 1e12)), max_size=5))
def test_a_row_comes_back_out_of_the_output_it_stands_in(told: list[tuple[str, str, str, float]]) -> None:
    text = "another line\n"
    for name, ours, peer, found in told:
        text += line_of(name, ours, peer, found)
    assert list(rows_in(text)) == [Row(name, ours, peer, found) for name, ours, peer, found in told]


def line_of(name: str, ours: str, peer: str, found: float) -> str:
    written: list[str] = []
    tell(name, found, ours=ours, peer=peer, write=written.append)
    return "".join(f"{line}\n" for line in written)


def test_a_row_that_could_not_be_measured_says_why() -> None:
    written: list[str] = []
    skip("speed", "no C compiler", write=written.append)
    (row,) = rows_in("\n".join(written))
    assert verdict(SPEED, [row]) == "skipped: no C compiler"


def test_a_field_that_would_be_read_as_two_is_refused() -> None:
    with pytest.raises(ValueError, match="separator"):
        tell("speed", 1.0, ours="1 | 2")


@pytest.mark.parametrize(
    ("target", "found", "features", "wanted"),
    [
        (SPEED, 2.0, {AVX512}, "yes"),
        (SPEED, 1.99, {AVX512}, "no"),
        (SPEED, 1.5, set(), "yes"),
        (SPEED, 1.49, set(), "no"),
        (LATENCY, 5.0, set(), "yes"),
        (LATENCY, 5.01, set(), "no"),
        (Target("shown only"), 1.0, set(), "-"),
    ],
)
def test_a_target_is_reached_at_its_goal_and_not_short_of_it(
    target: Target, found: float, features: set[str], wanted: str
) -> None:
    assert verdict(target, [Row(target.name, "ours", "peer", found)], frozenset(features)) == wanted


def test_a_target_that_nothing_was_told_of_is_in_the_table_too() -> None:
    assert verdict(SPEED, []) == "not measured"


def verdict(target: Target, rows: list[Row], features: frozenset[str] = frozenset({AVX512})) -> str:
    """The last column of the one row below the headings."""
    heading, line = table([target], rows, features)
    return line[heading.index("reached") :]


def test_every_benchmark_is_listed_and_those_with_targets_exist() -> None:
    files = {path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py")}
    assert {bench.name for bench in BENCHES} <= files
    assert {bench.name for bench in chosen(())} == files
    assert files <= {line.split()[0] for line in listing()}


def test_a_row_that_no_target_waits_for_is_an_error() -> None:
    bench = Bench("speed", (SPEED,))
    assert strays([bench], [Row("speed", "1", "1", 1.0), Row("sped", "1", "1", 1.0)]) == ["sped"]


def test_the_page_on_speed_names_every_benchmark_that_has_a_goal() -> None:
    page = (FOLDER.parents[1] / "docs" / "explanation" / "speed.md").read_text(encoding="utf-8")
    assert [bench.name for bench in BENCHES if f"`{bench.name}`" not in page] == []


def test_target_names_are_used_once_and_can_be_told() -> None:
    names = [target.name for bench in BENCHES for target in bench.targets]
    assert len(set(names)) == len(names)
    assert [name for name in names if " | " in name] == []


@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.name)
def test_a_quick_run_uses_options_that_its_benchmark_has(bench: Bench) -> None:
    source = (FOLDER / f"bench_{bench.name}.py").read_text(encoding="utf-8")
    known = set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', source))
    assert {word for word in bench.quick if word.startswith("--")} <= known


def test_a_benchmark_that_fails_leaves_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(Bench("of_no_such_name", ()), "", quick=True) is None


def test_a_name_that_is_no_benchmark_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "dedup", "fanotu"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "fanotu" in done.stderr
