"""Whether a run met its thresholds, and whether the generator rather than the target was the limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from operator import eq, ge, gt, le, lt
from typing import Literal

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.loadtest.recording import Latency, Totals

THRESHOLDS_MAX = 64
# Less than this share of what was asked for, and the rate was not what was asked.
BEGUN_SHARE_MIN = 0.995
# A percentile of the schedule error counts where it is more than this, and more than this share of the same
# percentile of what was measured: P99 alone would miss it where a stalling target makes that one long.
SCHEDULE_ERROR_MS_MAX = 1.0
SCHEDULE_ERROR_SHARE_MAX = 0.1
# Workers were short where more requests than this share had to wait for one.
WORKER_WAIT_SHARE_MAX = 0.005

Unit = Literal["ms", "share", "per_s", "count"]

_COMPARE: dict[str, Callable[[float, float], bool]] = {"<=": le, ">=": ge, "==": eq, "<": lt, ">": gt}
_LATENCIES = {
    "": "response",
    "response_": "response",
    "service_": "service",
    "failed_": "failed",
    "schedule_error_": "schedule_error",
    "worker_wait_": "worker_wait",
}
_STATISTICS = {
    "min": "ms_min",
    "mean": "ms_mean",
    "p50": "ms_p50",
    "p90": "ms_p90",
    "p95": "ms_p95",
    "p99": "ms_p99",
    "p99.9": "ms_p99_9",
    "max": "ms_max",
}
_RATES = {"rps": "rate_answered_per_s", "success_rps": "rate_success_per_s"}
_COUNTS = {
    "requests": "answered",
    "successes": "successes",
    "failures": "failures",
    "limited": "limited",
    "rejected": "rejected",
    "unanswered": "unanswered",
    "never_sent": "never_sent",
    "state_changes": "state_changes",
    "bytes_in": "bytes_in",
    "bytes_out": "bytes_out",
}
_SHARES: dict[str, Callable[[Totals], float]] = {
    "error_rate": lambda totals: totals.error_share,
    "success_rate": lambda totals: 1 - totals.error_share,
    "limited_rate": lambda totals: totals.limited / max(1, totals.answered),
    "rejected_rate": lambda totals: totals.rejected / max(1, totals.answered),
}
METRICS = (
    *(prefix + statistic for prefix in _LATENCIES for statistic in _STATISTICS),
    *_SHARES,
    *_RATES,
    *_COUNTS,
)
_SCALES: dict[Unit, dict[str, float]] = {
    "ms": {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3},
    "share": {"%": 0.01, "": 1.0},
    "per_s": {"": 1.0},
    "count": {"": 1.0},
}
_THRESHOLD = re.compile(
    r"\s*([a-z][a-z0-9_.]*)\s*(<=|>=|==|<|>)\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([a-zµ%]*)\s*"
)


class Threshold(msgspec.Struct, frozen=True):
    """What a metric has to be, in its own unit: ms, a share of 1, per second, or a count."""

    text: str
    metric: str
    operator: str
    limit: float
    unit: Unit


class ThresholdResult(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold beside what was measured; None, and not met, where there is nothing to measure."""

    text: str
    metric: str
    operator: str
    limit: float
    unit: Unit
    actual: float | None
    met: bool


class GeneratorCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the generator kept up with its schedule; `reasons` say where it didn't.

    The schedule error is how long after its moment the generator came to a request. A request that then
    waits for a worker waits for the target, unless there are too few: `workers_short`. `sent_the_load` is
    false where so much of the load was missing that nothing can be judged by what was measured.
    """

    limited: bool
    workers_short: bool
    begun_share: float
    schedule_error_ms_p99: float
    schedule_error_ms_max: float
    reasons: tuple[str, ...]
    sent_the_load: bool = True


class Hindrances(msgspec.Struct, frozen=True, kw_only=True):
    """What the run itself knows of: generators that were `lost`, and what else held the load up."""

    lost: tuple[str, ...] = ()
    held_up: tuple[str, ...] = ()


def parse_threshold(text: str) -> Threshold:
    """Return the threshold of `p99<50ms`, `error_rate<0.1%`, `rps>=990` and the like."""
    found = _THRESHOLD.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"--threshold {text!r}: no threshold; write METRIC, one of < <= > >= ==, and a value with its "
            "unit, for example p99<50ms, error_rate<0.1% or rps>=990"
        )
    metric, operator, number, unit_text = found.groups()
    unit = _unit(metric, text)
    scales = _SCALES[unit]
    if unit_text not in scales:
        wanted = ", ".join(each or "none" for each in scales)
        raise ConfigError(f"--threshold {text!r}: unit {unit_text or 'none'!r} of {metric}; it is {wanted}")
    return Threshold(text.strip(), metric, operator, float(number) * scales[unit_text], unit)


def judge(thresholds: Iterable[Threshold], totals: Totals) -> tuple[ThresholdResult, ...]:
    """Hold each threshold against what was measured."""
    results = []
    for threshold in thresholds:
        actual = _measured(threshold.metric, totals)
        met = actual is not None and _COMPARE[threshold.operator](actual, threshold.limit)
        results.append(ThresholdResult(**msgspec.structs.asdict(threshold), actual=actual, met=met))
    return tuple(results)


def check_generator(
    totals: Totals, never_sent: Mapping[str, int], hindrances: Hindrances | None = None
) -> GeneratorCheck:
    """Say whether the generator was the limit. Where nothing is scheduled it was if it was lost."""
    known = hindrances or Hindrances()
    begun_share = totals.begun / totals.asked if totals.asked else 1.0
    error, wait = totals.schedule_error, totals.worker_wait
    reasons = []
    if begun_share < BEGUN_SHARE_MIN:
        reasons.append(
            f"it came to {totals.begun:,} of {totals.asked:,} requests that were due "
            f"({begun_share:.1%}): more --processes, or a lower rate"
        )
    if error is not None and totals.response is not None:
        reasons += _lateness(error, totals.response)
    reasons += [*known.lost, *known.held_up]
    limited = bool(reasons)
    workers_short = wait is not None and wait.count > WORKER_WAIT_SHARE_MAX * totals.begun
    if wait is not None and workers_short:
        reasons.append(
            f"{wait.count:,} requests waited for a worker, p99 {wait.ms_p99:.3g} ms: more --workers, "
            "or the target is too slow for this rate"
        )
    reasons += [f"{count:,} were never sent: {reason}" for reason, count in sorted(never_sent.items())]
    return GeneratorCheck(
        limited=limited,
        workers_short=workers_short,
        begun_share=begun_share,
        schedule_error_ms_p99=error.ms_p99 if error else 0.0,
        schedule_error_ms_max=error.ms_max if error else 0.0,
        reasons=tuple(reasons),
        # Of a load that has a schedule a loss is in the share.
        sent_the_load=begun_share >= BEGUN_SHARE_MIN and not (known.lost and not totals.asked),
    )


def _lateness(error: Latency, response: Latency) -> list[str]:
    """Say at which percentile, the highest of those, lateness is a good part of the response time."""
    for name in ("p99", "p95", "p90", "p50"):
        late = getattr(error, f"ms_{name}")
        measured = getattr(response, f"ms_{name}")
        if late > max(SCHEDULE_ERROR_MS_MAX, SCHEDULE_ERROR_SHARE_MAX * measured):
            text = (
                f"it came to its requests up to {late:.3g} ms late ({name}; {error.ms_max:.3g} ms at most), "
                f"which is in the response times: {name} {measured:.3g} ms"
            )
            return [text]
    return []


def _unit(metric: str, text: str) -> Unit:
    if metric in _SHARES:
        return "share"
    if metric in _RATES:
        return "per_s"
    if metric in _COUNTS:
        return "count"
    if metric in METRICS:
        return "ms"
    near = get_close_matches(metric, METRICS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(METRICS)}"
    raise ConfigError(f"--threshold {text!r}: no metric {metric!r}; {hint}")


def _measured(metric: str, totals: Totals) -> float | None:
    if metric in _COUNTS:
        return float(getattr(totals, _COUNTS[metric]))
    if metric in _RATES:
        return float(getattr(totals, _RATES[metric]))
    if metric in _SHARES:
        return _SHARES[metric](totals) if totals.answered + totals.unanswered else None
    prefix, _, statistic = metric.rpartition("_")
    latency: Latency | None = getattr(totals, _LATENCIES[f"{prefix}_" if prefix else ""])
    return None if latency is None else float(getattr(latency, _STATISTICS[statistic]))
