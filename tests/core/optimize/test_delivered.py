"""p99 out of a histogram's buckets, of what came between two looks."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize.delivered import OBSERVED_MIN, p99_ms, since

BOUNDS = (0.001, 0.005, 0.01, 0.1, math.inf)


def buckets(*counts: float) -> tuple[tuple[float, float], ...]:
    total, found = 0.0, []
    for bound, count in zip(BOUNDS, counts, strict=True):
        total += count
        found.append((bound, total))
    return tuple(found)


def test_too_few_say_nothing() -> None:
    assert p99_ms(buckets(OBSERVED_MIN - 1, 0, 0, 0, 0)) is None
    assert p99_ms(()) is None


def test_it_lies_within_the_bucket_that_the_hundredth_slowest_is_in() -> None:
    found = p99_ms(buckets(980, 0, 15, 5, 0))
    assert found is not None
    assert 5.0 < found <= 10.0
    assert p99_ms(buckets(0, 0, 0, 0, 100)) == 100.0, "beyond the last bound only that is known"


def test_only_what_came_since_counts_and_a_new_start_counts_whole() -> None:
    before, now = buckets(0, 0, 0, 500, 0), buckets(100, 0, 0, 500, 0)
    assert (p99_ms(now) or 0.0) > 10.0
    assert (p99_ms(since(before, now)) or 0.0) <= 1.0
    assert since(now, before) == before


@given(st.lists(st.integers(0, 1_000), min_size=5, max_size=5))
def test_the_share_at_or_below_it_is_at_least_99_percent(counts: list[int]) -> None:
    given_buckets = buckets(*counts)
    found = p99_ms(given_buckets)
    if found is None:
        assert sum(counts) < OBSERVED_MIN
        return
    bound = next(bound for bound in BOUNDS if bound * 1_000 >= found - 1e-9)
    below = dict(given_buckets)[bound]
    assert below >= 0.99 * sum(counts) - 1e-6 or found == 100.0
