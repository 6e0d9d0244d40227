"""What the calls of the last while were: counts and latencies, over a time or over a number of calls.

`TimeWindow` is a ring of buckets aligned to the clock: it covers the bucket of `now` and those before it, so
its span less at most a bucket. A gap of some buckets empties as many, one that is longer than the window all
of it. Its memory does not depend on the traffic. The window by count stands in `count_window`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, repeat

from sprint.core.breaker.count_window import CountWindow
from sprint.core.breaker.latency_cells import (
    cell_of,
    cell_percentile,
    count_each,
    empty_counts,
    latency_of,
    merged,
)
from sprint.core.breaker.outcomes import Outcome, Statistics
from sprint.core.breaker.policy import WindowPolicy
from sprint.core.errors import ConfigError

BUCKETS_MAX = 10  # each has 1.8 KiB of cells: with all else that a breaker holds it stays within 64 KiB


class TimeWindow:
    """Calls of the last `span_s`. Of a `now` that lies before an earlier one, the newest bucket is taken.

    Percentiles are within `latency_cells.CELL_ERROR_MAX` of the exact ones.
    """

    __slots__ = ("_buckets", "_newest", "_place", "_policy", "_since", "_width_s")

    _buckets: list[_Bucket]
    _place: int  # of the newest bucket
    _newest: float  # its number since the clock's zero
    _since: float  # when it began to hold anything

    def __init__(self, policy: WindowPolicy) -> None:
        if policy.buckets > BUCKETS_MAX:
            raise ConfigError(f"a window of {policy.buckets} buckets; up to {BUCKETS_MAX} can be had")
        self._policy = policy
        self._width_s = policy.span_s / policy.buckets
        self.clear()

    def __repr__(self) -> str:
        return f"TimeWindow({self._policy.span_s} s in {len(self._buckets)} buckets)"

    def record(self, outcome: Outcome, latency_s: float, now: float) -> None:
        """Note one call that ended at `now`; `ignored` leaves no trace."""
        if outcome == "ignored":
            return
        bucket = self._bucket(now)
        if outcome == "success":
            bucket.successes += 1
        elif outcome == "failure":
            bucket.failures += 1
        else:
            bucket.note(outcome)
            return
        bucket.time(latency_s, self._policy.slow_call_s)

    def record_successes(self, latencies_s: Sequence[float], now: float) -> None:
        """Note many successes at once."""
        if not latencies_s:
            return
        bucket = self._bucket(now)
        bucket.successes += len(latencies_s)
        slow_call_s = self._policy.slow_call_s
        if max(latencies_s) > slow_call_s:
            bucket.slow += sum([latency_s > slow_call_s for latency_s in latencies_s])
        bucket.latency_sum_s = sum(latencies_s, bucket.latency_sum_s)
        count_each(bucket.counts(), latencies_s)

    def record_rejected(self, now: float) -> None:
        """Note a call that was not let through."""
        self._bucket(now).rejected += 1

    def statistics(self, now: float) -> Statistics:
        """Return what the window holds. `span_s` is the time that it covers, less at its beginning."""
        self._bucket(now)
        held = self._buckets
        return Statistics(
            successes=sum([bucket.successes for bucket in held]),
            failures=sum([bucket.failures for bucket in held]),
            slow=sum([bucket.slow for bucket in held]),
            rejected=sum([bucket.rejected for bucket in held]),
            inconclusive=sum([bucket.inconclusive for bucket in held]),
            cancelled=sum([bucket.cancelled for bucket in held]),
            latency_sum_s=sum([bucket.latency_sum_s for bucket in held]),
            span_s=self._covered_s(now),
        )

    def percentile(self, share: float, now: float) -> float | None:
        """Return the latency that `share` of the calls do not exceed, in seconds; None without calls."""
        self._bucket(now)
        return cell_percentile(merged(bucket.cells for bucket in self._buckets if bucket.cells), share)

    def bucket_ends_at(self, now: float) -> float:
        """Return until when what is recorded counts as recorded at `now`."""
        return (max(now // self._width_s, self._newest) + 1.0) * self._width_s

    def adopt(self, policy: WindowPolicy, now: float) -> None:
        """Go on under another policy; a bucket of the old one counts at its end. What was slow stays so."""
        self._bucket(now)
        count = len(self._buckets)
        oldest_first = [self._buckets[(self._place + 1 + number) % count] for number in range(count)]
        ends_s = [(self._newest + 1.0 - back) * self._width_s for back in reversed(range(count))]
        adopted = TimeWindow(policy)
        for bucket, end_s in zip(oldest_first, ends_s, strict=True):
            adopted._bucket(min(end_s, now)).add(bucket)
        adopted._bucket(now)
        self._policy, self._width_s = policy, adopted._width_s
        self._buckets, self._place, self._newest = adopted._buckets, adopted._place, adopted._newest

    def calls(self) -> Iterator[tuple[Outcome, float, float]]:
        """Return outcome, latency in seconds and time of the calls, oldest bucket first."""
        count = len(self._buckets)
        for back in reversed(range(count)):
            at = (self._newest - back + 0.5) * self._width_s
            for outcome, latency_s in self._buckets[(self._place - back) % count].calls():
                yield outcome, latency_s, at

    def clear(self) -> None:
        """Forget everything."""
        self._buckets = [_Bucket() for _ in range(self._policy.buckets)]
        self._place = 0
        self._newest = -math.inf
        self._since = math.inf

    def _bucket(self, now: float) -> _Bucket:
        number = now // self._width_s
        if number > self._newest:
            self._rotate(number, now)
        return self._buckets[self._place]

    def _rotate(self, number: float, now: float) -> None:
        """Empty the buckets between the newest and `number`'s, that one included."""
        count = len(self._buckets)
        for _ in range(int(min(number - self._newest, count))):
            self._place = (self._place + 1) % count
            self._buckets[self._place] = _Bucket()
        self._newest = number
        self._since = min(self._since, now)

    def _covered_s(self, now: float) -> float:
        begins_s = (self._newest - len(self._buckets) + 1.0) * self._width_s
        return max(0.0, now - max(begins_s, self._since))


