"""A breaker stays within 64 KiB with everything on, its windows and its lane full."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from sprint.core.breaker.count_window import CALLS_MAX
from sprint.core.breaker.lane import LANE_CALLS_MAX
from sprint.core.breaker.machine import TRANSITIONS_KEPT_MAX, Machine
from sprint.core.breaker.outcomes import ORDER_LENGTH_MAX, WHY_LENGTH_MAX
from sprint.core.breaker.policy import (
    AdaptivePolicy,
    HealthPolicy,
    LatencyPolicy,
    Policy,
    PredictionPolicy,
    RecoveryPolicy,
    WindowPolicy,
)
from sprint.core.breaker.window import BUCKETS_MAX

MEMORY_BYTES_MAX = 64 * 1024
MACHINES = 4  # what the interpreter keeps for itself is shared among them
CALLS = 1_200
LARGEST = (
    WindowPolicy(buckets=BUCKETS_MAX),
    WindowPolicy(kind="count", calls_max=CALLS_MAX),
)


@pytest.mark.parametrize("window", LARGEST, ids=["time", "count"])
@pytest.mark.parametrize("last", ["failures", "orders"])
def test_a_breaker_with_everything_on_stays_within_its_memory(window: WindowPolicy, last: str) -> None:
    policy = Policy(
        failures_to_open=1,
        half_open_calls=1,
        window=window,
        adaptive=AdaptivePolicy(enabled=True, interval_s=1.0),
        latency=LatencyPolicy(enabled=True),
        health=HealthPolicy(enabled=True, opens_below=0.0),
        recovery=RecoveryPolicy(enabled=True),
        prediction=PredictionPolicy(enabled=True, interval_s=1.0),
    )
    end = failed if last == "failures" else ordered
    source = random.Random(1)
    tracemalloc.start()
    try:
        busy = [
            end(used(Machine("callee", policy, now=0.0, rng=source.random), source)) for _ in range(MACHINES)
        ]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / len(busy) < MEMORY_BYTES_MAX
    assert {len(machine.transitions) for machine in busy} == {TRANSITIONS_KEPT_MAX}


def used(machine: Machine, source: random.Random) -> Machine:
    """Return it with its window, its points, its history and its lane full."""
    for number in range(CALLS):
        now = 60.0 * number / CALLS
        permit = machine.admit(now)
        assert permit is not None
        machine.settle(permit, "success", source.lognormvariate(-4, 0.3), now)
        if number % 50 == 0:
            machine.evaluate(now, resource_share=0.3)
    machine.lane.latencies.extend([0.02 + number * 1e-9 for number in range(LANE_CALLS_MAX)])
    return machine


def failed(machine: Machine) -> Machine:
    """Return it with as many transitions as it keeps, each with the longest cause that a callee can give.

    A cause in letters of four bytes had made it 90 KiB.
    """
    now = 60.0
    for _ in range(TRANSITIONS_KEPT_MAX):
        now += machine.policy.backoff.longest_s
        permit = machine.admit(now)
        assert permit is not None
        machine.settle(permit, "failure", 0.1, now, "\N{GRINNING FACE}" * (WHY_LENGTH_MAX + 1))
    return machine


def ordered(machine: Machine) -> Machine:
    """Return it with as many transitions as it keeps, each an operator's with the longest reason.

    A reason in letters of four bytes had made it 93 KiB.
    """
    for number in range(TRANSITIONS_KEPT_MAX):
        machine.reset(60.0 + number, "\N{GRINNING FACE}" * ORDER_LENGTH_MAX + str(number))
    return machine
