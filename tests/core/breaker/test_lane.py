"""Successes that are counted later change nothing: not one transition, and no statistics.

The same calls are given to two machines: one settles each by itself, the other gathers what its lane takes.
Where a success could have changed a decision the lane must have been shut.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sprint.core.breaker.figures import Figures
from sprint.core.breaker.lane import LANE_S_MAX, Lane
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome
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

EVERYTHING_ON = Policy(
    failures_to_open=4,
    half_open_calls=2,
    trial_lease_s=5.0,
    half_open_longest_s=20.0,
    backoff=BackoffPolicy(base_s=5.0, longest_s=20.0, jitter="none"),
    window=WindowPolicy(minimum_calls=6, slow_call_s=1.0),
    adaptive=AdaptivePolicy(enabled=True),
    latency=LatencyPolicy(enabled=True, baseline_s=0.1),
    health=HealthPolicy(enabled=True),
    recovery=RecoveryPolicy(enabled=True),
    prediction=PredictionPolicy(enabled=True),
)
BY_COUNT = replace(EVERYTHING_ON, window=WindowPolicy(kind="count", calls_max=12, minimum_calls=6))

Calls = list[tuple[Outcome, float, float]]
CALLS = st.lists(
    st.tuples(
        st.sampled_from(("success", "success", "success", "failure", "cancelled", "inconclusive")),
        st.sampled_from((0.01, 0.2, 0.31, 1.0, 1.5)),  # how long it took
        st.sampled_from((0.0, 0.0, 0.1, 1.0, 3.0, 31.0)),  # how much later it began
    ),
    max_size=120,
)

# The sixth call makes the rate believed, and so opens: by a success.
OPENED_BY_A_SUCCESS: Calls = [
    (outcome, 0.01, 0.0) for outcome in ("failure", "failure", "success", "failure", "failure", "success")
]


def by_lane(machine: Machine, outcome: Outcome, latency_s: float, now: float) -> None:
    """Make a call as the faces do: by the lane, if it is open when the call begins and when it ends."""
    lane, ended = machine.lane, now + latency_s
    if now < lane.until and outcome == "success" and ended < lane.until and latency_s <= lane.latency_s_max:
        lane.latencies.append(latency_s)
    else:
        one_by_one(machine, outcome, latency_s, now)


def one_by_one(machine: Machine, outcome: Outcome, latency_s: float, now: float) -> None:
    permit = machine.admit(now)
    if permit is not None:
        machine.settle(permit, outcome, latency_s, now + latency_s)


@pytest.mark.parametrize("policy", [EVERYTHING_ON, BY_COUNT], ids=["time", "count"])
@settings(max_examples=150)
@given(calls=CALLS)
@example(calls=OPENED_BY_A_SUCCESS)
def test_a_lane_changes_no_transition_and_no_statistics(policy: Policy, calls: Calls) -> None:
    each, later = (Machine("node", policy, now=0.0, rng=lambda: 0.5) for _ in range(2))
    now = 0.0
    for outcome, latency_s, gap_s in calls:
        now += gap_s
        one_by_one(each, outcome, latency_s, now)
        by_lane(later, outcome, latency_s, now)
        now += latency_s
    assert told(each) == told(later)
    # Since when a window by count has been counting is what a lane shifts, by its length at most.
    counted, gathered = each.statistics(now), later.statistics(now)
    assert abs(counted.span_s - gathered.span_s) <= LANE_S_MAX
    assert replace(counted, span_s=0.0) == replace(gathered, span_s=0.0)


def told(machine: Machine) -> list[tuple[str, str, float, str]]:
    return [(each.from_state, each.to_state, each.at, each.evidence.text) for each in machine.transitions]


@pytest.mark.parametrize(
    ("outcomes", "latency_s"),
    [
        (("failure",), 0.01),  # the next success decides whether failures are in a row
        (("failure", "success"), 0.01),  # a rate that is not believed yet would be with one more
        (("success",), 1.5),  # slow ones wait for company
        (("success",), 0.31),  # slow to the latency detector alone
    ],
)
def test_a_lane_is_shut_where_a_success_may_decide(outcomes: tuple[Outcome, ...], latency_s: float) -> None:
    machine = Machine("node", EVERYTHING_ON, now=0.0, rng=lambda: 0.5)
    assert machine.lane.until > 0.0
    for outcome in outcomes:
        one_by_one(machine, outcome, latency_s, 0.0)
    assert machine.lane.until < 0.0


def test_a_lane_ends_with_its_bucket_and_with_its_generation() -> None:
    machine = Machine("node", EVERYTHING_ON, now=0.0, rng=lambda: 0.5)
    first = machine.lane
    assert first.until == machine.figures.window.bucket_ends_at(0.0)
    assert Machine("node", BY_COUNT, now=0.0, rng=lambda: 0.5).lane.until == LANE_S_MAX
    machine.force_open(0.0)
    assert first.until < 0.0
    first.latencies.append(0.01)
    machine.reset(0.0)
    assert machine.statistics(0.0).calls == 0


def test_what_is_added_while_it_is_taken_stays_for_the_next_time() -> None:
    class Racing(list[float]):
        """A list to which another thread adds between the look and the removal."""

        def __getitem__(self, place: Any) -> Any:
            taken = super().__getitem__(place)
            self.append(9.0)
            return taken

    lane = Lane(1, Racing([1.0, 2.0]))
    assert lane.take() == [1.0, 2.0]
    assert list(lane.latencies) == [9.0]


def test_the_property_fails_where_a_lane_is_never_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Figures, "calm_until", lambda self, now: self.window.bucket_ends_at(now))
    with pytest.raises(AssertionError):
        test_a_lane_changes_no_transition_and_no_statistics(EVERYTHING_ON)
