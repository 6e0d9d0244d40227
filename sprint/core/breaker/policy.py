"""A breaker's policy: every figure that it decides by, as plain data, with the least and greatest it may be.

One record for each algorithm, so that each is handed its own and nothing else. The packaged tiers stand in
`policies.toml` beside this file; the edge reads it and hands its text here. Nothing in code compares names.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

# Longer than a week nobody waits for a source, and times beyond the year 9999 can't be written.
SECONDS_MAX = 604_800.0
COUNT_MAX = 1_000_000
FACTOR_MAX = 1_000_000.0

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=SECONDS_MAX)]
SecondsOrZero = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]
# A window is a ring of buckets by the clock: their numbers since its zero have to be told apart.
WindowSeconds = Annotated[float, msgspec.Meta(ge=0.001, le=SECONDS_MAX)]
Factor = Annotated[float, msgspec.Meta(gt=0, le=FACTOR_MAX)]
Count = Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)]


class BackoffPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long OPEN lasts: min(base x multiplier^n, longest), then jitter, never above the longest.

    `healthy_s_per_step`: so long CLOSED takes one step back, rather than all at once.
    """

    base_s: Seconds = 30.0
    multiplier: Annotated[float, msgspec.Meta(ge=1, le=FACTOR_MAX)] = 1.75
    longest_s: Seconds = 300.0
    jitter: Literal["none", "full", "equal"] = "equal"
    healthy_s_per_step: Seconds = 60.0


class WindowPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls count: those of the last `span_s` in buckets, or the last `calls_max`.

    A call that takes longer than `slow_call_s`, strictly, is slow. Below `minimum_calls` no rate is believed.
    What a window may hold is bounded so that a breaker stays within 64 KiB.
    """

    kind: Literal["time", "count"] = "time"
    span_s: WindowSeconds = 30.0
    buckets: Annotated[int, msgspec.Meta(ge=1, le=10)] = 10
    calls_max: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    slow_call_s: Seconds = 5.0
    minimum_calls: Count = 20


class AdaptivePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the failure threshold follows the trend: within `least` and `greatest` times its base."""

    enabled: bool = False
    least: Factor = 0.5
    greatest: Factor = 2.0
    history: Annotated[int, msgspec.Meta(ge=10, le=100)] = 100
    trend_over: Factor = 0.1
    step: Factor = 0.1
    multiplier: Factor = 1.0
    interval_s: Seconds = 120.0


class LatencyPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When answers have become slow: over `slow_share` of the last `last` above baseline x multiplier.

    `baseline_s` None: it is learned. `slow_for_s`: it has to be so for so long; the last ten calls may have
    come within a hundredth of a second, and a pause that is over is no reason to open. Below
    `threshold_s_min` nothing is slow: what answers in microseconds must not open over a millisecond.
    """

    enabled: bool = False
    baseline_s: Seconds | None = None
    multiplier: Annotated[float, msgspec.Meta(gt=1, le=FACTOR_MAX)] = 3.0
    points_min: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    last: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    slow_share: Share = 0.7
    slow_for_s: SecondsOrZero = 0.0
    threshold_s_min: SecondsOrZero = 0.0
    span_s: Seconds = 300.0


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parts make the health score, their targets, and below which score the breaker opens.

    A part whose weight is 0 is off; the others are scaled so that they make 1. Without
    `throughput_per_s_target` none is asked for, and the part is neutral. `resource_share_target` is a share
    of the machine.
    """

    enabled: bool = False
    weight_success_rate: Share = 0.30
    weight_latency: Share = 0.25
    weight_error_rate: Share = 0.20
    weight_resources: Share = 0.15
    weight_throughput: Share = 0.10
    success_rate_target: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.999
    latency_s_target: Seconds = 1.0
    error_rate_target: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.001
    resource_share_target: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    throughput_per_s_target: Factor | None = None
    opens_below: Share = 0.5


class RecoveryPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a first trial is worth it: probability >= `trial_from`.

    `tau_s` None: the backoff's base to begin with; it is learned either way.
    """

    enabled: bool = False
    base: Share = 0.1
    failed_trial_factor: Share = 0.8
    trial_from: Share = 0.5
    tau_s: Seconds | None = None
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2


class PredictionPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether failure is foretold, over which interval, and from which probability it opens.

    `opens_from` None: it advises only.
    """

    enabled: bool = False
    interval_s: Seconds = 10.0
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.05
    opens_from: Share | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All figures of one breaker.

    `failures_to_open` failures in a row open it, scaled by the adaptive factor; so does a share of failures
    (`failure_rate_max`) or of slow calls (`slow_rate_max`) in the window, at the figure itself (`>=`, as
    resilience4j compares). None leaves a detector out. `half_open_calls` trials may be under way at once,
    and so many successes close. A trial's lease ends after `trial_lease_s`. HALF_OPEN without a verdict for
    `half_open_longest_s`, which is not shorter than a lease, is OPEN again. With `shadow` it says what it
    would do, and lets every call through.
    """

    name: str = "standard"
    failures_to_open: Count | None = 10
    failure_rate_max: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = 0.5
    slow_rate_max: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = 0.7
    half_open_calls: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    trial_lease_s: Seconds = 30.0
    half_open_longest_s: Seconds = 120.0
    shadow: bool = False
    backoff: BackoffPolicy = BackoffPolicy()
    window: WindowPolicy = WindowPolicy()
    adaptive: AdaptivePolicy = AdaptivePolicy()
    latency: LatencyPolicy = LatencyPolicy()
    health: HealthPolicy = HealthPolicy()
    recovery: RecoveryPolicy = RecoveryPolicy()
    prediction: PredictionPolicy = PredictionPolicy()
