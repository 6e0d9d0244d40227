"""What a breaker knows of its calls, and whether it opens a closed one: all the detectors in one place.

The machine records here and asks; which state follows is its affair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sprint.core.breaker import detectors
from sprint.core.breaker.adaptive_threshold import AdaptiveThreshold
from sprint.core.breaker.failure_prediction import FailurePrediction
from sprint.core.breaker.health_score import health
from sprint.core.breaker.interfaces import (
    Health,
    HealthFigures,
    LatencyDetector,
    Prediction,
    Threshold,
)
from sprint.core.breaker.lane import LANE_S_MAX
from sprint.core.breaker.latency_detection import LatencyDetection
from sprint.core.breaker.outcomes import Evidence, Outcome
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.window import adopted_window, make_window


class Figures:
    """The window and the detectors of one breaker."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.window = make_window(policy.window)
        self.latency: LatencyDetector = LatencyDetection(policy.latency)
        self.threshold: Threshold = AdaptiveThreshold(policy.adaptive)
        self.prediction: Prediction = FailurePrediction(policy.prediction)
        self.failures_in_a_row = 0
        self.health: Health | None = None
        self._why = ""  # the last failure came about

    def record(self, outcome: Outcome, latency_s: float, now: float, why: str = "") -> None:
        """Count a call that ended at `now`; `why` it failed."""
        self.window.record(outcome, latency_s, now)
        if outcome not in ("success", "failure"):
            return
        self.failures_in_a_row = self.failures_in_a_row + 1 if outcome == "failure" else 0
        self._why = why if outcome == "failure" else self._why
        if self._policy.latency.enabled:
            self.latency.record(latency_s, now)

    def record_successes(self, latencies_s: Sequence[float], now: float) -> None:
        """Count successes that a lane has gathered."""
        self.window.record_successes(latencies_s, now)
        self.failures_in_a_row = 0
        if self._policy.latency.enabled:
            self.latency.record_many(latencies_s, now)

    def failures_limit(self) -> int | None:
        """Return after how many failures in a row the breaker opens now."""
        factor = self.threshold.factor() if self._policy.adaptive.enabled else 1.0
        return detectors.failures_limit(self._policy, factor)

    def slow_over_s(self) -> float:
        """Return above which latency, strictly, a call is slow to any detector."""
        baseline = self.latency.threshold_s() if self._policy.latency.enabled else None
        return min(self._policy.window.slow_call_s, math.inf if baseline is None else baseline)

    def trip(self, now: float) -> Evidence | None:
        """Return why the breaker should open after the call that was recorded last."""
        found = detectors.consecutive_failures(self.failures_in_a_row, self.failures_limit(), self._why)
        found = found or detectors.rates(self._policy, self.window.statistics(now), self._why)
        if found is None and self._policy.latency.enabled:
            found = self.latency.trips(now)
        return found

    def calm_until(self, now: float) -> float | None:
        """Return until when a success of at most `slow_over_s` changes no decision; None where one may."""
        if self.failures_in_a_row or (self._policy.latency.enabled and self.latency.slow_share()):
            return None
        statistics = self.window.statistics(now)
        if statistics.calls < self._policy.window.minimum_calls and (statistics.failures or statistics.slow):
            return None
        return min(self.window.bucket_ends_at(now), now + LANE_S_MAX)

    def score(self, now: float, resource_share: float | None) -> Health:
        """Work the health score out; `resource_share` of the machine is None where nobody measured it."""
        statistics = self.window.statistics(now)
        called = statistics.calls > 0
        self.health = health(
            self._policy.health,
            HealthFigures(
                success_rate=1.0 - statistics.failure_rate if called else None,
                latency_s=self.window.percentile(0.95, now) if called else None,
                error_rate=statistics.failure_rate if called else None,
                resource_share=resource_share,
                throughput_per_s=statistics.calls / statistics.span_s if statistics.span_s > 0 else None,
            ),
        )
        return self.health

    def poor_health(self, now: float, resource_share: float | None) -> Evidence | None:
        """Return why the breaker should open by its health."""
        if not self._policy.health.enabled:
            return None
        return detectors.poor_health(
            self._policy, self.score(now, resource_share), self.window.statistics(now)
        )

    def health_score(self) -> float | None:
        """Return the score that was worked out last, None while none was."""
        return None if self.health is None else self.health.score

    def observe(self, now: float) -> None:
        """Note one point of performance for the trend, where there were calls."""
        if self._policy.adaptive.enabled:
            statistics = self.window.statistics(now)
            if statistics.calls:
                self.threshold.observe(1.0 - statistics.failure_rate, now)

    def adapt(self, now: float) -> None:
        """Let the failure threshold follow the trend, and the latency baseline what was seen."""
        if self._policy.adaptive.enabled:
            self.threshold.adjust(now)
        if self._policy.latency.enabled:
            self.latency.learn(now)

    def predict(self, now: float) -> Evidence | None:
        """Foretell failure from the window; return why the breaker should open, where the policy lets it."""
        if not self._policy.prediction.enabled:
            return None
        self.prediction.observe(self.window.statistics(now), self.window.percentile(0.95, now), now)
        return self.prediction.trips()

    def adopt(self, policy: Policy, now: float) -> None:
        """Go on under another policy with all that was counted."""
        self.window = adopted_window(self.window, policy.window, now)
        self.latency.adopt(policy.latency)
        self.threshold.adopt(policy.adaptive)
        self.prediction.adopt(policy.prediction)
        self._policy = policy

    def clear(self) -> None:
        """Begin anew: the learned baseline, threshold and weights stay."""
        self.window.clear()
        self.latency.clear()
        self.failures_in_a_row = 0
        self.health, self._why = None, ""
