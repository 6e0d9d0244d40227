"""Whether a change helped, did nothing, or hurt: two samples, the ratio between them, and how sure that is.

A sample is one figure for each round (the p99 of a round, its longest pause): values within a round hang
together, rounds much less, so rounds are what is counted. The ratio after / before is the Hodges-Lehmann
estimate on logarithms, and its interval the one that belongs to the Mann-Whitney test, from the exact
distribution of that test's statistic (Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed.,
4.1 to 4.3). Nothing is assumed of the figures' distribution but that a change shifts it; where nothing
changed, the interval misses 1 in no more than the share of cases that was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import median
from typing import Literal

import msgspec

from sprint.core.errors import ConfigError

Verdict = Literal["helped", "no effect here", "hurt"]
Better = Literal["less", "more"]

CONFIDENCE = 0.95
# A change that is sure but smaller than this is none that anybody would notice.
CHANGE_SHARE_MIN = 0.05
ROUNDS_MIN = 4  # of each side; with fewer no interval of 95 % exists
ROUNDS_MAX = 64


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """After beside before. `ratio` is after / before; it lies in `low` to `high` with `confidence`."""

    ratio: float
    low: float
    high: float
    confidence: float
    verdict: Verdict


def compare(
    before: Sequence[float],
    after: Sequence[float],
    *,
    better: Better = "less",
    confidence: float = CONFIDENCE,
) -> Change:
    """Return the change between two samples of positive figures, one for each round.

    ValueError for figures that are not above 0, and for too few or too many rounds.
    """
    for rounds in (before, after):
        if not ROUNDS_MIN <= len(rounds) <= ROUNDS_MAX:
            raise ValueError(f"{len(rounds)} rounds; want {ROUNDS_MIN} to {ROUNDS_MAX} of each side")
        if not all(value > 0 and math.isfinite(value) for value in rounds):
            raise ValueError(f"{min(rounds)} is no figure above 0")
    shifts = sorted(math.log(one / other) for one in after for other in before)
    skipped = shifts_left_out(len(before), len(after), confidence)
    ratio, low, high = (
        math.exp(shift) for shift in (median(shifts), shifts[skipped], shifts[len(shifts) - 1 - skipped])
    )
    verdict = _verdict(ratio, low, high, better)
    return Change(ratio=ratio, low=low, high=high, confidence=confidence, verdict=verdict)


def rounds_for(confidence: float) -> int:
    """Return how many rounds of each side are needed before an interval of this confidence exists at all."""
    for rounds in range(ROUNDS_MIN, ROUNDS_MAX + 1):
        if 2 / math.comb(2 * rounds, rounds) <= 1 - confidence:
            return rounds
    raise ValueError(f"no interval of {confidence:%} with {ROUNDS_MAX} rounds")


def confidence_of_each(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the confidence that each of some figures must have, that all together have the one given.

    Bonferroni's: of ten figures that did not change, one would else be told as changed in 40 % of cases.
    """
    return 1 - (1 - confidence) / max(1, count)


def shifts_left_out(count: int, other: int, confidence: float) -> int:
    """Return how many of the smallest, and of the greatest, pairwise shifts lie outside of the interval.

    ConfigError where no interval of that confidence exists.
    """
    ways = _ways_of_statistic(min(count, other), max(count, other))
    tail_max = (1 - confidence) / 2 * math.comb(count + other, count)
    seen = 0
    for place, number in enumerate(ways):
        seen += number
        if seen > tail_max:
            if place == 0:
                raise ConfigError(
                    f"{count} and {other} rounds give no interval of {confidence:.2%}: "
                    f"want {rounds_for(confidence)} of each"
                )
            return place - 1
    raise ValueError(f"a confidence of {confidence}")


@lru_cache(maxsize=64)
def _ways_of_statistic(count: int, other: int) -> tuple[int, ...]:
    """Return in how many orders of the values Mann and Whitney's U is 0, 1, 2 … : a Gaussian binomial."""
    ways = [1] + [0] * (count * other)
    for step in range(1, count + 1):
        for place in range(len(ways) - 1, other + step - 1, -1):
            ways[place] -= ways[place - other - step]
        for place in range(step, len(ways)):
            ways[place] += ways[place - step]
    return tuple(ways)


def _verdict(ratio: float, low: float, high: float, better: Better) -> Verdict:
    if better == "more":
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    if high < 1 and ratio <= 1 - CHANGE_SHARE_MIN:
        return "helped"
    if low > 1 and ratio >= 1 / (1 - CHANGE_SHARE_MIN):
        return "hurt"
    return "no effect here"


def verdict_of_all(verdicts: Mapping[str, Verdict]) -> tuple[Verdict, str]:
    """Return one verdict of several figures, and a sentence: what hurt anything is not told as a help."""
    helped = [name for name, verdict in verdicts.items() if verdict == "helped"]
    hurt = [name for name, verdict in verdicts.items() if verdict == "hurt"]
    parts = [f"{word} {', '.join(names)}" for word, names in (("helped", helped), ("hurt", hurt)) if names]
    overall: Verdict = "hurt" if hurt else "helped" if helped else "no effect here"
    return overall, "; ".join(parts) or "no figure changed by more than the noise"


def in_words(change: Change) -> str:
    """Say a change as people do: `helped: 2.30 times less (1.80 to 3.10)`; or what was not to be seen."""
    if change.verdict == "no effect here":
        hidden = max(change.high, 1 / change.low)
        return f"no effect here; the noise would hide one of up to {hidden:.2f} times"
    is_less = change.ratio < 1
    parts = (change.ratio, change.low, change.high)
    low, ratio, high = sorted(1 / part for part in parts) if is_less else sorted(parts)
    word = "less" if is_less else "more"
    return f"{change.verdict}: {ratio:.2f} times {word} ({low:.2f} to {high:.2f})"
