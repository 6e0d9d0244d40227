"""What the machine asks of the algorithms. Each is a file of its own and knows none of the others.

Beside these stand two plain functions: `backoff.delay_s(policy, step, rng)` and
`health_score.health(policy, figures)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sprint.core.breaker.outcomes import Evidence, Outcome, Statistics
from sprint.core.breaker.policy import (
    AdaptivePolicy,
    LatencyPolicy,
    PredictionPolicy,
    RecoveryPolicy,
    WindowPolicy,
)


class Window(Protocol):
    """Calls of late: `time_window` and `count_window` of `window.py` make one of a `WindowPolicy`.

    `now` is in monotonic seconds; one that lies before an earlier `now` counts as that.
    """

    def record(self, outcome: Outcome, latency_s: float, now: float) -> None:
        """Note one call that ended at `now`; `ignored` leaves no trace."""

    def record_successes(self, latencies_s: Sequence[float], now: float) -> None:
        """Note many successes at once; the same as so many `record` with the one `now`."""

    def record_rejected(self, now: float) -> None:
        """Note a call that was not let through."""

    def statistics(self, now: float) -> Statistics:
        """Return what the window holds at `now`."""

    def percentile(self, share: float, now: float) -> float | None:
        """Return the latency that `share` of the calls do not exceed, in seconds, interpolated (type 7)."""

    def bucket_ends_at(self, now: float) -> float:
        """Return until when what is recorded counts as recorded at `now`; infinity for a count window."""

    def adopt(self, policy: WindowPolicy, now: float) -> None:
        """Go on under another policy without losing what is still within it."""

    def clear(self) -> None:
        """Forget everything."""


class LatencyDetector(Protocol):
    """Whether answers have become slower than they were. `LatencyDetection(policy)` of its file."""

    def record(self, latency_s: float, now: float) -> None:
        """Note the latency of one success or failure."""

    def record_many(self, latencies_s: Sequence[float], now: float) -> None:
        """Note many at once, in order; the same as so many `record`."""

    def learn(self, now: float) -> None:
        """Take what was seen into the baseline. The threshold changes here and nowhere else."""

    def threshold_s(self) -> float | None:
        """Return above which a latency counts as slow; None while no baseline is known."""

    def slow_share(self) -> float:
        """Return the share of slow ones, 0.0 to 1.0, among the last points, however few they are."""

    def trips(self, now: float) -> Evidence | None:
        """Return why the breaker should open, if it should."""

    def adopt(self, policy: LatencyPolicy) -> None:
        """Go on under another policy with the points and the baseline kept."""

    def clear(self) -> None:
        """Forget the points; the learned baseline stays."""


class Threshold(Protocol):
    """The adaptive factor on `failures_to_open`. `AdaptiveThreshold(policy)` of its file."""

    def observe(self, performance: float, now: float) -> None:
        """Note one point of performance, 0.0 to 1.0 (the window's success rate); higher is better."""

    def adjust(self, now: float) -> float:
        """Follow the trend if an interval has passed since the last time, and return the factor."""

    def factor(self) -> float:
        """Return the factor that holds, within `least` and `greatest`; 1.0 while it is off."""

    def adopt(self, policy: AdaptivePolicy) -> None:
        """Go on under another policy with the history kept."""

    def clear(self) -> None:
        """Forget everything; the factor is 1.0 again."""


class Recovery(Protocol):
    """How likely what was called has recovered. `RecoveryProbability(policy, tau_s)` of its file."""

    def recovered(self, open_s: float) -> None:
        """Learn from one outage that lasted `open_s`, from its opening to its closing."""

    def probability(self, since_opened_s: float, failed_trials: int, health: float | None) -> float:
        """Return 0.0 to 1.0; `failed_trials` since the opening, health as it was before; None: neutral."""

    def trial_in_s(self, failed_trials: int, health: float | None) -> float | None:
        """Return how long after the opening a trial is worth it, None if it never would be by this alone."""

    def adopt(self, policy: RecoveryPolicy, tau_s: float) -> None:
        """Go on under another policy; what was learned is kept."""


class Prediction(Protocol):
    """How likely failure is within the next interval. `FailurePrediction(policy)` of its file."""

    def observe(self, statistics: Statistics, p95_s: float | None, now: float) -> None:
        """Note the window as it is; once an interval has passed, learn whether what was foretold came."""

    def probability(self) -> float | None:
        """Return what was foretold last, None while nothing was."""

    def brier(self) -> float | None:
        """Return the mean squared error of what was foretold, None while nothing has come to pass."""

    def trips(self) -> Evidence | None:
        """Return why the breaker should open, if the policy lets it and the probability is reached."""

    def adopt(self, policy: PredictionPolicy) -> None:
        """Go on under another policy; what was learned is kept."""


class Ejection(Protocol):
    """Who of a group may be out at once. `BreakerGroup` is one."""

    def reserve(self, name: str) -> bool:
        """Take a place among those that are out; False where the member has to stay."""

    def note(self, name: str) -> None:
        """Count a member as out whether there is a place or not: an operator's word, or a failed trial."""

    def give_back(self, name: str) -> None:
        """Count a member as in again."""


class HealthFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the health score is made of; None where there is no figure, which then counts as neutral."""

    success_rate: float | None = None
    latency_s: float | None = None
    error_rate: float | None = None
    resource_share: float | None = None
    throughput_per_s: float | None = None


class HealthPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the score: `score` 0.0 to 1.0, its share of the whole, and whether it had a figure."""

    name: str
    measured: float | None
    target: float | None
    score: float
    weight: float
    neutral: bool


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The score, 0.0 to 1.0, with all its parts shown."""

    score: float
    parts: tuple[HealthPart, ...]
