"""What the last calls were, so many of them whatever time they took: the window by count.

It covers the last calls exactly, and its percentiles are exact. Counts are kept as calls come and leave, so
that asking after each call costs the same for a long window as for a short one.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence

from sprint.core.breaker.latency_cells import percentile
from sprint.core.breaker.outcomes import Outcome, Statistics
from sprint.core.breaker.policy import WindowPolicy
from sprint.core.errors import ConfigError

CALLS_MAX = 1_000  # 21 bytes each: 21 KiB
REJECTED_MAX = (1 << 32) - 1  # before one call; more are counted as this
_KINDS: tuple[Outcome, ...] = ("success", "failure", "inconclusive", "cancelled")
_NUMBER = {kind: number for number, kind in enumerate(_KINDS)}
_RATED = (_NUMBER["success"], _NUMBER["failure"])
_NS_PER_S = 1_000_000_000


class CountWindow:
    """The last `calls_max` calls. A rejection belongs to the call that comes next, and leaves with it."""

    __slots__ = (
        "_counts", "_ended_at", "_held", "_kinds", "_latencies_s", "_latency_sum_ns", "_next", "_policy",
        "_rejected", "_rejected_since", "_rejected_sum", "_slow",
    )  # fmt: skip

    _kinds: bytearray
    _latencies_s: array[float]
    _ended_at: array[float]
    _rejected: array[int]
    _counts: list[int]  # of each kind
    _slow: int
    _rejected_sum: int
    _latency_sum_ns: int  # whole numbers: what is added and taken away again leaves nothing behind
    _held: int
    _next: int
    _rejected_since: int

    def __init__(self, policy: WindowPolicy) -> None:
        if policy.calls_max > CALLS_MAX:
            raise ConfigError(f"a window of {policy.calls_max} calls; up to {CALLS_MAX} can be had")
        self._policy = policy
        self.clear()

    def __repr__(self) -> str:
        return f"CountWindow({self._held} of {self._policy.calls_max} calls)"

    def record(self, outcome: Outcome, latency_s: float, now: float) -> None:
        """Note one call that ended at `now`; `ignored` leaves no trace."""
        if outcome == "ignored":
            return
        place = self._next
        if self._held == self._policy.calls_max:
            self._tally(place, -1)
        else:
            self._held += 1
        self._kinds[place] = _NUMBER[outcome]
        self._latencies_s[place] = latency_s
        self._ended_at[place] = now
        self._rejected[place] = self._rejected_since
        self._rejected_since = 0
        self._tally(place, 1)
        self._next = (place + 1) % self._policy.calls_max

    def record_successes(self, latencies_s: Sequence[float], now: float) -> None:
        """Note many successes at once."""
        for latency_s in latencies_s[-self._policy.calls_max :]:
            self.record("success", latency_s, now)

    def record_rejected(self, now: float) -> None:
        """Note a call that was not let through; it pushes none out."""
        del now  # it leaves by count
        self._rejected_since = min(self._rejected_since + 1, REJECTED_MAX)

    def statistics(self, now: float) -> Statistics:
        """Return what the window holds. `span_s` is the time since its oldest call."""
        successes, failures, inconclusive, cancelled = self._counts
        oldest_at = self._ended_at[self._next - self._held] if self._held else now
        return Statistics(
            successes=successes,
            failures=failures,
            slow=self._slow,
            rejected=self._rejected_sum + self._rejected_since,
            inconclusive=inconclusive,
            cancelled=cancelled,
            latency_sum_s=self._latency_sum_ns / _NS_PER_S,
            span_s=max(0.0, now - oldest_at),
        )

    def percentile(self, share: float, now: float) -> float | None:
        """Return the latency that `share` of the calls do not exceed, in seconds; None without calls."""
        del now  # none leaves by time
        pairs = zip(self._kinds[: self._held], self._latencies_s[: self._held], strict=True)
        return percentile([latency_s for kind, latency_s in pairs if kind in _RATED], share)

    def bucket_ends_at(self, now: float) -> float:
        """Return infinity: none leaves by time."""
        del now
        return math.inf

    def adopt(self, policy: WindowPolicy, now: float) -> None:
        """Go on under another policy with the newest calls that it has room for, slow by its measure."""
        del now  # none leaves by time
        adopted = CountWindow(policy)
        for place, call in zip(self._places(), self.calls(), strict=True):
            adopted._rejected_since = self._rejected[place]
            adopted.record(*call)
        adopted._rejected_since = self._rejected_since
        for name in self.__slots__:
            setattr(self, name, getattr(adopted, name))

    def calls(self) -> Iterator[tuple[Outcome, float, float]]:
        """Return outcome, latency in seconds and time of the calls, oldest first."""
        for place in self._places():
            yield _KINDS[self._kinds[place]], self._latencies_s[place], self._ended_at[place]

    def clear(self) -> None:
        """Forget everything."""
        calls_max = self._policy.calls_max
        self._kinds = bytearray(calls_max)
        self._latencies_s = array("d", bytes(8 * calls_max))
        self._ended_at = array("d", bytes(8 * calls_max))
        self._rejected = array("I", bytes(4 * calls_max))
        self._counts = [0] * len(_KINDS)
        self._slow = self._rejected_sum = self._latency_sum_ns = 0
        self._held = self._next = self._rejected_since = 0

    def _tally(self, place: int, change: int) -> None:
        """Count the call at a place in, or out again with -1."""
        kind = self._kinds[place]
        self._counts[kind] += change
        self._rejected_sum += change * self._rejected[place]
        if kind in _RATED:
            latency_s = self._latencies_s[place]
            self._latency_sum_ns += change * round(latency_s * _NS_PER_S)
            self._slow += change * (latency_s > self._policy.slow_call_s)

    def _places(self) -> range:
        """Return where calls stand, oldest first; those before the ring's start count from its end."""
        return range(self._next - self._held, self._next)
