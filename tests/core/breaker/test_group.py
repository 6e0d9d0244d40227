"""A group never lets its last member go, whatever its members meet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.group import MEMBERS_MAX, BreakerGroup
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import BackoffPolicy, Policy
from sprint.core.errors import ConfigError

POLICY = Policy(failures_to_open=2, half_open_calls=1, backoff=BackoffPolicy(base_s=10.0, jitter="none"))


def members(group: BreakerGroup, count: int) -> list[Machine]:
    made = [Machine(f"node-{number}", POLICY, now=0.0, rng=lambda: 0.5) for number in range(count)]
    for machine in made:
        group.add(machine.name)
        machine.ejection = group
    return made


def call(machine: Machine, outcome: str, now: float) -> None:
    permit = machine.admit(now)
    if permit is not None:
        machine.settle(permit, outcome, 0.01, now)  # type: ignore[arg-type]  # drawn as a string


def test_a_share_that_is_made_smaller_lets_who_is_out_stay_out_and_nobody_else_go() -> None:
    group = BreakerGroup("provider")
    machines = members(group, 4)
    for machine in machines[:2]:
        for _ in range(2):
            call(machine, "failure", 0.0)
    group.allow(25.0)
    for _ in range(2):
        call(machines[2], "failure", 0.0)
    assert [machine.state for machine in machines] == ["open", "open", "closed", "closed"]
    with pytest.raises(ConfigError, match=r"101\.0 percent may be out; it is 0 to 100"):
        group.allow(101.0)
    assert group.ejected_percent_max == 25.0


def test_the_last_member_stays_and_says_why() -> None:
    machines = members(BreakerGroup("provider"), 3)
    for machine in machines:
        for _ in range(2):
            call(machine, "failure", 0.0)
    assert [machine.state for machine in machines] == ["open", "open", "closed"]
    last = machines[-1]
    assert last.withheld is not None
    assert last.withheld.detector == "consecutive_failures"
    assert last.totals["withheld"] == 1


def test_one_stays_where_nobody_stands_in_for_it_though_others_are_in_by_number() -> None:
    group = BreakerGroup("chain")
    able: set[str] = set()
    group.somebody_but = lambda names: bool(able - names)
    first, second = members(group, 2)
    for _ in range(2):
        call(first, "failure", 0.0)
    assert first.state == "closed"
    assert first.withheld is not None
    able.add("node-1")
    call(first, "failure", 1.0)
    call(second, "success", 1.0)
    assert (first.state, second.state) == ("open", "closed")


def test_one_that_has_just_gone_stands_in_for_nobody_though_it_still_looks_ready() -> None:
    """Two that opened in one turn had each other's word, and the chain was cut off."""
    group = BreakerGroup("chain")
    group.somebody_but = lambda names: bool({"node-0", "node-1"} - names)
    first, second, third = members(group, 3)
    for _ in range(2):
        for machine in (first, second):
            call(machine, "failure", 0.0)
    assert [machine.state for machine in (first, second, third)] == ["open", "closed", "closed"]


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from([*["failure"] * 4, "success", "ready"]), st.floats(0.0, 5.0)
        ),
        max_size=200,
    )
)
def test_whenever_one_goes_another_is_left_that_is_ready(steps: list[tuple[int, str, float]]) -> None:
    group = BreakerGroup("chain")
    ready = {"node-0", "node-1"}
    group.somebody_but = lambda names: bool(ready - names)
    machines = members(group, 3)
    now = 0.0
    for number, step, later in steps:
        now += later
        machine = machines[number]
        if step == "ready":
            ready ^= {machine.name}
            continue
        was = machine.state
        call(machine, step, now)
        if (was, machine.state) == ("closed", "open"):
            assert ready - group.out


def test_it_goes_once_another_is_back() -> None:
    first, last = members(BreakerGroup("provider"), 2)
    for machine in (first, last):
        for _ in range(2):
            call(machine, "failure", 0.0)
    call(first, "success", 10.0)
    call(last, "failure", 10.0)
    assert [first.state, last.state] == ["closed", "open"]


@pytest.mark.parametrize(
    ("percent", "count", "out_max"), [(50, 3, 1), (50, 2, 1), (100, 3, 2), (100, 1, 0), (0, 9, 0)]
)
def test_the_share_is_rounded_down_and_is_never_all(percent: float, count: int, out_max: int) -> None:
    group = BreakerGroup("provider", ejected_percent_max=percent)
    members(group, count)
    assert group.out_max == out_max


def test_an_operators_word_counts_but_is_not_asked_for() -> None:
    first, last = members(BreakerGroup("provider"), 2)
    assert first.force_open(0.0)
    for _ in range(5):
        call(last, "failure", 0.0)
    assert last.state == "closed"
    assert last.force_open(0.0)


@given(
    calls=st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["success", "failure", "cancelled"]), st.floats(0.0, 30.0)
        ),
        max_size=200,
    )
)
def test_somebody_always_admits(calls: list[tuple[int, str, float]]) -> None:
    group = BreakerGroup("provider")
    machines = members(group, 4)
    now = 0.0
    for number, outcome, later in calls:
        now += later
        call(machines[number], outcome, now)
        assert any(machine.state == "closed" for machine in machines)
        assert group.out == {machine.name for machine in machines if machine.state != "closed"}


def test_its_members_are_bounded_and_its_share_a_percentage() -> None:
    group = BreakerGroup("provider")
    for number in range(MEMBERS_MAX):
        group.add(str(number))
    group.add("0")
    with pytest.raises(ConfigError, match=f"has {MEMBERS_MAX} members, its limit"):
        group.add("one more")
    with pytest.raises(ConfigError, match=r"101 percent may be out; it is 0 to 100"):
        BreakerGroup("provider", ejected_percent_max=101)


def test_a_member_that_leaves_gives_its_place_back() -> None:
    group = BreakerGroup("provider")
    first, second, _ = members(group, 3)
    assert group.reserve(first.name)
    assert group.reserve(second.name)
    group.remove(first.name)
    assert group.out == {second.name}


def test_one_that_has_left_takes_no_place_from_the_others() -> None:
    """It had: whoever still held it could open it, and the last two of three were then one."""
    group = BreakerGroup("provider")
    first, second, third = members(group, 3)
    group.remove(first.name)
    for machine in (first, second, third):
        for _ in range(2):
            call(machine, "failure", 0.0)
    assert [machine.state for machine in (first, second, third)] == ["open", "open", "closed"]
    assert group.out == {second.name}


def test_what_was_withheld_is_over_with_the_next_success() -> None:
    (alone,) = members(BreakerGroup("provider"), 1)
    for _ in range(2):
        call(alone, "failure", 0.0)
    assert alone.withheld is not None
    call(alone, "success", 0.0)
    assert alone.withheld is None
