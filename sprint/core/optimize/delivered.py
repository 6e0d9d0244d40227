"""The 99th percentile out of a histogram's buckets: of those observed since an earlier look at it."""

from __future__ import annotations

import math

# Upper bounds in seconds with how many were at or below each, rising; the last bound is infinite.
Buckets = tuple[tuple[float, float], ...]
OBSERVED_MIN = 8
QUANTILE = 0.99
MILLISECONDS = 1_000.0


def since(before: Buckets, now: Buckets) -> Buckets:
    """Return what was observed between two looks; all, where the process was started anew in between."""
    earlier = dict(before)
    if any(count < earlier.get(bound, 0.0) for bound, count in now):
        return now
    return tuple((bound, count - earlier.get(bound, 0.0)) for bound, count in now)


def p99_ms(buckets: Buckets) -> float | None:
    """Return p99 in ms, as if observations lay evenly within their bucket; None where there are too few.

    Beyond the last finite bound nothing is known but that: the bound itself is returned.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total < OBSERVED_MIN:
        return None
    rank, lower, below = QUANTILE * total, 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if math.isinf(bound):
                return lower * MILLISECONDS
            share = (rank - below) / (count - below) if count > below else 1.0
            return (lower + (bound - lower) * share) * MILLISECONDS
        lower, below = bound, count
    return lower * MILLISECONDS
