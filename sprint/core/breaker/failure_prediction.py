"""How likely a window is a failing one after the next interval: a logistic model that learns as it goes.

After each interval it is told what became of the window, and moves its weights by the gradient of the log
loss, each weight with a rate of its own (AdaGrad: Duchi, Hazan and Singer 2011). The squared error of what it
had said (Brier 1950) is kept beside that of the plain share of failing intervals: a model that is no better
than that says nothing, and `skill` says it.
"""

from __future__ import annotations

import math

from sprint.core.breaker.outcomes import Evidence, Statistics
from sprint.core.breaker.policy import PredictionPolicy

FAILING_RATE = 0.5  # of failures or of slow calls: such a window is failing
CALLS_MIN = 5  # below, a window says nothing, and nothing is foretold
FEATURES = (
    "bias", "failure_rate", "failure_rate_rise", "slow_rate", "slow_rate_rise", "latency_growth",
)  # fmt: skip
FEATURE_LIMIT = 4.0
RATE_SCALE = 4.0  # of rates, so that all features move within the same bounds
LOGIT_LIMIT = 30.0  # beyond, a probability is 0 or 1 in all that matters
SCORES_KEPT = 1_000.0  # intervals after which an old error has little weight
TRIP_SCORES_MIN = 50  # intervals that have to be scored before it may open anything
# A new breaker begins with the share of failing intervals that outages for training had, one in fifteen.
PRIOR_WEIGHTS: tuple[float, ...] = (-2.65, 0.0, 0.0, 0.0, 0.0, 0.0)


class FailurePrediction:
    """Foretells one breaker's next interval. Off, it observes nothing and foretells nothing."""

    def __init__(self, policy: PredictionPolicy) -> None:
        self._policy = policy
        self._weights = list(PRIOR_WEIGHTS)
        self._squares = [1e-8] * len(FEATURES)
        self._before: tuple[Statistics, float | None] | None = None
        self._foretold: tuple[float, tuple[float, ...]] | None = None
        self._foretold_at = -math.inf
        self._scored = 0
        self._error = self._error_of_share = self._share = 0.0

    def __repr__(self) -> str:
        return f"FailurePrediction(probability={self.probability()}, brier={self.brier()})"

    def observe(self, statistics: Statistics, p95_s: float | None, now: float) -> None:
        """Note the window as it is; once an interval has passed, learn whether what was foretold came.

        Of a window that is failing, or has too few calls, nothing is foretold: there is nothing to warn of.
        """
        if not self._policy.enabled or now - self._foretold_at < self._policy.interval_s:
            return
        self._foretold_at = now
        failing = is_failing(statistics)
        if self._foretold is not None and (failing or statistics.calls >= CALLS_MIN):
            self._score(self._foretold, failing=failing)
        if failing or statistics.calls < CALLS_MIN:
            self._foretold = self._before = None
            return
        seen = features(statistics, p95_s, self._before)
        self._before = (statistics, p95_s)
        self._foretold = (self._said(seen), seen)

    def probability(self) -> float | None:
        """Return what was foretold last, 0.0 to 1.0; None while nothing was."""
        return None if self._foretold is None else self._foretold[0]

    def brier(self) -> float | None:
        """Return the mean squared error of what was foretold; None while nothing has come to pass."""
        return self._error if self._scored else None

    def skill(self) -> float | None:
        """Return 1 - the error / that of the share of failing intervals so far; None while that has none."""
        return 1.0 - self._error / self._error_of_share if self._error_of_share else None

    def trips(self) -> Evidence | None:
        """Return why the breaker should open: only by a policy that lets it, and only with skill."""
        probability, limit = self.probability(), self._policy.opens_from
        skill = self.skill()
        if probability is None or limit is None or probability < limit:
            return None
        if self._scored < TRIP_SCORES_MIN or skill is None or skill <= 0.0:
            return None
        return Evidence(
            detector="prediction",
            measured=probability,
            limit=limit,
            calls=self._scored,
            text=f"failure within {self._policy.interval_s:g} s is foretold at {probability:.2f}, "
            f"with a skill of {skill:.2f} over {self._scored} intervals",
        )

    def adopt(self, policy: PredictionPolicy) -> None:
        """Go on under another policy; what was learned is kept."""
        self._policy = policy

    def weights(self) -> dict[str, float]:
        """Return the weight of each feature, to be shown."""
        return dict(zip(FEATURES, self._weights, strict=True))

    def _said(self, seen: tuple[float, ...]) -> float:
        logit = sum(weight * value for weight, value in zip(self._weights, seen, strict=True))
        return 1.0 / (1.0 + math.exp(-min(max(logit, -LOGIT_LIMIT), LOGIT_LIMIT)))

    def _score(self, foretold: tuple[float, tuple[float, ...]], *, failing: bool) -> None:
        """Hold what was foretold against what came, then learn from it: never the other way round."""
        said, seen = foretold
        came = 1.0 if failing else 0.0
        self._scored += 1
        weight = 1.0 / min(self._scored, SCORES_KEPT)
        self._error += ((said - came) ** 2 - self._error) * weight
        self._error_of_share += ((self._share - came) ** 2 - self._error_of_share) * weight
        self._share += (came - self._share) * weight
        for place, value in enumerate(seen):
            slope = (said - came) * value
            self._squares[place] += slope * slope
            self._weights[place] -= self._policy.learning_rate * slope / math.sqrt(self._squares[place])


def is_failing(statistics: Statistics) -> bool:
    """Tell whether half of a window's calls failed or were slow, or the breaker has rejected any."""
    return statistics.rejected > 0 or max(statistics.failure_rate, statistics.slow_rate) >= FAILING_RATE


def features(
    statistics: Statistics, p95_s: float | None, before: tuple[Statistics, float | None] | None
) -> tuple[float, ...]:
    """Return what the model looks at, in the order of `FEATURES`, each within -4 and 4."""
    earlier, p95_before_s = before or (statistics, p95_s)
    growth = math.log(p95_s / p95_before_s) if p95_s and p95_before_s else 0.0
    return (
        1.0,
        RATE_SCALE * statistics.failure_rate,
        RATE_SCALE * (statistics.failure_rate - earlier.failure_rate),
        RATE_SCALE * statistics.slow_rate,
        RATE_SCALE * (statistics.slow_rate - earlier.slow_rate),
        min(max(growth, -FEATURE_LIMIT), FEATURE_LIMIT),
    )
