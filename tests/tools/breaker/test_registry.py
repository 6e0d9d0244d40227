"""The registry of faces: listeners of all, groups, shared outcomes, policies changed while they run."""

from __future__ import annotations

import threading

import pytest

from sprint.core.breaker.transitions import Transition
from sprint.core.errors import CircuitOpenError, ConfigError
from sprint.tools.breaker import BreakerRegistry, CircuitBreaker, packaged_policies


@pytest.fixture
def registry() -> BreakerRegistry:
    return BreakerRegistry(packaged_policies({"free": {"failures_to_open": 2}}))


def fail(breaker: CircuitBreaker, times: int = 2) -> None:
    for _ in range(times):
        breaker.admit().failure()


def test_one_breaker_a_name_under_the_policy_of_its_tier(registry: BreakerRegistry) -> None:
    breaker = registry.get("node", "enterprise")
    assert registry.get("node", "free") is breaker is registry.find("node")
    assert (breaker.policy.name, len(registry), list(registry)) == ("enterprise", 1, [breaker])


def test_a_listener_is_told_of_all_breakers_also_of_later_ones(registry: BreakerRegistry) -> None:
    told: list[Transition] = []
    earlier = registry.get("earlier", "free")
    registry.listen(told.append)
    for breaker in (earlier, registry.get("later", "free")):
        fail(breaker)
    assert [each.breaker for each in told] == ["earlier", "later"]


def test_the_last_of_a_group_is_never_cut_off(registry: BreakerRegistry) -> None:
    nodes = [registry.get(f"node-{number}", "free", group="provider") for number in range(3)]
    for node in nodes:
        fail(node)
    assert [node.state for node in nodes] == ["open", "open", "closed"]
    assert nodes[-1].explain().withheld is not None


def test_two_threads_that_trip_at_once_do_not_both_go(registry: BreakerRegistry) -> None:
    for number in range(200):
        nodes = [registry.get(f"{number}-{one}", "free", group=f"group-{number}") for one in "ab"]
        start = threading.Barrier(2)

        def trip(node: CircuitBreaker, start: threading.Barrier = start) -> None:
            start.wait()
            fail(node)

        threads = [threading.Thread(target=trip, args=(node,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(node.state for node in nodes) == ["closed", "open"]


def test_what_concerns_a_provider_is_shared_with_all_but_who_counted_it(registry: BreakerRegistry) -> None:
    nodes = [registry.get(f"node-{number}", "free", group="provider") for number in range(3)]
    nodes[0].admit().failure()
    assert registry.share("provider", "failure", but="node-0") == 2
    assert [node.statistics().failures for node in nodes] == [1, 1, 1]
    assert registry.share("nobody", "failure") == 0


def test_a_reload_takes_effect_on_the_next_call_and_keeps_what_was_counted(registry: BreakerRegistry) -> None:
    node = registry.get("node", "free")
    node.admit().failure()
    assert registry.adopt(packaged_policies({"free": {"failures_to_open": 3}})) == 1
    fail(node, 1)
    assert node.explain().state == "closed"
    fail(node, 1)
    assert node.state == "open"


def test_a_reload_that_is_refused_changes_nothing(registry: BreakerRegistry) -> None:
    node = registry.get("node", "free")
    before = node.policy
    with pytest.raises(ConfigError, match=r"unknown key breakers\.free\.failures"):
        registry.adopt(packaged_policies({"turbo": {"half_open_calls": 7}, "free": {"failures": 3}}))
    with pytest.raises(ConfigError, match=r"breakers\.free: breakers in use"):
        registry.adopt({name: each for name, each in packaged_policies().items() if name != "free"})
    assert node.policy is before


def test_who_is_dropped_leaves_its_group(registry: BreakerRegistry) -> None:
    registry.get("a", "free", group="provider", kept=False)
    registry.get("b", "free", group="provider")
    assert registry.drop_idle(0.0) == 1
    assert registry.group("provider").members == {"b"}
    assert registry.remove("b")
    assert registry.group("provider").members == frozenset()


def test_a_refused_call_names_its_breaker(registry: BreakerRegistry) -> None:
    node = registry.get("node", "free")
    fail(node)
    with pytest.raises(CircuitOpenError) as refused:
        node.call(int)
    assert refused.value.breaker == "node"


def test_who_has_left_its_group_takes_no_place_there_and_joins_as_it_is(registry: BreakerRegistry) -> None:
    gone = registry.get("gone", "free", group="provider")
    registry.get("kept", "free", group="provider")
    fail(gone)
    assert registry.group("provider").out == {"gone"}
    assert not registry.join("gone", "provider")
    registry.leave("gone")
    registry.leave("gone")
    group = registry.group("provider")
    assert [*group.members, *group.out] == ["kept"]
    assert registry.join("gone", "provider")
    assert group.members == {"kept", "gone"}
    assert group.out == {"gone"}
    assert not registry.join("nobody", "provider")
    gone.reset()
    assert group.out == frozenset()
