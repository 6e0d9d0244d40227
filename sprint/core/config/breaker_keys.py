"""The keys of `[breakers]`: each figure of a policy with what it is for, and what stands beside the policies.

`breakers.NAME` is the policy of a tier, that of what is called (`source`, `store`), or one breaker's own,
which is called as the breaker is: `breakers."source:bitcoin:core-1"`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.rounds import Intervals

EJECTED_KEY = "group_ejected_percent_max"
INTERVALS = "intervals"
# What stands under [breakers] and is no policy.
NO_POLICIES = (EJECTED_KEY, INTERVALS)
# What a relay calls has a policy of this name.
POLICY_SECTIONS = ("source", "store")

Percent = Annotated[float, Meta(ge=0, le=100)]
EJECTED_PERCENT_MAX = 100.0

BESIDE_TEXTS: dict[str, str] = {
    EJECTED_KEY: "how many of a chain's sources their breakers may shut out at once, in percent; never all",
    "intervals.state_s": "how often leases are ended, trends noted and failure foretold",
    "intervals.metrics_s": (
        "how often figures are handed to who listens for them; a relay's own parts read them when asked"
    ),
    "intervals.health_s": "how often health is scored with the machine's load",
    "intervals.adaptive_s": "how often thresholds and baselines follow what was seen",
    "intervals.cleanup_s": "how often breakers that nobody needs are looked for",
    "intervals.idle_s": "how long nobody must have asked for such a one",
}

POLICY_TEXTS: dict[str, str] = {
    "failures_to_open": "so many failures in a row open it; `none`: no number does",
    "failure_rate_max": "so large a share of failures in the window opens it; `none`: none does",
    "slow_rate_max": "so large a share of slow calls in the window opens it; `none`: none does",
    "half_open_calls": "trials that may be under way at once, and successes that close it; of a source 1",
    "trial_lease_s": "a trial that hangs gives its place back after so long",
    "half_open_longest_s": "half open without a verdict is open again; not shorter than a lease",
    "shadow": "it says what it would do, and lets every call through",
    "backoff.base_s": "the first delay",
    "backoff.multiplier": "how much longer the next delay is",
    "backoff.longest_s": "no delay is longer; not below `backoff.base_s`",
    "backoff.jitter": "`none`, `full` (0 to 100 % of the delay) or `equal` (50 to 150 %)",
    "backoff.healthy_s_per_step": "so long closed takes one step of the backoff back",
    "window.kind": "`time`: the calls of the last seconds; `count`: the last calls",
    "window.span_s": "of `time`: how long a call counts",
    "window.buckets": "of `time`: in how many parts it is kept",
    "window.calls_max": "of `count`: how many calls count",
    "window.slow_call_s": "a call that takes longer is slow",
    "window.minimum_calls": "below so many no rate is believed",
    "adaptive.enabled": "`failures_to_open` follows the trend of success",
    "adaptive.least": "the least factor on it, up to 1",
    "adaptive.greatest": "the greatest factor on it, from 1",
    "adaptive.history": "points of the trend that are kept",
    "adaptive.trend_over": "a trend up to this is none",
    "adaptive.step": "how far the factor moves at a time",
    "adaptive.multiplier": "times which the step is taken",
    "adaptive.interval_s": "no sooner than that it moves again",
    "latency.enabled": "opens where answers have become slow",
    "latency.baseline_s": "the ordinary latency; `none`: it is learned",
    "latency.multiplier": "slow is what takes so many times the baseline",
    "latency.points_min": "so many answers have to be at hand",
    "latency.last": "how many of the last ones are looked at",
    "latency.slow_share": "opens where more than this share of them is slow",
    "latency.slow_for_s": "and has been for so long",
    "latency.threshold_s_min": "what takes no longer is never slow",
    "latency.span_s": "an answer that is older counts no more",
    "health.enabled": "health is scored and shown",
    "health.weight_success_rate": "share of the score; 0 leaves the part out",
    "health.weight_latency": "share of the score; 0 leaves the part out",
    "health.weight_error_rate": "share of the score; 0 leaves the part out",
    "health.weight_resources": "share of the score; 0 leaves the part out",
    "health.weight_throughput": "share of the score; 0 leaves the part out",
    "health.success_rate_target": "from here on the part is 1.0",
    "health.latency_s_target": "up to here the part is 1.0, of p95",
    "health.error_rate_target": "up to here the part is 1.0",
    "health.resource_share_target": "up to here the part is 1.0, of the machine",
    "health.throughput_per_s_target": "from here on the part is 1.0; `none`: the part is neutral",
    "health.opens_below": "a score below it opens; 0: none does",
    "recovery.enabled": "how likely it has recovered says when an outage's first trial is worth it",
    "recovery.base": "the probability at the opening; below `recovery.trial_from`",
    "recovery.failed_trial_factor": "what a failed trial leaves of it",
    "recovery.trial_from": "from this probability on a trial is worth it",
    "recovery.tau_s": "how long outages last, to begin with; `none`: `backoff.base_s`",
    "recovery.learning_rate": "how much one outage teaches of that",
    "prediction.enabled": "failure is foretold and shown",
    "prediction.interval_s": "over so long",
    "prediction.learning_rate": "how much one interval teaches",
    "prediction.opens_from": "opens from this probability on; `none`: it only advises",
}


class Field(NamedTuple):
    """One field of a record, by its dotted path within: its type with limits, its default, what it is for."""

    path: str
    kind: Any
    default: Any
    about: str


def beside_fields() -> Iterator[Field]:
    """Return what stands under `[breakers]` beside the policies."""
    yield Field(EJECTED_KEY, Percent, EJECTED_PERCENT_MAX, BESIDE_TEXTS[EJECTED_KEY])
    yield from _fields(Intervals, f"{INTERVALS}.", BESIDE_TEXTS)


def policy_fields() -> Iterator[Field]:
    """Return every figure of a policy."""
    return _fields(Policy, "", POLICY_TEXTS)


def _fields(record: type[msgspec.Struct], prefix: str, texts: Mapping[str, str]) -> Iterator[Field]:
    hints = get_type_hints(record, include_extras=True)
    for field in msgspec.structs.fields(record):
        kind, path = hints[field.name], prefix + field.name
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from _fields(kind, f"{path}.", texts)
        elif path != "name":  # a policy is called as its table
            yield Field(path, kind, field.default, texts[path])
