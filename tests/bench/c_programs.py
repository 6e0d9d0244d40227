"""The peers in C: built where there is a compiler, and absent, with the reason, where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from tests.bench.machine import COMPILERS, compiler

BUILD_TIMEOUT_S = 60.0


class Absent(msgspec.Struct, frozen=True):
    """Stands for a peer that can't be had; the rows beside it are skipped with this reason."""

    reason: str


def build(source: Path, program: Path, *options: str) -> Absent | None:
    """Build a program; None where it is there then."""
    found = compiler()
    if found is None:
        return Absent(f"no C compiler ({', '.join(COMPILERS)}) on PATH")
    done = subprocess.run(
        [found, "-O2", "-w", "-o", program, source, *options],
        capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S,
    )  # fmt: skip
    return Absent(f"{source.name} could not be built: {_last_line(done.stderr)}") if done.returncode else None


def _last_line(said: str) -> str:
    """Return what a row can hold of a compiler's complaint."""
    lines = said.strip().splitlines() or ["it said nothing"]
    return lines[-1].replace("|", "/")
