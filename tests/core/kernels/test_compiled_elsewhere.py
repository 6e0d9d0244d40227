"""Kernels compiled for another processor than this one are equal to their twins too.

A form that is named still has this processor's own instructions around its steps; and the dedup table and the
histogram have no forms. Here numba is told, in a process of its own, that the processor has what a form needs
and nothing more. `scripts/test --soak` runs all tests of the kernels so, with their long counts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sprint.core.kernels.tiers import TIERS, Tier
from sprint.core.kernels.warm_up import processor_features

ROOT = Path(__file__).resolve().parents[3]
KERNELS = "tests/core/kernels"
SHARE = (f"{KERNELS}/test_dedup.py", f"{KERNELS}/test_histogram.py")
TIMEOUT_S = {"default": 240.0, "soak": 7_200.0}
PROGRAM = """
import sys
import pytest
from sprint.core.kernels import chosen
from sprint.core.kernels.warm_up import processor_features
print("compiled for:", *sorted(processor_features()), "- chosen:", chosen()[0])
sys.exit(pytest.main(sys.argv[1:]))
"""


def run_for(tier: Tier, tests: tuple[str, ...], timeout_s: float) -> str:
    """Run tests on a processor that has what a tier needs; return what they printed."""
    missing = tier.needs - processor_features()
    if missing:
        pytest.skip(f"this processor has no {', '.join(sorted(missing))}")
    features = ",".join(f"+{name}" for name in sorted(tier.needs))
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--durations=5",
    ]
    command += ["--timeout", str(int(timeout_s)), *tests, f"--ignore={Path(__file__)}"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features},
        capture_output=True, text=True, check=False, timeout=timeout_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]
    return done.stdout


def check_printed(printed: str, tier: Tier) -> None:
    """The processor was the one that was meant, and tests ran."""
    told = re.search(r"compiled for: (.*) ?- chosen: (\w+)", printed)
    assert told, printed[:1_000]
    assert set(told[1].split()) == tier.needs
    assert told[2] == tier.name
    assert re.search(r"\d+ passed", printed), printed[-1_000:]


def test_tables_compiled_for_any_processor_give_what_the_reference_gives() -> None:
    portable = TIERS[-1]
    assert not portable.needs
    check_printed(run_for(portable, SHARE, TIMEOUT_S["default"]), portable)


@pytest.mark.soak
@pytest.mark.timeout(TIMEOUT_S["soak"])
@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_all_kernels_compiled_for_each_processor_give_what_the_reference_gives(tier: Tier) -> None:
    printed = run_for(tier, (KERNELS,), TIMEOUT_S["soak"])
    check_printed(printed, tier)
    print(printed)
