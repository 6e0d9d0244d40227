"""What it costs to open for a callee that fails three of ten calls: the business tier under lower limits.

    python -m tests.bench.breaker_partial [--seeds N]

Of the calls within the outage: what share of the failing ones is spared, and what share of those that would
have succeeded is refused for it. False openings are a run's, over all kinds of traces.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from sprint.core.breaker.policy import Policy
from tests.bench.breaker_comparison import SEEDS, Run
from tests.bench.breaker_contenders import TIERS, Ours
from tests.core.breaker.traces import KINDS, Trace, trace

KIND = "partial"
LIMITS = (0.5, 0.4, 0.35, 0.3, 0.25, 0.2)
AFTER_S = 30.0  # one window into the outage the health score is of nothing else


class Outage(NamedTuple):
    """Calls of one outage: how many would fail or succeed, how many of each were let through."""

    fail: int
    succeed: int
    failed: int
    succeeded: int
    healths: tuple[float, ...]


class Watched(Ours):
    """Notes whom it lets through within the outage, and its health at each look."""

    def __init__(self, policy: Policy, run: Trace) -> None:
        super().__init__(policy, run.seed)
        self.counts = {(fails, through): 0 for fails in (True, False) for through in (True, False)}
        self.healths: list[float] = []
        self._begins, self._ends = run.outage
        self._calls = iter(run.arrivals)

    def admit(self, now: float) -> object | None:
        call, permit = next(self._calls), super().admit(now)
        if self._begins <= call.at < self._ends:
            self.counts[call.fails, permit is not None] += 1
        return permit

    def evaluate(self, now: float) -> None:
        super().evaluate(now)
        health = self.machine.figures.health_score()
        if self._begins + AFTER_S < now < self._ends and health is not None:
            self.healths.append(health)


def partial_outage(policy: Policy, seed: int) -> Outage:
    """Return what a policy makes of one partial outage."""
    run = trace(KIND, seed)
    breaker = Watched(policy, run)
    Run(run, breaker).play()
    failed, succeeded = breaker.counts[True, True], breaker.counts[False, True]
    fail, succeed = failed + breaker.counts[True, False], succeeded + breaker.counts[False, False]
    return Outage(fail, succeed, failed, succeeded, tuple(breaker.healths))


def false_opens(policy: Policy, seeds: Sequence[int]) -> float:
    """Return how often it opens outside the outage, a run."""
    found = [Run(trace(kind, seed), Ours(policy, seed)).play() for kind in KINDS for seed in seeds]
    return sum(score.false_opens for score in found) / len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = range(parser.parse_args().seeds)
    print("failure_rate_max  failing spared  succeeding refused  false opens  health")
    for limit in LIMITS:
        policy = replace(TIERS["business"], failure_rate_max=limit)
        found = [partial_outage(policy, seed) for seed in seeds]
        spared = 1.0 - sum(each.failed for each in found) / sum(each.fail for each in found)
        refused = 1.0 - sum(each.succeeded for each in found) / sum(each.succeed for each in found)
        healths = [health for each in found for health in each.healths]
        print(
            f"{limit:16.2f} {spared:15.0%} {refused:19.0%} {false_opens(policy, seeds):12.2f}"
            f"  {min(healths):.2f} to {max(healths):.2f}"
        )


if __name__ == "__main__":
    main()
