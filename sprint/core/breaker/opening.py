"""How long OPEN lasts: by the backoff, or for an outage's first trial by how likely the callee has recovered.

The probability says when the first trial is worth it, sooner or later than the backoff, never past the
longest delay: where it is out of reach, that one holds. After a trial that failed the backoff decides. The
probability falls with each failed trial and is out of reach after four, so that it would wait for the longest
delay while the backoff still asks in between.

Each opening is one step further than the one before it; time that was spent closed takes steps back, one for
each `healthy_s_per_step`, so that a callee that flaps waits longer each time and one that held is forgiven.
"""

from __future__ import annotations

from sprint.core.breaker.backoff import delay_s
from sprint.core.breaker.outcomes import Rng
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.recovery_probability import RecoveryProbability

# Beyond it every packaged multiplier has long reached its longest delay; it keeps powers within floats.
STEPS_MAX = 64


class Opening:
    """The delays of one breaker's openings. `by` names the algorithm that gave the last one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._recovery = RecoveryProbability(policy.recovery, policy.backoff.base_s)
        self._health: float | None = None
        self._outage_since: float | None = None
        self.step = -1
        self.failed_trials = 0
        self.by = "backoff"

    def __repr__(self) -> str:
        return f"Opening(step={self.step}, failed_trials={self.failed_trials})"

    def begin(self, *, closed_s: float, health: float | None, now: float) -> None:
        """Take the first step of an outage, after so long closed; `health` is as it was before."""
        steps_back = int(min(closed_s / self._policy.backoff.healthy_s_per_step, STEPS_MAX + 1))
        self.step = min(max(0, self.step + 1 - steps_back), STEPS_MAX)
        self.failed_trials = 0
        self._health = health
        self._outage_since = now

    def trial_failed(self) -> None:
        """Take the next step: the callee has not recovered."""
        self.step = min(self.step + 1, STEPS_MAX)
        self.failed_trials += 1

    def recovered(self, now: float) -> None:
        """Learn how long the outage was that trials have ended."""
        if self._outage_since is not None:
            self._recovery.recovered(max(0.0, now - self._outage_since))
            self._outage_since = None

    def interrupt(self) -> None:
        """Take an operator's word: how long the outage would have lasted nobody knows now."""
        self._outage_since = None

    def forget(self) -> None:
        """Begin anew after an operator's reset; the learned time of recovery stays."""
        self.step = -1
        self.failed_trials = 0

    def delay_s(self, rng: Rng) -> float:
        """Return after how many seconds a trial is due."""
        longest_s = self._policy.backoff.longest_s
        if self._policy.recovery.enabled and not self.failed_trials:
            self.by = "recovery"
            trial_in_s = self._recovery.trial_in_s(self.failed_trials, self._health)
            return longest_s if trial_in_s is None else min(trial_in_s, longest_s)
        self.by = "backoff"
        return min(delay_s(self._policy.backoff, max(0, self.step), rng), longest_s)

    def probability(self, since_opened_s: float) -> float:
        """Return how likely the callee has recovered, 0.0 to 1.0, so long after the last opening."""
        return self._recovery.probability(since_opened_s, self.failed_trials, self._health)

    def adopt(self, policy: Policy) -> None:
        """Go on under another policy, at the step that was reached."""
        self._policy = policy
        self._recovery.adopt(policy.recovery, policy.backoff.base_s)
