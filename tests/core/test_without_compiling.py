"""The core passes its tests where nothing is compiled: with numba told not to, and without numba."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = "tests/core"
# By default those that work most with what has a compiled form; a soak runs all of the core's.
SHARE = (
    "tests/core/kernels/test_reference.py",
    "tests/core/kernels/test_histogram.py",
    "tests/core/chains/bitcoin_family/test_block.py",
)
TIMEOUT_S = {"default": 240.0, "soak": 3_600.0}
WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
JIT_OFF = {"NUMBA_DISABLE_JIT": "1"}
COMMANDS = {
    "JIT off": ([sys.executable, "-m", "pytest"], JIT_OFF),
    "no numba": ([sys.executable, "-c", WITHOUT_NUMBA], {}),
}


def run(way: str, tests: tuple[str, ...], timeout_s: float) -> None:
    command, environment = COMMANDS[way]
    done = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests, f"--ignore={Path(__file__)}"],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
        timeout=timeout_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-1_000:]
    assert int(passed[1]) >= len(tests), "every file has a test that needs no compiled form"


@pytest.mark.parametrize("way", COMMANDS)
def test_a_share_of_the_core_passes_where_nothing_is_compiled(way: str) -> None:
    run(way, SHARE, TIMEOUT_S["default"])


@pytest.mark.soak
@pytest.mark.timeout(TIMEOUT_S["soak"])
@pytest.mark.parametrize("way", COMMANDS)
def test_all_of_the_core_passes_where_nothing_is_compiled(way: str) -> None:
    run(way, (CORE,), TIMEOUT_S["soak"])
