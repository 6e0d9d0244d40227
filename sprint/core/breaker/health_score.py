"""How well what is called does, as one number from 0.0 to 1.0 with all its parts shown.

Success rate 30 %, latency 25 %, error rate 20 %, resources 15 %, throughput 10 %, each held against its
target: at the target or better it is 1.0. A figure that should be high falls as its ratio to the target,
and so does latency the other way round. Error rate and resources have an end, all of it: from their target
on they fall in a straight line and are 0.0 there.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sprint.core.breaker.interfaces import Health, HealthFigures, HealthPart
from sprint.core.breaker.policy import HealthPolicy

NEUTRAL = 0.5  # of a part that has no figure: speaks neither for nor against


def health(policy: HealthPolicy, figures: HealthFigures) -> Health:
    """Return the score and its parts; those of weight 0 are off, the others' weights are scaled to make 1.

    Without any part that is on, the score is neutral.
    """
    parts = [part for part in _parts(policy, figures) if part.weight > 0.0]
    whole = sum(part.weight for part in parts)
    if not parts:
        return Health(score=NEUTRAL, parts=())
    scaled = tuple(_scaled(part, part.weight / whole) for part in parts)
    return Health(score=min(1.0, math.fsum(part.score * part.weight for part in scaled)), parts=scaled)


def _parts(policy: HealthPolicy, figures: HealthFigures) -> list[HealthPart]:
    success, errors = figures.success_rate, figures.error_rate
    return [
        _part("success_rate", success, policy.success_rate_target, policy.weight_success_rate, _reached),
        _part("latency", figures.latency_s, policy.latency_s_target, policy.weight_latency, _undercut),
        _part("error_rate", errors, policy.error_rate_target, policy.weight_error_rate, _spare),
        _part(
            "resources", figures.resource_share, policy.resource_share_target, policy.weight_resources, _spare
        ),
        _part(
            "throughput",
            figures.throughput_per_s,
            policy.throughput_per_s_target,
            policy.weight_throughput,
            _reached,
        ),
    ]


def _part(
    name: str,
    measured: float | None,
    target: float | None,
    weight: float,
    score: Callable[[float, float], float],
) -> HealthPart:
    """Return one part; without a figure or a target, or with a figure that is no number, it is neutral."""
    if measured is None or target is None or not math.isfinite(measured):
        return HealthPart(name=name, measured=None, target=target, score=NEUTRAL, weight=weight, neutral=True)
    within = min(1.0, max(0.0, score(max(0.0, measured), target)))
    return HealthPart(name=name, measured=measured, target=target, score=within, weight=weight, neutral=False)


def _scaled(part: HealthPart, weight: float) -> HealthPart:
    return HealthPart(
        name=part.name,
        measured=part.measured,
        target=part.target,
        score=part.score,
        weight=weight,
        neutral=part.neutral,
    )


def _reached(measured: float, target: float) -> float:
    return measured / target


def _undercut(measured: float, target: float) -> float:
    return target / measured if measured > target else 1.0


def _spare(measured: float, target: float) -> float:
    if measured <= target:
        return 1.0
    return (1.0 - measured) / (1.0 - target) if target < 1.0 else 0.0
