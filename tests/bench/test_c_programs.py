"""A peer in C that can't be had leaves its rows skipped, with the reason; the others are measured."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sprint.core import kernels
from sprint.core.kernels.binding import REFERENCE_KERNELS
from tests.bench import bench_fanout, bench_kernels, c_programs
from tests.bench.bench_fanout import OURS, Result
from tests.bench.c_programs import Absent
from tests.bench.machine import COMPILERS
from tests.bench.rows import Row, rows_in
from tests.core.kernels.forms import compiled

NO_COMPILER = "no C compiler (cc, gcc, clang) on PATH"
BESIDE_C = {
    "merkle root of 3,315 ids / C over OpenSSL",
    "full check of a 1.2 MB block / its hashes in C over OpenSSL",
}


@pytest.fixture
def without_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which there is none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def rows_told(capsys: pytest.CaptureFixture[str]) -> dict[str, Row]:
    return {row.name: row for row in rows_in(capsys.readouterr().out)}


def test_without_a_compiler_both_programs_are_absent_and_say_so(
    without_compiler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = Absent(NO_COMPILER)
    assert bench_kernels.build(without_compiler) == bench_fanout.build(without_compiler) == absent
    assert capsys.readouterr().out == (
        f"OpenSSL in C: skipped, {NO_COMPILER}\nsend loop in C: skipped, {NO_COMPILER}\n"
    )


def test_without_a_compiler_the_rows_beside_c_are_skipped_and_the_others_measured(
    without_compiler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = compiled(kernels.chosen()[0])
    assert form is not None
    forms, openssl = {"reference": REFERENCE_KERNELS, form.tier: form}, bench_kernels.build(without_compiler)
    bench_kernels.merkle(forms, openssl, rounds=1)
    bench_kernels.full_check(forms, openssl, rounds=1)
    rows = rows_told(capsys)
    assert {name: rows[name].ours for name in BESIDE_C} == dict.fromkeys(BESIDE_C, NO_COMPILER)
    assert all(rows[name].found is None for name in BESIDE_C)
    assert rows["merkle root of 3,315 ids / hashlib"].found is not None


def test_without_a_compiler_fan_out_is_told_beside_the_others_only(
    without_compiler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {OURS: [Result(2.0, 1.0)], "websockets": [Result(1.0, 2.0)]}
    bench_fanout.tell_beside_loop("beside the loop", found, bench_fanout.build(without_compiler))
    bench_fanout.tell_rate("beside broadcast", found, "websockets")
    rows = rows_told(capsys)
    assert rows["beside the loop"] == Row("beside the loop", NO_COMPILER, "-", None)
    assert rows["beside broadcast"].found == 2.0


def test_a_program_that_cannot_be_built_is_absent_with_the_compilers_last_word(tmp_path: Path) -> None:
    if not any(map(shutil.which, COMPILERS)):
        pytest.skip(NO_COMPILER)
    source = tmp_path / "wrong.c"
    source.write_text("#include <no_such_header | at_all.h>\n")
    absent = c_programs.build(source, tmp_path / "wrong")
    assert absent is not None
    assert absent.reason.startswith("wrong.c could not be built: ")
    assert "|" not in absent.reason
