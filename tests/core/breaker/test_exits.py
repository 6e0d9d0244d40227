"""Under every packaged policy, with all that it turns on: open ends, half open ends, and health closes.

The delays are random here as they are in use, and what calls meet is drawn.
"""

from __future__ import annotations

import random
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.opening import Opening
from sprint.core.breaker.outcomes import Outcome
from sprint.core.breaker.policy import Policy, PredictionPolicy
from sprint.core.breaker.policy_table import parse_policies

PACKAGED = resources.files("sprint.core.breaker").joinpath("policies.toml").read_text(encoding="utf-8")
POLICIES = parse_policies(PACKAGED)
FORETELLING = PredictionPolicy(enabled=True, opens_from=0.5)
POLICIES["everything"] = replace(POLICIES["enterprise"], name="everything", prediction=FORETELLING)
CALLS_TO_CLOSE_MAX = 1_000

MEETS = st.lists(
    st.tuples(
        st.sampled_from(("success", "failure", "failure", "ignored", "inconclusive", "cancelled", "hang")),
        st.sampled_from((0.001, 0.1, 3.0, 12.0)),
        st.sampled_from((0.0, 0.1, 5.0, 40.0, 300.0)),
        st.integers(1, 30),
    ),
    max_size=40,
)


def call(machine: Machine, outcome: Outcome, latency_s: float, now: float) -> bool:
    permit = machine.admit(now)
    if permit is not None:
        machine.settle(permit, outcome, latency_s, now + latency_s)
    return permit is not None


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=40)
@given(meets=MEETS, seed=st.integers(0, 2**32))
def test_open_and_half_open_end_and_health_closes(
    name: str, meets: list[tuple[str, float, float, int]], seed: int
) -> None:
    policy = POLICIES[name]
    machine = Machine("node", policy, now=0.0, rng=random.Random(seed).random)
    now = 0.0
    for outcome, latency_s, later_s, times in meets:
        now += later_s
        for _ in range(times):
            if outcome == "hang":
                machine.admit(now)
            else:
                call(machine, outcome, latency_s, now)  # type: ignore[arg-type]  # the others are outcomes
        now += latency_s
        machine.evaluate(now, resource_share=0.9)
    it_ends(machine, policy, now)


def test_a_delay_past_the_longest_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Opening, "delay_s", lambda *_: 1e9)
    machine = Machine("node", POLICIES["free"], now=0.0, rng=random.Random(1).random)
    for _ in range(3):
        call(machine, "failure", 0.1, 0.0)
    with pytest.raises(AssertionError):
        it_ends(machine, POLICIES["free"], 0.1)


def it_ends(machine: Machine, policy: Policy, now: float) -> None:
    """Nothing but time and calls that succeed brings it back to closed."""
    if machine.state == "half_open":
        now += policy.half_open_longest_s
        machine.evaluate(now)
        assert machine.state != "half_open"
    if machine.state == "open":
        now += policy.backoff.longest_s
        assert machine.retry_after_s(now) == 0.0
        assert call(machine, "success", 0.001, now)
    for _ in range(CALLS_TO_CLOSE_MAX):
        if machine.state == "closed":
            return
        now += 1.0
        call(machine, "success", 0.001, now)
    raise AssertionError(f"{CALLS_TO_CLOSE_MAX} successes did not close {machine!r}")
