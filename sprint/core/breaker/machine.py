"""The breaker itself: in which of its states it is, whom it lets through, and what an outcome changes.

    permit = machine.admit(now)            # None: machine.refusal(now) says why, and when to try again
    machine.settle(permit, "success", latency_s, now)

Every permit carries the generation it was given in, which each transition ends: an outcome of an older one is
void, so that calls which were let through before an opening can't close what they know nothing of. It has one
owner and no lock; `sprint.tools.breaker` adds clock, locks and asyncio. `now` is in monotonic seconds; a
clock that goes back is taken to stand still.
"""

from __future__ import annotations

import math
from collections import Counter, deque

from sprint.core.breaker.figures import Figures
from sprint.core.breaker.interfaces import Ejection
from sprint.core.breaker.lane import Lane
from sprint.core.breaker.names import check_name
from sprint.core.breaker.opening import Opening
from sprint.core.breaker.outcomes import Evidence, Outcome, Rng, State, Statistics, because, ordered
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_table import check_policy
from sprint.core.breaker.transitions import FRESH_AFTER, TRANSITIONS, Cause, Transition
from sprint.core.breaker.trials import Permit, Trials
from sprint.core.errors import CircuitOpenError

# The last transitions that are kept for whoever asks; a face takes each as it comes.
TRANSITIONS_KEPT_MAX = 64

# How often a breaker evaluates itself with a call, where no worker does it; and how long after one did.
EVALUATED_WITH_CALLS_S = 10.0
EVALUATED_BY_OTHERS_S = 60.0

_BORN = Evidence(detector="start", text="closed since the start")


