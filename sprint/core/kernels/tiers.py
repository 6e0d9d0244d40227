"""The forms that the hash kernels come in, and which of them a processor can run.

A tier is what one step of SHA-256 is made with. The order is that of speed, measured on a processor that has
them all (tests/bench/bench_kernels.py), so the first that the processor has is taken.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import msgspec

AUTO = "auto"
REFERENCE = "reference"


class Tier(msgspec.Struct, frozen=True):
    """One form. `needs` are features of the processor, by LLVM's names; `lanes` how many messages at once."""

    name: str
    lanes: int
    needs: frozenset[str]
    text: str


TIERS = (
    Tier("avx512", 16, frozenset({"avx512f", "avx512bw", "avx512vl"}), "16 lanes of AVX-512"),
    Tier("sha", 4, frozenset({"sha", "sse4.1"}), "SHA instructions, 4 messages side by side"),
    Tier("avx2", 8, frozenset({"avx2"}), "8 lanes of AVX2"),
    Tier("portable", 4, frozenset(), "4 lanes, on any processor"),
)
TIER_NAMES = (*(tier.name for tier in TIERS), REFERENCE)


def choose_tier(features: AbstractSet[str], wanted: str = AUTO) -> Tier:
    """Return the tier to use on a processor with these features: the first it can run, or the one wanted.

    ValueError for one that there is not, or that the processor can't run.
    """
    for tier in TIERS:
        if wanted not in {AUTO, tier.name}:
            continue
        missing = tier.needs - features
        if not missing:
            return tier
        if wanted == tier.name:
            raise ValueError(f"kernels {wanted!r} need {', '.join(sorted(missing))}, this processor has not")
    raise ValueError(f"kernels {wanted!r}: there are {', '.join((AUTO, *TIER_NAMES))}")
