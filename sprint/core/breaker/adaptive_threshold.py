"""How the number of failures that open a breaker follows the trend of its performance.

What gets better may fail more often before it is cut off, what gets worse less often. The factor that the
base threshold is scaled with moves by at most one step an interval, and stays within its bounds.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice

from sprint.core.breaker.policy import AdaptivePolicy

TREND_POINTS = 5  # the mean of the last so many is held against that of so many before
ROUNDING = 1e-9  # a trend of just the limit is none over it, whatever the last bit of the means says


class AdaptiveThreshold:
    """The factor on `failures_to_open`: 1.0 to begin with, and while the policy has it off."""

    _factor: float
    _adjusted_at: float
    _has_news: bool

    def __init__(self, policy: AdaptivePolicy) -> None:
        self._policy = policy
        self._points: deque[float] = deque(maxlen=policy.history)
        self.clear()

    def __repr__(self) -> str:
        return f"AdaptiveThreshold(factor={self._factor:.3f}, {len(self._points)} points)"

    def observe(self, performance: float, now: float) -> None:
        """Note one point of performance, 0.0 to 1.0, higher is better. What is no number is left out."""
        del now  # points are counted, not timed; only following them is held to an interval
        if math.isfinite(performance):
            self._points.append(performance)
            self._has_news = True

    def adjust(self, now: float) -> float:
        """Follow the trend if an interval has passed since it was last followed, and return the factor.

        The same points are followed once only: a breaker that is no longer called would else drift.
        """
        trend = self.trend()
        due = self._has_news and now - self._adjusted_at >= self._policy.interval_s
        if trend is None or not due or not self._policy.enabled:
            return self.factor()
        self._adjusted_at, self._has_news = now, False
        if abs(trend) > self._policy.trend_over + ROUNDING:
            step = math.copysign(self._policy.step * self._policy.multiplier, trend)
            self._factor = self._bounded(self._factor * (1.0 + step))
        return self._factor

    def trend(self) -> float | None:
        """Return (mean of the last 5 - mean of the 5 before) / the latter; None with fewer points.

        From nothing to anything is an infinite rise.
        """
        if len(self._points) < 2 * TREND_POINTS:
            return None
        newest_first = reversed(self._points)
        last = sum(islice(newest_first, TREND_POINTS)) / TREND_POINTS
        before = sum(islice(newest_first, TREND_POINTS)) / TREND_POINTS
        if not before:
            return math.inf if last else 0.0
        return (last - before) / before

    def factor(self) -> float:
        """Return the factor that holds."""
        return self._factor if self._policy.enabled else 1.0

    def adopt(self, policy: AdaptivePolicy) -> None:
        """Go on under another policy with the newest points that it has room for, and within its bounds."""
        self._policy = policy
        self._points = deque(self._points, maxlen=policy.history)
        self._factor = self._bounded(self._factor)

    def clear(self) -> None:
        """Forget everything; the factor is 1.0 again."""
        self._points.clear()
        self._factor = 1.0
        self._adjusted_at = -math.inf
        self._has_news = False

    def _bounded(self, factor: float) -> float:
        return min(max(factor, self._policy.least), self._policy.greatest)
