"""The registry: one breaker a name, bounded, and policies that are taken all or none."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sprint.core.breaker import registry as module
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.registry import Registry
from sprint.core.breaker.rounds import Intervals, Rounds
from sprint.core.errors import ConfigError

POLICIES = {"wide": Policy(name="wide"), "narrow": replace(Policy(name="narrow"), failures_to_open=1)}


def made(name: str, policy: Policy) -> Machine:
    return Machine(name, policy, now=0.0, rng=lambda: 0.5)


@pytest.fixture
def registry() -> Registry[Machine]:
    return Registry(POLICIES, made)


def test_a_name_has_one_breaker(registry: Registry[Machine]) -> None:
    first = registry.get("node", "wide", now=0.0)
    assert registry.get("node", "narrow", now=0.0) is first
    assert (first.policy.name, len(registry), list(registry)) == ("wide", 1, [first])


def test_new_policies_go_to_whom_they_change(registry: Registry[Machine]) -> None:
    wide, _ = registry.get("a", "wide", now=0.0), registry.get("b", "narrow", now=0.0)
    wider = replace(POLICIES["wide"], failures_to_open=99)
    assert registry.adopt({**POLICIES, "wide": wider}) == [(wide, wider)]


def test_a_breakers_own_policy_stands_in_the_place_of_the_one_it_is_made_of() -> None:
    own = replace(POLICIES["narrow"], name="node")
    registry = Registry(POLICIES, made, {"node": own, "later": own})
    node, other = registry.get("node", "wide", now=0.0), registry.get("other", "wide", now=0.0)
    assert (node.policy, other.policy) == (own, POLICIES["wide"])
    assert registry.adopt(POLICIES, {"node": own}) == []
    assert registry.adopt(POLICIES) == [(node, POLICIES["wide"])]
    assert registry.get("later", "wide", now=0.0).policy == POLICIES["wide"]


def test_an_own_policy_that_cannot_be_has_all_refused(registry: Registry[Machine]) -> None:
    node = registry.get("node", "wide", now=0.0)
    wrong = replace(POLICIES["wide"], half_open_calls=0)
    with pytest.raises(ConfigError, match=r"breakers\.node: Expected `int` >= 1"):
        registry.adopt({**POLICIES, "wide": POLICIES["narrow"]}, {"node": wrong})
    assert (registry.policies, node.policy) == (POLICIES, POLICIES["wide"])


def test_policies_without_one_in_use_are_refused_whole(registry: Registry[Machine]) -> None:
    registry.get("a", "wide", now=0.0)
    with pytest.raises(ConfigError, match=r"breakers\.wide: breakers in use are made of it"):
        registry.adopt({"narrow": replace(POLICIES["narrow"], failures_to_open=7)})
    assert registry.policies == POLICIES


def test_one_policy_that_cannot_be_has_all_refused(registry: Registry[Machine]) -> None:
    first = registry.get("a", "narrow", now=0.0)
    wrong = replace(POLICIES["wide"], half_open_calls=0)
    with pytest.raises(ConfigError, match=r"breakers\.wide: Expected `int` >= 1 - at `\$\.half_open_calls`"):
        registry.adopt({"narrow": replace(POLICIES["narrow"], failures_to_open=7), "wide": wrong})
    assert (registry.policies, first.policy) == (POLICIES, POLICIES["narrow"])


def test_a_policy_that_is_not_there_is_named_with_those_that_are(registry: Registry[Machine]) -> None:
    with pytest.raises(ConfigError, match="no policy 'broad'; there are wide, narrow"):
        registry.get("a", "broad", now=0.0)


def test_the_number_of_breakers_is_bounded(
    registry: Registry[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BREAKERS_MAX", 2)
    registry.get("a", "wide", now=0.0)
    registry.get("b", "wide", now=0.0)
    registry.get("b", "wide", now=0.0)
    with pytest.raises(ConfigError, match="2 are the limit"):
        registry.get("c", "wide", now=0.0)


def test_only_what_need_not_be_kept_is_dropped_when_it_idles(registry: Registry[Machine]) -> None:
    registry.get("kept", "wide", now=0.0)
    registry.get("asked", "wide", now=0.0, kept=False)
    registry.get("idle", "wide", now=0.0, kept=False)
    registry.get("open", "wide", now=0.0, kept=False).force_open(0.0)
    registry.get("asked", "wide", now=50.0, kept=False)
    assert registry.drop_idle(99.0, 100.0, lambda breaker: breaker.state == "closed") == 0
    assert registry.drop_idle(100.0, 100.0, lambda breaker: breaker.state == "closed") == 1
    assert sorted(breaker.name for breaker in registry) == ["asked", "kept", "open"]
    assert registry.remove("kept")
    assert not registry.remove("kept")


def test_work_is_due_at_its_interval_and_once_after_a_long_sleep() -> None:
    rounds = Rounds(Intervals(), 0.0)
    assert rounds.take_due(9.999) == []
    assert rounds.wait_s(9.0) == 1.0
    assert rounds.take_due(10.0) == ["state"]
    assert rounds.take_due(10.0) == []
    assert set(rounds.take_due(1e6)) == {"state", "metrics", "health", "adaptive", "cleanup"}
    assert rounds.take_due(1e6) == []


def test_shorter_intervals_hold_at_once_and_longer_ones_from_the_next_time() -> None:
    rounds = Rounds(Intervals(), 0.0)
    rounds.adopt(Intervals(state_s=100.0, health_s=5.0), 1.0)
    assert rounds.take_due(6.0) == ["health"]
    assert rounds.take_due(10.0) == ["state"]
    assert "state" not in rounds.take_due(109.0)
