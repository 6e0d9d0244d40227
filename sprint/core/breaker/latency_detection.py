"""Whether answers have become slower than they were: most of the last ones above a multiple of the baseline.

The baseline is given or learned. A learned one is the median of the first points, and follows later medians
with the time constant `span_s`. What lies above the threshold teaches a fifth of that: a fault does not
become the normal state while it lasts, a shift for good does after about one `span_s`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import islice
from statistics import median

from sprint.core.breaker.outcomes import Evidence
from sprint.core.breaker.policy import LatencyPolicy
from sprint.core.errors import ConfigError

POINTS_MAX = 100  # that are kept, with their times: 11 KiB
SLOW_TEACHES = 0.2  # how much of an ordinary lesson points above the threshold give
BASELINE_S_MIN = 1e-6  # a clock that can't tell a call from nothing teaches no threshold of 0


class LatencyDetection:
    """Trips while over `slow_share` of the last `last` points are slow, with `points_min` of them at hand."""

    def __init__(self, policy: LatencyPolicy) -> None:
        self._policy = _checked(policy)
        self._points: deque[tuple[float, float]] = deque(maxlen=POINTS_MAX)
        self._unlearned = 0
        self._learned_s: float | None = None
        self._learned_at = math.inf
        self._slow_since: float | None = None

    def __repr__(self) -> str:
        return f"LatencyDetection(threshold_s={self.threshold_s()}, {len(self._points)} points)"

    def record(self, latency_s: float, now: float) -> None:
        """Note the latency of one success or failure, in seconds."""
        self._points.append((now, latency_s))
        self._unlearned += 1

    def record_many(self, latencies_s: Sequence[float], now: float) -> None:
        """Note many at once, in order."""
        self._points.extend([(now, latency_s) for latency_s in latencies_s[-POINTS_MAX:]])
        self._unlearned += len(latencies_s)

    def learn(self, now: float) -> None:
        """Take the points since the last time into the baseline; nowhere else does the threshold change."""
        count = min(self._unlearned, len(self._points))
        if self._learned_s is None and count < self._policy.points_min:
            return
        elapsed_s, self._learned_at, self._unlearned = max(0.0, now - self._learned_at), now, 0
        if count:
            seen_s = median([latency_s for _, latency_s in islice(reversed(self._points), count)])
            self._follow(max(seen_s, BASELINE_S_MIN), elapsed_s)

    def baseline_s(self) -> float | None:
        """Return the latency that counts as ordinary; None while none is known."""
        return self._learned_s if self._policy.baseline_s is None else self._policy.baseline_s

    def threshold_s(self) -> float | None:
        """Return above which a latency counts as slow, strictly; None while no baseline is known."""
        baseline_s = self.baseline_s()
        if baseline_s is None:
            return None
        return max(baseline_s * self._policy.multiplier, self._policy.threshold_s_min)

    def slow_share(self) -> float:
        """Return the share of slow ones, 0.0 to 1.0, among the last points, however few and old they are."""
        threshold_s = self.threshold_s()
        last = list(islice(reversed(self._points), self._policy.last))
        if threshold_s is None or not last:
            return 0.0
        return sum([latency_s > threshold_s for _, latency_s in last]) / len(last)

    def trips(self, now: float) -> Evidence | None:
        """Return why the breaker should open, if it should; a point leaves when it is `span_s` old.

        With `slow_for_s` it has to be asked after each call: since when it is so is noted here.
        """
        found = self._slow(now)
        if found is None:
            self._slow_since = None
            return None
        if self._slow_since is None:
            self._slow_since = now
        return found if now - self._slow_since >= self._policy.slow_for_s else None

    def adopt(self, policy: LatencyPolicy) -> None:
        """Go on under another policy with the points and the baseline kept."""
        self._policy = _checked(policy)

    def clear(self) -> None:
        """Forget the points; the learned baseline stays."""
        self._points.clear()
        self._unlearned = 0
        self._slow_since = None

    def _slow(self, now: float) -> Evidence | None:
        threshold_s = self.threshold_s()
        if threshold_s is None or not self._policy.enabled:
            return None
        wanted = max(self._policy.last, self._policy.points_min)
        newest = islice(reversed(self._points), wanted)
        fresh_s = [latency_s for at, latency_s in newest if now - at < self._policy.span_s]
        last_s = fresh_s[: self._policy.last]
        slow = sum([latency_s > threshold_s for latency_s in last_s])
        if len(fresh_s) < self._policy.points_min or slow / len(last_s) <= self._policy.slow_share:
            return None
        return Evidence(
            detector="latency",
            measured=slow / len(last_s),
            limit=self._policy.slow_share,
            calls=len(last_s),
            text=f"{slow} of the last {len(last_s)} calls took over {threshold_s:.3g} s, "
            f"{self._policy.multiplier:g} times the baseline",
        )

    def _follow(self, seen_s: float, elapsed_s: float) -> None:
        if self._learned_s is None:
            self._learned_s = seen_s
            return
        slow = seen_s > self._learned_s * self._policy.multiplier
        share = -math.expm1(-elapsed_s / self._policy.span_s) * (SLOW_TEACHES if slow else 1.0)
        self._learned_s += (min(seen_s, self._learned_s * self._policy.multiplier) - self._learned_s) * share


def _checked(policy: LatencyPolicy) -> LatencyPolicy:
    for name in ("last", "points_min"):
        if getattr(policy, name) > POINTS_MAX:
            raise ConfigError(f"latency {name} = {getattr(policy, name)}; up to {POINTS_MAX} points are kept")
    return policy
