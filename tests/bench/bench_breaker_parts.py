"""What each of the breaker's algorithms costs by itself.

    python -m tests.bench.bench_breaker_parts [--rounds N]

Windows are full: 30 s of calls at 200 a second, latencies of a log-normal. Targets are those that the
specification of the breakers sets, 0.1 to 1 ms; what is found is microseconds and less.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from sprint.core.breaker.adaptive_threshold import AdaptiveThreshold
from sprint.core.breaker.backoff import delay_s
from sprint.core.breaker.failure_prediction import FailurePrediction
from sprint.core.breaker.health_score import health
from sprint.core.breaker.interfaces import HealthFigures
from sprint.core.breaker.latency_detection import LatencyDetection
from sprint.core.breaker.outcomes import Outcome
from sprint.core.breaker.policy import (
    AdaptivePolicy,
    BackoffPolicy,
    HealthPolicy,
    LatencyPolicy,
    PredictionPolicy,
    RecoveryPolicy,
    WindowPolicy,
)
from sprint.core.breaker.recovery_probability import RecoveryProbability
from sprint.core.breaker.window import TimeWindow
from tests.bench.figures import environment, median
from tests.bench.rows import tell
from tests.bench.side_by_side import measure, shown_ns, timed

CALLS = 6_000
SPAN_S = 30.0
OPERATIONS = 500
NOW = 1_000.0 + SPAN_S
# Of each row of the table: the target it is told for, if any, as breaker.md names them.
TARGETS = {
    "backoff: a delay with jitter": "breaker backoff",
    "window: all statistics and p95": "breaker window",
    "adaptive threshold: follow a trend": "breaker adaptive threshold",
    "latency: decide": "breaker latency detection",
    "health: score of five parts": "breaker health score",
    "recovery: probability and time of a trial": "breaker recovery probability",
}


def filled() -> TimeWindow:
    window, source = TimeWindow(WindowPolicy()), random.Random(1)
    for number in range(CALLS):
        outcome: Outcome = "failure" if source.random() < 0.1 else "success"
        window.record(outcome, source.lognormvariate(-4, 0.5), 1_000.0 + SPAN_S * number / CALLS)
    return window


def works() -> dict[str, Callable[[], object]]:
    """Return what is measured, by name: one operation each."""
    rng = random.Random(2).random
    window = filled()
    batch = [0.02] * 512
    latency = LatencyDetection(LatencyPolicy(enabled=True))
    latency.record_many(batch, NOW)
    latency.learn(NOW)
    threshold = AdaptiveThreshold(AdaptivePolicy(enabled=True, interval_s=1e-9))
    for number in range(100):
        threshold.observe(number / 100, NOW)
    recovery = RecoveryProbability(RecoveryPolicy(enabled=True), 30.0)
    figures = HealthFigures(
        success_rate=0.97, latency_s=0.2, error_rate=0.03, resource_share=0.5, throughput_per_s=200.0
    )
    health_policy = HealthPolicy(throughput_per_s_target=100.0)
    prediction = FailurePrediction(PredictionPolicy(enabled=True, interval_s=1e-9))
    statistics, p95_s = window.statistics(NOW), window.percentile(0.95, NOW)
    clock = iter(range(10**9))

    def adapt() -> None:
        now = NOW + next(clock)
        threshold.observe(0.5, now)
        threshold.adjust(now)

    def learn() -> None:
        latency.record(0.02, NOW)
        latency.learn(NOW)

    return {
        "backoff: a delay with jitter": lambda: delay_s(BackoffPolicy(), 3, rng),
        "window: one call": lambda: window.record("success", 0.02, NOW),
        "window: 512 successes at once": lambda: window.record_successes(batch, NOW),
        "window: all statistics": lambda: window.statistics(NOW),
        "window: all statistics and p95": lambda: (window.statistics(NOW), window.percentile(0.95, NOW)),
        "adaptive threshold: follow a trend": adapt,
        "latency: one call": lambda: latency.record(0.02, NOW),
        "latency: decide": lambda: latency.trips(NOW),
        "latency: learn from a call": learn,
        "health: score of five parts": lambda: health(health_policy, figures),
        "recovery: probability and time of a trial": lambda: (
            recovery.probability(20.0, 1, 0.9),
            recovery.trial_in_s(1, 0.9),
        ),
        "prediction: score, learn, foretell": lambda: prediction.observe(
            statistics, p95_s, NOW + next(clock)
        ),
    }


def repeated(work: Callable[[], object]) -> Callable[[int], float]:
    def run() -> None:
        for _ in range(OPERATIONS):
            work()

    return lambda _: timed(run, OPERATIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the breaker's algorithms")
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    print(environment())
    taken = measure({name: repeated(work) for name, work in works().items()}, rounds)
    for name, values in taken.items():
        found = f"(least {shown_ns(min(values))}, most {shown_ns(max(values))})"
        print(f"{name:44} {shown_ns(median(values)):>9}  {found}")
        if name in TARGETS:
            tell(TARGETS[name], median(values) / 1e6, ours=shown_ns(median(values)))


if __name__ == "__main__":
    main()