class Machine:
    """One breaker. `rng` gives the jitter."""

    def __init__(self, name: str, policy: Policy, *, now: float, rng: Rng) -> None:
        self.name = check_name(name)
        self.policy = check_policy(policy, f"breaker {name!r}")
        self.state: State = "closed"
        self.generation = 1
        self.since = now
        self.evidence = _BORN
        self.trial_at = math.inf
        self.trials: Trials | None = None
        self.figures = Figures(policy)
        self.opening = Opening(policy)
        self.totals: Counter[str] = Counter()
        self.ejection: Ejection | None = None
        self.withheld: Evidence | None = None
        self.transitions: deque[Transition] = deque(maxlen=TRANSITIONS_KEPT_MAX)
        self._rng = rng
        self._now = now
        self.transitions_made = 0
        self.moves: Counter[tuple[State, Cause]] = Counter()
        self._evaluate_at = now + EVALUATED_WITH_CALLS_S
        self._uses_lanes = True
        self.lane = Lane(self.generation, [])
        self._open_lane()

    def __repr__(self) -> str:
        return f"Machine({self.name!r}, {self.state}, generation={self.generation}, since={self.since:.3f})"

    # -- calls

    def admit(self, now: float) -> Permit | None:
        """Let a call through, or not. At exactly the end of a delay it is let through."""
        now = self._advance(now)
        if self.state == "open" and now >= self.trial_at:
            self._move("trial_due", self._delay_over())
        permit = self._permit()
        if permit is None and self.policy.shadow and self.state != "force_open":
            self.totals["would_reject"] += 1
            return Permit(self.generation, ghost=True)
        if permit is None:
            self.totals["rejected"] += 1
            self.figures.window.record_rejected(now)
        return permit

    def settle(self, permit: Permit, outcome: Outcome, latency_s: float, now: float, why: str = "") -> bool:
        """Take in how a call ended; `why` it failed stands in the evidence of what comes of it.

        False: it is void, of an older generation or told a second time.
        """
        now = self._advance(now)
        if permit.settled or permit.ghost or permit.generation != self.generation:
            self.totals["unguarded" if permit.ghost else "void"] += 1
            permit.settled = True
            return False
        permit.settled = True
        if self.trials is not None:
            return self._settle_trial(self.trials, permit, outcome, latency_s, why)
        self._count(outcome, latency_s, why)
        return True

    def share(self, outcome: Outcome, latency_s: float, now: float, why: str = "") -> None:
        """Take in what another breaker of the same provider saw. It decides no trial."""
        self._advance(now)
        if self.state in ("closed", "force_close"):
            self._count(outcome, latency_s, why)

    def refusal(self, now: float) -> CircuitOpenError:
        """Return the error for a call that was not let through."""
        now = max(now, self._now)
        return CircuitOpenError(self.name, self.state, self.evidence.text, self.retry_after_s(now))

    def retry_after_s(self, now: float) -> float | None:
        """Return after how long a call may be let through; None where that is an operator's affair."""
        if self.state == "open":
            return max(0.0, self.trial_at - now)
        if self.trials is not None:
            return self.trials.place_free_in_s(now)
        return None if self.state == "force_open" else 0.0

    def bring_forward(self, now: float) -> bool:
        """Let the next call be a trial although the delay is not over: there is nobody else to call.

        False: it is not open, or a trial is due already.
        """
        now = self._advance(now)
        if self.state != "open" or self.trial_at <= now:
            return False
        self.trial_at = now
        self.opening.by = "need"
        return True

    # -- time, policy and operators

    def evaluate(self, now: float, *, resource_share: float | None = None) -> None:
        """Look at all that no call brings. A breaker nobody does that for does it with its calls."""
        self.evaluate_state(now)
        self.adapt(now)
        self.evaluate_health(now, resource_share=resource_share)

    def evaluate_state(self, now: float) -> None:
        """End leases and a HALF_OPEN without a verdict; foretell failure."""
        self._evaluate_at = self._advance(now) + EVALUATED_BY_OTHERS_S
        self.figures.observe(self._now)
        self._trip(self.figures.predict(self._now))

    def evaluate_health(self, now: float, *, resource_share: float | None) -> None:
        """Work the health score out; `resource_share` of the machine, None where nobody measured it."""
        self._advance(now)
        self._trip(self.figures.poor_health(self._now, resource_share))

    def adapt(self, now: float) -> None:
        """Let the failure threshold and the latency baseline follow what was seen."""
        self._advance(now)
        self.figures.adapt(self._now)
        self._open_lane()

    def adopt(self, policy: Policy, now: float) -> None:
        """Go on under another policy, from the next call on, with all that was counted.

        Raises `ConfigError` for one that cannot be, and goes on under the old one.
        """
        check_policy(policy, f"breaker {self.name!r}")
        now = self._advance(now)
        self.policy = policy
        self.figures.adopt(policy, now)
        self.opening.adopt(policy)
        self.trial_at = min(self.trial_at, self.since + policy.backoff.longest_s)
        if self.trials is not None:
            self.trials.budget, self.trials.lease_s = policy.half_open_calls, policy.trial_lease_s
        self._open_lane()

    def use_lanes(self, *, use: bool) -> None:
        """Count successes later or each by itself, as somebody needs who looks at every call."""
        self._uses_lanes = use
        self._open_lane()

    def force_open(self, now: float, why: str = "") -> bool:
        """Reject all calls until `release` or `reset`. False: that is so already."""
        return self._command("forced_open", now, why)

    def force_close(self, now: float, why: str = "") -> bool:
        """Let all calls through until `release` or `reset`; what opens is still recorded. False: it is so."""
        return self._command("forced_closed", now, why)

    def release(self, now: float, why: str = "") -> bool:
        """Leave a forced state. False: it is in none."""
        return self._command("released", now, why)

    def reset(self, now: float, why: str = "") -> bool:
        """Begin anew, closed, with fresh statistics and the shortest delay."""
        return self._command("reset", now, why)

    def statistics(self, now: float) -> Statistics:
        """Return what the window holds."""
        return self.figures.window.statistics(self._advance(now))

    # -- within

    def _advance(self, now: float) -> float:
        """Move to `now`: count what the lane gathered, end leases, leave a HALF_OPEN without a verdict."""
        now = self._now = max(self._now, now)
        self._fold()
        trials = self.trials
        if trials is None:
            return now
        self.totals["lease_ended"] += trials.expire(now)
        if now - trials.since >= self.policy.half_open_longest_s:
            self._reopen("trials_undecided", self._undecided(trials))
        else:
            self._judge(trials)
        return now

    def _permit(self) -> Permit | None:
        if self.state in ("closed", "force_close"):
            return Permit(self.generation)
        if self.trials is None:
            return None
        number = self.trials.admit(self._now)
        return Permit(self.generation, trial=number) if number else None

    def _fold(self) -> None:
        if self.lane.latencies:
            gathered = self.lane.take()
            self.totals["success"] += len(gathered)
            self.figures.record_successes(gathered, self.lane.since)

    def _count(self, outcome: Outcome, latency_s: float, why: str) -> None:
        self.totals[outcome] += 1
        if outcome == "ignored":
            return
        self.figures.record(outcome, latency_s, self._now, why)
        if self._now >= self._evaluate_at:
            self.evaluate(self._now)
            self._evaluate_at = self._now + EVALUATED_WITH_CALLS_S
        if outcome in ("success", "failure"):
            found = self.figures.trip(self._now)
            self.withheld = self.withheld if found else None
            self._trip(found)
        else:
            self._open_lane()

    def _trip(self, found: Evidence | None) -> None:
        """Open a closed breaker, unless its group says that too many are open already."""
        if found is not None and self.state == "closed":
            if self.ejection is None or self.ejection.reserve(self.name):
                self._move("tripped", found)
                return
            self.totals["withheld"] += 1
            self.withheld = found
        self._open_lane()

    def _open_lane(self) -> None:
        """Let successes be counted later where none can change a decision, and only there."""
        gathered = self.lane.latencies
        if self.lane.generation != self.generation:
            self.totals["void"] += len(gathered)
            gathered = []
        self.lane.until = -math.inf
        may_be = self.state == "closed" and self._uses_lanes
        until = self.figures.calm_until(self._now) if may_be else None
        if until is None:
            self.lane = Lane(self.generation, gathered, since=self._now)
        else:
            slow_over_s = self.figures.slow_over_s()
            self.lane = Lane(
                self.generation, gathered, since=self._now, until=until, latency_s_max=slow_over_s
            )

    def _settle_trial(
        self, trials: Trials, permit: Permit, outcome: Outcome, latency_s: float, why: str
    ) -> bool:
        if not trials.give_back(permit.trial):
            self.totals["void"] += 1
            return False
        self.totals[outcome] += 1
        if outcome == "failure":
            self._reopen("trial_failed", _failed_trial(trials, why))
        elif outcome == "success":
            trials.successes += 1
            trials.slow += latency_s > self.figures.slow_over_s()
            self._judge(trials)
        else:
            trials.undecided += 1
        return True

    def _judge(self, trials: Trials) -> None:
        """Close after enough successes, unless so many were slow that it would open for that again."""
        if trials.successes < trials.budget:
            return
        limit = self.policy.slow_rate_max
        if limit is not None and trials.slow >= limit * trials.successes:
            self._reopen("trial_failed", _slow_trials(trials, limit))
            return
        self.opening.recovered(self._now)
        one = trials.successes == 1
        text = "the trial call succeeded" if one else f"all {trials.successes} trial calls succeeded"
        self._move(
            "trials_succeeded",
            Evidence(
                detector="trials",
                measured=trials.successes,
                limit=trials.budget,
                calls=trials.successes,
                text=text,
            ),
        )

    def _reopen(self, cause: Cause, evidence: Evidence) -> None:
        self.opening.trial_failed()
        self._move(cause, evidence)

    def _delay_over(self) -> Evidence:
        waited, delay = self._now - self.since, self.trial_at - self.since
        text = f"{waited:.3g} s after it opened, delay {delay:.3g} s by {self.opening.by}"
        return Evidence(detector=self.opening.by, measured=waited, limit=delay, text=text)

    def _undecided(self, trials: Trials) -> Evidence:
        took, limit = self._now - trials.since, self.policy.half_open_longest_s
        told = f"{trials.successes} succeeded, {trials.expired} leases ended, {trials.undecided} told nothing"
        return Evidence(
            detector="trials",
            measured=took,
            limit=limit,
            calls=trials.admitted,
            text=f"no verdict of {trials.admitted} trials in {took:.3g} s, limit {limit:.3g} s: {told}",
        )

    def _command(self, cause: Cause, now: float, why: str) -> bool:
        self._advance(now)
        if (self.state, cause) not in TRANSITIONS:
            return False
        self.opening.interrupt()
        self._move(cause, ordered(cause, why))
        return True

    def _move(self, cause: Cause, evidence: Evidence) -> None:
        """Make one transition of the table: a new generation, and what its state begins with."""
        source, now = self.state, self._now
        target = TRANSITIONS[source, cause]
        if cause == "tripped":
            self.opening.begin(closed_s=now - self.since, health=self.figures.health_score(), now=now)
        if cause == "reset":
            self.opening.forget()
        if cause in FRESH_AFTER:
            self.figures.clear()
        self.state, self.since, self.evidence, self.withheld = target, now, evidence, None
        self.generation += 1
        self.trials = self._new_trials() if target == "half_open" else None
        self.trial_at = self._trial_at(cause) if target == "open" else math.inf
        self._open_lane()
        self._tell_group(target)
        self._note(source, target, cause)

    def _tell_group(self, target: State) -> None:
        if self.ejection is not None and target in ("closed", "force_close"):
            self.ejection.give_back(self.name)
        elif self.ejection is not None:
            self.ejection.note(self.name)

    def _trial_at(self, cause: Cause) -> float:
        return self._now if cause == "released" else self._now + self.opening.delay_s(self._rng)

    def _new_trials(self) -> Trials:
        return Trials(self._now, budget=self.policy.half_open_calls, lease_s=self.policy.trial_lease_s)

    def _note(self, source: State, target: State, cause: Cause) -> None:
        self.transitions_made += 1
        self.moves[source, cause] += 1
        self.transitions.append(
            Transition(
                number=self.transitions_made,
                breaker=self.name,
                from_state=source,
                to_state=target,
                reason=cause,
                at=self._now,
                evidence=self.evidence,
                shadow=self.policy.shadow,
            )
        )


def _failed_trial(trials: Trials, why: str) -> Evidence:
    said = f"a trial call failed, {trials.successes} of the {trials.budget} that close it had succeeded"
    text = because("the trial call failed" if trials.budget == 1 else said, why)
    return Evidence(detector="trials", measured=1, limit=1, calls=trials.admitted, text=text)


def _slow_trials(trials: Trials, limit: float) -> Evidence:
    share = trials.slow / trials.successes
    text = f"{trials.slow} of {trials.successes} trials were slow, limit {limit:.1%}"
    return Evidence(detector="trials", measured=share, limit=limit, calls=trials.successes, text=text)
