"""What is put to the same outages: each algorithm of the breaker by itself, all together, and baselines.

An algorithm that opens nothing by itself, as backoff, stands with ten failures in a row, the standard tier's
figure. Where a row does not say otherwise OPEN lasts 30 s and two trials close it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from sprint.core.breaker import policy_table
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import (
    AdaptivePolicy,
    BackoffPolicy,
    HealthPolicy,
    LatencyPolicy,
    Policy,
    PredictionPolicy,
    RecoveryPolicy,
    WindowPolicy,
)
from sprint.core.breaker.policy_table import parse_policies
from sprint.core.breaker.trials import Permit
from tests.core.breaker.traces import Trace

EVALUATE_S = 10.0  # the background's state evaluation
CONSECUTIVE_FAILURES = 5
FIXED_WAIT_S = 30.0


class Contender(Protocol):
    """A breaker as the comparison sees it."""

    def admit(self, now: float) -> object | None:
        """Let a call through, or not."""

    def settle(self, permit: object, *, fails: bool, latency_s: float, now: float) -> None:
        """Take in how it ended."""

    def evaluate(self, now: float) -> None:
        """Do what the background does every `EVALUATE_S`."""

    def is_open(self) -> bool:
        """Tell whether it is anything but closed."""


class Never:
    """Lets every call through."""

    def admit(self, now: float) -> object | None:
        return self

    def settle(self, permit: object, *, fails: bool, latency_s: float, now: float) -> None:
        """Learn nothing."""

    def evaluate(self, now: float) -> None:
        """Do nothing."""

    def is_open(self) -> bool:
        return False


class Clairvoyant(Never):
    """Knows the outage: rejects within it and nothing else."""

    def __init__(self, trace: Trace) -> None:
        self._outage = trace.outage
        self._now = 0.0

    def admit(self, now: float) -> object | None:
        self._now = now
        return None if self.is_open() else self

    def evaluate(self, now: float) -> None:
        self._now = now

    def is_open(self) -> bool:
        return self._outage[0] <= self._now < self._outage[1]


class Consecutive:
    """Five failures in a row, 30 seconds, one trial: what one writes by hand."""

    def __init__(self) -> None:
        self._failures = 0
        self._opened_at: float | None = None
        self._trial: object | None = None

    def admit(self, now: float) -> object | None:
        if self._opened_at is None:
            return object()
        if self._trial is not None or now - self._opened_at < FIXED_WAIT_S:
            return None
        self._trial = object()
        return self._trial

    def settle(self, permit: object, *, fails: bool, latency_s: float, now: float) -> None:
        if self._opened_at is not None and permit is not self._trial:
            return
        self._failures = self._failures + 1 if fails else 0
        if self._trial is not None:
            self._opened_at, self._trial = (now if fails else None), None
        elif self._failures >= CONSECUTIVE_FAILURES:
            self._opened_at = now

    def evaluate(self, now: float) -> None:
        """Do nothing."""

    def is_open(self) -> bool:
        return self._opened_at is not None


class Ours:
    """The machine under a policy."""

    def __init__(self, policy: Policy, seed: int) -> None:
        self.machine = Machine("callee", policy, now=0.0, rng=random.Random(seed).random)

    def admit(self, now: float) -> object | None:
        return self.machine.admit(now)

    def settle(self, permit: object, *, fails: bool, latency_s: float, now: float) -> None:
        assert isinstance(permit, Permit)
        self.machine.settle(permit, "failure" if fails else "success", latency_s, now)

    def evaluate(self, now: float) -> None:
        self.machine.evaluate(now, resource_share=0.3)

    def is_open(self) -> bool:
        return self.machine.state != "closed"


_ONE_WAIT = BackoffPolicy(base_s=FIXED_WAIT_S, multiplier=1.0, longest_s=FIXED_WAIT_S, jitter="none")
_NOTHING = Policy(
    failures_to_open=None, failure_rate_max=None, slow_rate_max=None, half_open_calls=2, backoff=_ONE_WAIT
)
_IN_A_ROW = replace(_NOTHING, failures_to_open=10)
_HEALTH = HealthPolicy(
    enabled=True, latency_s_target=0.1, throughput_per_s_target=10.0, error_rate_target=0.01,
    success_rate_target=0.99,
)  # fmt: skip
_LATENCY = LatencyPolicy(enabled=True)
_SLOW_FOR = LatencyPolicy(enabled=True, slow_for_s=2.0)
_GROWING = BackoffPolicy(base_s=15.0, multiplier=1.5, longest_s=120.0)
_RECOVERY = RecoveryPolicy(enabled=True)
ALL_POLICY = Policy(
    backoff=_GROWING,
    window=WindowPolicy(slow_call_s=2.0),
    adaptive=AdaptivePolicy(enabled=True),
    latency=_SLOW_FOR,
    health=_HEALTH,
    recovery=_RECOVERY,
)

TIERS = parse_policies(Path(policy_table.__file__).with_name("policies.toml").read_text(encoding="utf-8"))

# Rows of the table: the name, and the policy of it.
POLICIES: dict[str, Policy] = {
    "1 backoff (15 s x 1.5, equal jitter)": replace(_IN_A_ROW, backoff=_GROWING),
    "2 window: rates over 30 s": replace(_NOTHING, failure_rate_max=0.5, slow_rate_max=0.7),
    "2 window: rates over 100 calls": replace(
        _NOTHING, failure_rate_max=0.5, slow_rate_max=0.7, window=WindowPolicy(kind="count")
    ),
    "3 adaptive threshold": replace(_IN_A_ROW, adaptive=AdaptivePolicy(enabled=True, interval_s=10.0)),
    "4 latency, baseline learned": replace(_NOTHING, latency=_LATENCY),
    "4 latency, slow for 2 s": replace(_NOTHING, latency=_SLOW_FOR),
    "5 health score": replace(_NOTHING, health=_HEALTH),
    "6 machine, standard figures": Policy(),
    **{f"7 tier {name}": TIERS[name] for name in ("free", "business", "turbo")},
    "8 recovery probability": replace(_IN_A_ROW, recovery=_RECOVERY),
    "prediction, opens from 0.7": replace(
        _NOTHING, prediction=PredictionPolicy(enabled=True, opens_from=0.7)
    ),
    "all together": ALL_POLICY,
}

CONTENDERS: dict[str, Callable[[Trace], Contender]] = {
    "never": lambda _: Never(),
    "five in a row, 30 s": lambda _: Consecutive(),
    "clairvoyant": Clairvoyant,
    **{
        name: (lambda trace, policy=policy: Ours(policy, trace.seed))  # type: ignore[misc]
        for name, policy in POLICIES.items()
    },
}
