"""Breakers as metrics: what happened is counted once, and no breaker too many is told of."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from sprint.core.breaker.outcomes import Outcome, State
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.transitions import TRANSITIONS, Transition
from sprint.core.errors import CircuitOpenError
from sprint.tools.breaker import BreakerRegistry
from sprint.tools.breaker.workers import BreakerWorkers
from sprint.tools.relay import breaker_metrics
from sprint.tools.relay.breaker_metrics import BreakerMetrics

NAME = "source:bitcoin:core-1"
POLICY = Policy(
    name="test", failures_to_open=2, half_open_calls=1, trial_lease_s=5.0, half_open_longest_s=9.0
)


class Scene:
    """A registry with one breaker, on a clock that is set by hand, and its metrics."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.now = 0.0
        self.breakers = BreakerRegistry({"test": policy}, clock=lambda: self.now, rng=lambda: 0.5)
        self.workers = BreakerWorkers(self.breakers)
        self.breaker = self.breakers.get(NAME, "test", group="bitcoin")
        self.breakers.get("source:bitcoin:other", "test", group="bitcoin")
        self.registry = CollectorRegistry()
        self.registry.register(BreakerMetrics(self.breakers, self.workers))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"sprint_breaker_{name}", {"breaker": NAME, **labels})

    def states(self) -> list[str]:
        return [state for state in get_args(State) if self.value("state", state=state) == 1.0]

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.breaker.admit().failure()


def test_an_outage_is_told_in_states_calls_and_figures() -> None:
    scene = Scene()
    scene.breaker.admit().success(0.2)
    scene.fail(2)
    with pytest.raises(CircuitOpenError):
        scene.breaker.admit()
    assert scene.states() == ["open"]
    assert {o: scene.value("calls_total", outcome=o) for o in get_args(Outcome)} == {
        "success": 1,
        "failure": 2,
        "ignored": 0,
        "inconclusive": 0,
        "cancelled": 0,
    }
    assert (scene.value("rejected_total"), scene.value("opens_total")) == (1, 1)
    assert scene.value("transitions_total", **{"from": "closed", "to": "open"}) == 1
    assert scene.value("transitions_total", **{"from": "open", "to": "half_open"}) is None
    assert scene.value("retry_after_seconds") == pytest.approx(30.0)
    assert (scene.value("failures_in_a_row"), scene.value("failures_to_open")) == (2, 2)
    assert scene.value("window_calls") == 3
    assert scene.value("window_failure_ratio") == pytest.approx(2 / 3)
    assert scene.value("window_latency_seconds", share="0.99") == pytest.approx(0.2, rel=0.05)
    scene.now = 30.0
    scene.breaker.admit()
    scene.now = 35.0
    late = scene.breaker.admit()
    scene.now = 39.0
    late.success()
    assert scene.value("leases_ended_total") == 1
    assert scene.value("void_results_total") == 1
    assert scene.states() == ["open"]
    assert scene.value("opens_total") == 1, "half open again to open is no new opening"


def test_what_nobody_measured_is_not_told() -> None:
    scene = Scene()
    for name in ("health_score", "window_failure_ratio", "window_slow_ratio"):
        assert scene.value(name) is None
    assert scene.value("window_latency_seconds", share="0.5") is None
    scene.breaker.force_open("tested")
    assert scene.value("retry_after_seconds") is None
    assert scene.states() == ["force_open"]


def test_shadow_and_the_last_of_a_group_and_listeners_are_told() -> None:
    scene = Scene(replace(POLICY, shadow=True))
    scene.fail(2)
    scene.breaker.admit().success()
    assert scene.value("would_reject_total") == 1
    scene = Scene()
    other = scene.breakers.find("source:bitcoin:other")
    assert other is not None
    other.force_open()
    scene.breaker.listen(lambda _: 1 / 0)
    scene.fail(2)
    assert (scene.states(), scene.value("withheld"), scene.value("withheld_opens_total")) == (
        ["closed"],
        1,
        1,
    )
    scene.breaker.force_close()
    assert scene.value("listener_errors_total") == 1
    assert scene.registry.get_sample_value("sprint_breaker_worker_errors_total") == 0


def test_who_is_gone_is_told_of_no_more_and_one_too_many_never(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.breakers.remove(NAME)
    assert scene.value("state", state="closed") is None
    monkeypatch.setattr(breaker_metrics, "BREAKERS_TOLD_MAX", 3)
    for number in range(5):
        scene.breakers.get(f"breaker-{number}", "test")
    told = {
        sample.labels["breaker"]
        for family in scene.registry.collect()
        for sample in family.samples
        if "breaker" in sample.labels
    }
    assert len(told) == 3
    assert scene.registry.get_sample_value("sprint_breakers") == 6


WORDS = ("success", "failure", "failure", "force_open", "force_close", "release", "reset", "wait")


@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_transitions_are_counted_as_they_were_made(words: list[str]) -> None:
    scene, heard = Scene(), list[Transition]()
    scene.breaker.listen(heard.append)
    for word in words:
        if word == "wait":
            scene.now += 40.0
        elif word in ("success", "failure"):
            try:
                getattr(scene.breaker.admit(), word)()
            except CircuitOpenError:
                continue
        else:
            getattr(scene.breaker, word)()
    ways = [(each.from_state, each.to_state) for each in heard]
    for way in {(source, target) for (source, _), target in TRANSITIONS.items()}:
        told = scene.value("transitions_total", **{"from": way[0], "to": way[1]}) or 0
        assert told == ways.count(way)
    assert scene.value("opens_total") == sum(each.reason == "tripped" for each in heard)
    assert all(one.to_state == other.from_state for one, other in pairwise(heard))
