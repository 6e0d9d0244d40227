"""How long a breaker stays open before its next trial: exponential, capped, with jitter that never compounds.

The delay is a function of the step alone; jitter is laid over the value that is handed out. So two breakers
that opened together don't try together, and each step grows from the exact delay of the one before.
"""

from __future__ import annotations

from sprint.core.breaker.outcomes import Rng
from sprint.core.breaker.policy import BackoffPolicy

EQUAL_JITTER_FROM = 0.5  # of the delay; a uniform share of it comes on top


def delay_s(policy: BackoffPolicy, step: int, rng: Rng) -> float:
    """Return how long to wait in seconds; steps count from 0, ValueError for one below.

    Jitter `none` is exact, `full` uniform from 0 to 100 % of the delay, `equal` from 50 to 150 %. The cap
    comes after it, so that the longest wait is never passed.
    """
    exact_s = exact_delay_s(policy, step)
    if policy.jitter == "none":
        return exact_s
    share = rng() + (EQUAL_JITTER_FROM if policy.jitter == "equal" else 0.0)
    return min(exact_s * share, policy.longest_s)


def exact_delay_s(policy: BackoffPolicy, step: int) -> float:
    """Return min(base x multiplier^step, longest).

    A power that is too large for a float is the longest too: what is called may be away for years.
    """
    if step < 0:
        raise ValueError(f"backoff step {step}, the first is 0")
    try:
        grown_s = policy.base_s * policy.multiplier**step
    except OverflowError:
        return policy.longest_s
    return min(grown_s, policy.longest_s)