class _Bucket:
    """The calls of one stretch of time."""

    __slots__ = (
        "cancelled", "cells", "failures", "inconclusive", "latency_sum_s", "rejected", "slow", "successes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.successes = self.failures = self.slow = self.rejected = self.inconclusive = self.cancelled = 0
        self.latency_sum_s = 0.0
        self.cells: array[int] | None = None

    def note(self, outcome: Outcome) -> None:
        """Count a call that is in no rate."""
        if outcome == "inconclusive":
            self.inconclusive += 1
        else:
            self.cancelled += 1

    def time(self, latency_s: float, slow_call_s: float) -> None:
        """Count how long a call took."""
        if latency_s > slow_call_s:
            self.slow += 1
        self.latency_sum_s += latency_s
        self.counts()[cell_of(latency_s)] += 1

    def counts(self) -> array[int]:
        """Return the cells, which a bucket without calls has none of."""
        if self.cells is None:
            self.cells = empty_counts()
        return self.cells

    def calls(self) -> Iterator[tuple[Outcome, float]]:
        """Return outcome and latency of each call."""
        cells = range(0) if self.cells is None else range(len(self.cells))
        latencies_s = chain.from_iterable(repeat(latency_of(cell), self.counts()[cell]) for cell in cells)
        yield from zip(repeat("failure", self.failures), latencies_s, strict=False)
        yield from zip(repeat("success", self.successes), latencies_s, strict=False)
        yield from zip(repeat("inconclusive", self.inconclusive), repeat(0.0))
        yield from zip(repeat("cancelled", self.cancelled), repeat(0.0))

    def add(self, other: _Bucket) -> None:
        """Take in what another one holds."""
        for name in self.__slots__:
            if name != "cells":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.cells is not None:
            self.cells = merged([self.counts(), other.cells])


def make_window(policy: WindowPolicy) -> TimeWindow | CountWindow:
    """Return an empty window of the policy's kind; ConfigError where it would take too much memory."""
    return TimeWindow(policy) if policy.kind == "time" else CountWindow(policy)


def adopted_window(
    window: TimeWindow | CountWindow, policy: WindowPolicy, now: float
) -> TimeWindow | CountWindow:
    """Return the window that goes on under another policy, of another kind too, with what is within it.

    A time window has not kept which of a bucket's calls took how long, nor their order: those that failed
    are handed over before those that succeeded, each with one of the bucket's latencies.
    """
    if isinstance(window, TimeWindow) == (policy.kind == "time"):
        window.adopt(policy, now)
        return window
    other = make_window(policy)
    for outcome, latency_s, at in window.calls():
        other.record(outcome, latency_s, at)
    return other
