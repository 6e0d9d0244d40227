"""The demo: real breakers, so that its troubles open and close them as they would a relay's."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.outcomes import State
from sprint.core.errors import ConfigError
from sprint.core.monitor.board import Key
from sprint.tools.monitor.demo import CALLEES, Callee, Demo, condition, tier_of
from sprint.tools.monitor.monitor import Monitor
from tests.tools.monitor.relay_stand_in import heard, until

STEP_S = 0.1
SICK = next(callee for callee in CALLEES if callee.name == "source:bitcoin:core-2")


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_its_troubles_open_breakers_within_seconds_and_all_are_well_in_between() -> None:
    clock = Clock()
    demo = Demo("business", clock=clock, draw=lambda: 0.5)
    opened: dict[str, float] = {}
    closed_again: set[str] = set()
    for step in range(2_400):
        elapsed_s = step * STEP_S
        clock.now = 1_000.0 + elapsed_s
        demo.step(elapsed_s, STEP_S)
        for breaker in demo.registry:
            assert breaker.state in get_args(State)
            if breaker.state == "open":
                opened.setdefault(breaker.name, elapsed_s)
            elif breaker.state == "closed" and breaker.name in opened:
                closed_again.add(breaker.name)
    print("opened at", opened)
    assert opened[SICK.name] < 10.0, "who looks at it must not wait"
    assert SICK.name in closed_again
    assert not {"source:bitcoin:core-1", "store", "webhook:archive"} & set(opened)
    lonely = demo.registry.find("source:dogecoin:much")
    assert lonely is not None
    assert lonely.name not in opened, "the last source of a chain stays in use"


@given(st.sampled_from(CALLEES), st.floats(0.0, 1e6))
def test_a_callee_is_in_trouble_for_its_part_of_each_round(callee: Callee, elapsed_s: float) -> None:
    found = condition(callee, elapsed_s)
    place_s = elapsed_s % callee.round_s
    in_trouble = callee.trouble_at_s <= place_s < callee.well_at_s
    assert (found.failure_rate > 0) == in_trouble
    assert found.latency_s == callee.latency_s * (callee.slower if in_trouble else 1.0)


def test_it_is_served_as_a_relay_is_and_takes_orders() -> None:
    async def scene() -> None:
        async with Demo("free") as demo, Monitor(targets=(demo.target,), demo=True) as monitor:
            await heard(monitor)
            assert len(monitor.board.rows) == len(CALLEES)
            assert set(monitor.board.relays["demo"].sources) == {"bitcoin", "litecoin", "dogecoin"}
            assert monitor.board.rows[Key("demo", "webhook:orders")].policy == "free"
            key = Key("demo", "store")
            assert await monitor.order(key, "force_open", "a try")
            await until(lambda: monitor.board.rows[key].state == "force_open", "it is held open")
            assert not await monitor.order(key, "force_open", "again")

    asyncio.run(scene())


def test_a_tier_is_named_in_any_case_and_a_wrong_one_is_told_what_there_is() -> None:
    assert tier_of("TURBO") == "turbo"
    with pytest.raises(ConfigError, match="there are free, developer, business, turbo, enterprise"):
        tier_of("source")
