"""How likely it is that what was called has recovered, and so when a first trial is worth its cost.

    base + (1 - base) x timeFactor x 0.8^n x health,    timeFactor = 1 - exp(-elapsed / tau)

n are the trials that have failed since the opening, not the failures that opened the breaker: with twenty of
those the probability could never reach a half again. Still it may stay below for ever, after four failed
trials or with bad health; `trial_in_s` then says so. The breaker asks it for the first trial of an outage
only (`opening.py`), and takes the longest delay where health puts that out of reach.
"""

from __future__ import annotations

import math

from sprint.core.breaker.policy import RecoveryPolicy

HEALTH_NEUTRAL = 0.5
TAU_S_MIN, TAU_S_MAX = 1.0, 3600.0  # no outage, however short or long, makes trials a storm or ends them


class RecoveryProbability:
    """The probability for one breaker; tau is learned from its outages, in seconds."""

    def __init__(self, policy: RecoveryPolicy, tau_s: float) -> None:
        self._policy = policy
        self._tau_s = _bounded(tau_s if policy.tau_s is None else policy.tau_s)
        self._outages = 0

    def __repr__(self) -> str:
        return f"RecoveryProbability(tau_s={self._tau_s:.3f}, {self._outages} outages)"

    @property
    def tau_s(self) -> float:
        """The time in which outages have ended lately, as an exponentially weighted mean."""
        return self._tau_s

    def recovered(self, open_s: float) -> None:
        """Learn from one outage that lasted `open_s`, from its opening to its closing."""
        if math.isfinite(open_s):
            self._tau_s += (_bounded(open_s) - self._tau_s) * self._policy.learning_rate
            self._outages += 1

    def probability(self, since_opened_s: float, failed_trials: int, health: float | None) -> float:
        """Return 0.0 to 1.0; health None is neutral, elapsed time below 0 counts as none."""
        time_factor = -math.expm1(-max(0.0, since_opened_s) / self._tau_s)
        return self._policy.base + time_factor * self._reach(failed_trials, health)

    def trial_in_s(self, failed_trials: int, health: float | None) -> float | None:
        """Return after which time since the opening the probability is `trial_from`; None if it never is."""
        missing = self._policy.trial_from - self._policy.base
        if missing <= 0.0:
            return 0.0
        reach = self._reach(failed_trials, health)
        if missing >= reach:
            return None
        return -math.log1p(-missing / reach) * self._tau_s

    def adopt(self, policy: RecoveryPolicy, tau_s: float) -> None:
        """Go on under another policy; a tau that was learned is kept."""
        self._policy = policy
        if not self._outages:
            self._tau_s = _bounded(tau_s if policy.tau_s is None else policy.tau_s)

    def _reach(self, failed_trials: int, health: float | None) -> float:
        """Return what time can add to the base."""
        weight = HEALTH_NEUTRAL if health is None else min(1.0, max(0.0, health))
        return (1.0 - self._policy.base) * self._policy.failed_trial_factor**failed_trials * weight


def _bounded(tau_s: float) -> float:
    return min(max(tau_s, TAU_S_MIN), TAU_S_MAX)
