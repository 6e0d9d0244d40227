"""How a scenario lets the service fail over time: the failure rate at each share of the run."""

from __future__ import annotations

from sprint.core.loadtest.plan import Scenario

# A service that recovers: it fails for the first third, gets better over the second, is well in the last.
_FAILING_UPTO = 1 / 3
_WELL_FROM = 2 / 3


def failure_rate_at(scenario: Scenario, share: float, failure_rate: float) -> float:
    """Return which share of calls fails, 0 to 1, when `share` (0 to 1) of the run is over.

    `failure_rate` is what was asked: it holds throughout in `standard` and `spike`, is reached at the end of
    `gradual-failure`, and is where `recovery` begins.
    """
    share = min(max(share, 0.0), 1.0)
    if scenario == "gradual-failure":
        return failure_rate * share
    if scenario == "recovery":
        left = (_WELL_FROM - share) / (_WELL_FROM - _FAILING_UPTO)
        return failure_rate * min(max(left, 0.0), 1.0)
    return failure_rate
