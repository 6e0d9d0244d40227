"""What each of a breaker's eight algorithms sees now, out of the answer to `GET /api/breakers/{name}`.

The answer comes from another process, perhaps of another version: what it lacks is shown as not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sprint.core.monitor.words import age

_UNKNOWN = "not known"
_OFF = "off"


class AlgorithmLine(NamedTuple):
    """An algorithm: what it measures now, what it is held against, and whether that is reached."""

    name: str
    now: str
    limit: str
    reached: bool = False


def algorithm_lines(detail: Mapping[str, Any]) -> list[AlgorithmLine]:
    """Return a line for each algorithm, in the order of the page on breakers, and the prediction."""
    told, policy = _part(detail, "explanation"), _part(detail, "config")
    return [
        _backoff(told, policy),
        *_window(told, policy),
        _adaptive(told, policy),
        _latency(told, policy),
        _health(told, policy),
        _machine(told),
        _tier(told, detail),
        _recovery(told, policy),
        _prediction(told, policy),
    ]


def _backoff(told: Mapping[str, Any], policy: Mapping[str, Any]) -> AlgorithmLine:
    backoff = _part(policy, "backoff")
    step, left_s = told.get("opening_step"), _number(told.get("retry_after_s"))
    now = _UNKNOWN if step is None else f"step {step}"
    if left_s:
        now += f", {age(left_s)} left"
    base, longest = _number(backoff.get("base_s")), _number(backoff.get("longest_s"))
    if base is None or longest is None:
        return AlgorithmLine("backoff", now, _UNKNOWN)
    limit = f"{base:g} s x {backoff.get('multiplier', '?')}^n up to {longest:g} s"
    return AlgorithmLine("backoff", now, limit, bool(left_s))


def _window(told: Mapping[str, Any], policy: Mapping[str, Any]) -> list[AlgorithmLine]:
    held = _part(told, "statistics")
    failures, successes = _number(held.get("failures")) or 0, _number(held.get("successes")) or 0
    calls = failures + successes
    minimum = _number(_part(policy, "window").get("minimum_calls")) or 0
    lines = []
    for name, count, word, key in (
        ("window", failures, "failed", "failure_rate_max"),
        ("  slow", _number(held.get("slow")) or 0, "slow", "slow_rate_max"),
    ):
        share = count / calls if calls else 0.0
        most = _number(policy.get(key))
        limit = _OFF if most is None else f"{most:.0%} of {minimum:g} or more"
        reached = most is not None and calls >= minimum and calls > 0 and share >= most
        lines.append(AlgorithmLine(name, f"{count:g} of {calls:g} {word} ({share:.0%})", limit, reached))
    return lines


def _adaptive(told: Mapping[str, Any], policy: Mapping[str, Any]) -> AlgorithmLine:
    row, most = _number(told.get("failures_in_a_row")), _number(told.get("failures_to_open"))
    factor = _number(told.get("adaptive_factor"))
    now = _UNKNOWN if row is None else f"{row:g} failures in a row"
    limit = _OFF if most is None else f"{most:g} in a row"
    if _part(policy, "adaptive").get("enabled") and factor is not None:
        limit += f" (adapted x {factor:.2f})"
    return AlgorithmLine("adaptive", now, limit, row is not None and most is not None and row >= most)


def _latency(told: Mapping[str, Any], policy: Mapping[str, Any]) -> AlgorithmLine:
    p95_s, slow_s = _number(told.get("p95_s")), _number(told.get("slow_over_s"))
    now = "no call" if p95_s is None else f"p95 {p95_s * 1000:,.1f} ms"
    slow = _UNKNOWN if slow_s is None else f"over {slow_s * 1000:,.0f} ms is slow"
    enabled = bool(_part(policy, "latency").get("enabled"))
    over = p95_s is not None and slow_s is not None and p95_s > slow_s
    return AlgorithmLine("latency", now, slow if enabled else f"off; {slow}", enabled and over)


def _health(told: Mapping[str, Any], policy: Mapping[str, Any]) -> AlgorithmLine:
    score, below = _number(told.get("health")), _number(_part(policy, "health").get("opens_below"))
    now = "not scored yet" if score is None else f"{score:.2f}"
    if not _part(policy, "health").get("enabled"):
        return AlgorithmLine("health", now, _OFF)
    limit = f"opens below {below:.2f}" if below else "opens nothing"
    return AlgorithmLine("health", now, limit, score is not None and bool(below) and score < (below or 0.0))


def _machine(told: Mapping[str, Any]) -> AlgorithmLine:
    for_s = _number(told.get("for_s"))
    state = str(told.get("state", _UNKNOWN)).replace("_", " ")
    now = state if for_s is None else f"{state} for {age(for_s)}"
    trials = told.get("trials")
    if not isinstance(trials, Mapping):
        return AlgorithmLine("machine", now, f"generation {told.get('generation', '?')}")
    limit = f"{trials.get('succeeded', '?')} of {trials.get('asked_for', '?')} trials succeeded"
    return AlgorithmLine("machine", f"{now}, {trials.get('under_way', '?')} under way", limit)


def _tier(told: Mapping[str, Any], detail: Mapping[str, Any]) -> AlgorithmLine:
    laid = detail.get("laid_over")
    fields = laid.get("fields") if isinstance(laid, Mapping) else None
    over = "as configured" if not fields else f"laid over: {', '.join(map(str, fields))}"
    return AlgorithmLine("policy", str(told.get("policy", _UNKNOWN)), over)


def _recovery(told: Mapping[str, Any], policy: Mapping[str, Any]) -> AlgorithmLine:
    figures = _part(policy, "recovery")
    if not figures.get("enabled"):
        return AlgorithmLine("recovery", "-", _OFF)
    probability, least = _number(told.get("recovery_probability")), _number(figures.get("trial_from"))
    now = "only while open" if probability is None else f"{probability:.0%}"
    limit = _UNKNOWN if least is None else f"first trial from {least:.0%}"
    reached = probability is not None and least is not None and probability >= least
    return AlgorithmLine("recovery", now, limit, reached)


def _prediction(told: Mapping[str, Any], policy: Mapping[str, Any]) -> AlgorithmLine:
    figures = _part(policy, "prediction")
    if not figures.get("enabled"):
        return AlgorithmLine("prediction", "-", _OFF)
    probability, opens = _number(told.get("failure_probability")), _number(figures.get("opens_from"))
    now = _UNKNOWN if probability is None else f"{probability:.0%} within {figures.get('interval_s', '?')} s"
    limit = "advises only" if opens is None else f"opens from {opens:.0%}"
    return AlgorithmLine("prediction", now, limit, bool(opens) and (probability or 0.0) >= (opens or 1.0))


def health_parts(detail: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """Return the parts of a health score: name, score 0 to 1, and what was measured against which target."""
    parts = _part(detail, "explanation").get("health_parts")
    found = []
    for part in parts if isinstance(parts, list | tuple) else ():
        if isinstance(part, Mapping) and _number(part.get("weight")):
            measured, target = _number(part.get("measured")), _number(part.get("target"))
            said = "no figure" if measured is None else f"{measured:.4g}"
            against = "" if target is None else f" of {target:.4g}"
            name = str(part.get("name", "?")).replace("_", " ")
            found.append((name, _number(part.get("score")) or 0.0, said + against))
    return found


def _part(whole: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = whole.get(key)
    return part if isinstance(part, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
