"""What opens a closed breaker: each detector looks at the figures and gives its evidence, or None.

All compare with `>=`, as resilience4j does (CircuitBreakerMetrics.checkIfThresholdsExceeded): the figure
itself trips. No rate is believed below `minimum_calls`.
"""

from __future__ import annotations

import msgspec

from sprint.core.breaker.interfaces import Health
from sprint.core.breaker.outcomes import Evidence, Statistics, because
from sprint.core.breaker.policy import Policy


def failures_limit(policy: Policy, factor: float) -> int | None:
    """Return how many failures in a row open it: the policy's figure by the adaptive factor, at least 1."""
    if policy.failures_to_open is None:
        return None
    return max(1, round(policy.failures_to_open * factor))


def consecutive_failures(failures: int, limit: int | None, why: str = "") -> Evidence | None:
    """So many failures in a row, with no success between them; `why` the last one came about."""
    if limit is None or failures < limit:
        return None
    return Evidence(
        detector="consecutive_failures",
        measured=failures,
        limit=limit,
        calls=failures,
        text=because(f"{failures} failures in a row, limit {limit}", why),
    )


def rates(policy: Policy, statistics: Statistics, why: str = "") -> Evidence | None:
    """Too large a share of failures, or else of slow calls, in the window; `why` the last one failed."""
    if statistics.calls < policy.window.minimum_calls:
        return None
    failed = _rate("failure_rate", "failed", statistics.failure_rate, policy.failure_rate_max, statistics)
    if failed is not None and why:
        failed = msgspec.structs.replace(failed, text=because(f"{failed.text}, the last one", why))
    return failed or _rate("slow_rate", "were slow", statistics.slow_rate, policy.slow_rate_max, statistics)


def _rate(
    detector: str, what: str, measured: float, limit: float | None, statistics: Statistics
) -> Evidence | None:
    if limit is None or measured < limit:
        return None
    return Evidence(
        detector=detector,
        measured=measured,
        limit=limit,
        calls=statistics.calls,
        text=f"{measured:.1%} of {statistics.calls} calls {what}, limit {limit:.1%}",
    )


def poor_health(policy: Policy, health: Health, statistics: Statistics) -> Evidence | None:
    """A score below the policy's; believed as rates are, from `minimum_calls` on."""
    limit = policy.health.opens_below
    if statistics.calls < policy.window.minimum_calls or health.score >= limit:
        return None
    worst = min(
        (part for part in health.parts if not part.neutral), key=lambda part: part.score, default=None
    )
    because = f", least by {worst.name} at {worst.score:.2f}" if worst else ""
    return Evidence(
        detector="health",
        measured=health.score,
        limit=limit,
        calls=statistics.calls,
        text=f"health {health.score:.2f} below {limit:.2f}{because}",
    )
