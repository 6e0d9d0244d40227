"""A second breaker, written for the property test alone: slow, obvious, and sharing no code with the first.

It knows failures in a row, delays, trials and operators; rates have tests of their own. Each call remembers
the epoch that it was let through in, and tells nothing in another.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rules:
    """The figures that the model goes by; of the same names as the policy's."""

    failures_to_open: int
    half_open_calls: int
    trial_lease_s: float
    half_open_longest_s: float
    base_s: float
    multiplier: float
    longest_s: float
    healthy_s_per_step: float


@dataclass
class Call:
    epoch: int
    trial: bool
    lease_ends: float
    told: bool = False


@dataclass
class Model:
    """What the breaker must do. `counted` are the outcomes that may have had an effect, by epoch."""

    rules: Rules
    now: float
    state: str = "closed"
    epoch: int = 1
    since: float = 0.0
    trial_at: float = 0.0
    step: int = -1
    in_a_row: int = 0
    succeeded: int = 0
    trials: list[Call] = field(default_factory=list)
    counted: list[tuple[int, str]] = field(default_factory=list)

    def tick(self, now: float) -> None:
        self.now = max(self.now, now)
        if self.state != "half_open":
            return
        self.trials = [call for call in self.trials if self.now < call.lease_ends]
        if self.now >= self.since + self.rules.half_open_longest_s:
            self.reopen()
        elif self.succeeded >= self.rules.half_open_calls:
            self.close()

    def admit(self, now: float) -> Call | None:
        self.tick(now)
        if self.state == "open" and self.now >= self.trial_at:
            self.enter("half_open")
        if self.state in ("closed", "force_close"):
            return Call(self.epoch, trial=False, lease_ends=0.0)
        if self.state != "half_open" or len(self.trials) + self.succeeded >= self.rules.half_open_calls:
            return None
        call = Call(self.epoch, trial=True, lease_ends=self.now + self.rules.trial_lease_s)
        self.trials.append(call)
        return call

    def settle(self, call: Call, outcome: str, now: float) -> bool:
        self.tick(now)
        if call.told or call.epoch != self.epoch or (call.trial and call not in self.trials):
            call.told = True
            return False
        call.told = True
        self.counted.append((call.epoch, outcome))
        if call.trial:
            self.trials = [other for other in self.trials if other is not call]
            self.settle_trial(outcome)
        else:
            self.count(outcome)
        return True

    def share(self, outcome: str, now: float) -> bool:
        self.tick(now)
        if self.state not in ("closed", "force_close"):
            return False
        self.counted.append((self.epoch, outcome))
        self.count(outcome)
        return True

    def settle_trial(self, outcome: str) -> None:
        if outcome == "failure":
            self.reopen()
        elif outcome == "success":
            self.succeeded += 1
            if self.succeeded >= self.rules.half_open_calls:
                self.close()

    def count(self, outcome: str) -> None:
        if outcome == "success":
            self.in_a_row = 0
        if outcome == "failure":
            self.in_a_row += 1
            if self.state == "closed" and self.in_a_row >= self.rules.failures_to_open:
                healthy_steps = int((self.now - self.since) / self.rules.healthy_s_per_step)
                self.step = max(0, self.step + 1 - healthy_steps)
                self.open()

    def reopen(self) -> None:
        self.step += 1
        self.open()

    def open(self) -> None:
        self.enter("open")
        step = min(max(0, self.step), 64)
        self.trial_at = self.now + min(self.rules.base_s * self.rules.multiplier**step, self.rules.longest_s)

    def close(self) -> None:
        self.in_a_row = 0
        self.enter("closed")

    def enter(self, state: str) -> None:
        self.state, self.since = state, self.now
        self.epoch += 1
        self.trials, self.succeeded = [], 0

    def command(self, word: str, now: float) -> bool:
        self.tick(now)
        if word == "reset":
            self.step = -1
            self.close()
        elif word == "release" and self.state == "force_open":
            self.enter("open")
            self.trial_at = self.now
        elif word == "release" and self.state == "force_close":
            self.enter("closed")
        elif word in ("force_open", "force_close") and self.state != word:
            self.enter(word)
        else:
            return False
        return True

    def bring_forward(self, now: float) -> bool:
        self.tick(now)
        if self.state != "open" or self.trial_at <= self.now:
            return False
        self.trial_at = self.now
        return True

    def adopt(self, rules: Rules, now: float) -> None:
        self.tick(now)
        self.rules = rules
        if self.state == "open":
            self.trial_at = min(self.trial_at, self.since + rules.longest_s)
