"""A watched relay: looks are differences, steps are orders, and a dry run gives none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from sprint.core.optimize.auto_tune import SLOW_SAMPLES, AutoTune, Rung
from sprint.core.optimize.levels import LEVELS
from sprint.core.optimize.told import Told
from sprint.tools.optimize.watching import Watch

LADDER = [Rung(name, msgspec.structs.asdict(level.fields)) for name, level in LEVELS.items()]


class SlowRelay:
    """A relay whose deliveries take 40 ms, all of them, 100 more at each look."""

    def __init__(self) -> None:
        self.looks = 0
        self.orders: list[tuple[str, Mapping[str, object]]] = []

    def metrics(self) -> str:
        self.looks += 1
        count = 100 * self.looks
        return (
            "# TYPE sprint_delivery_seconds histogram\n"
            f'sprint_delivery_seconds_bucket{{chain="bitcoin",tier="turbo",le="0.025"}} 0\n'
            f'sprint_delivery_seconds_bucket{{chain="bitcoin",tier="turbo",le="0.05"}} {count}\n'
            f'sprint_delivery_seconds_bucket{{chain="bitcoin",tier="turbo",le="+Inf"}} {count}\n'
            "# TYPE process_cpu_seconds_total counter\n"
            f"process_cpu_seconds_total {3.0 * self.looks}\n"
            "# TYPE runtime_tasks gauge\nruntime_tasks 12\n"
        )

    def order(self, level: str, changes: Mapping[str, object], origin: str, *, fallback: bool) -> Told:
        self.orders.append((level, changes))
        return Told(
            pid=1, level="basic", level_origin=origin, origins={}, changes=dict(changes), settings=(),
            findings=(), health="ok", stats={}, runtime={},
        )  # fmt: skip


def looks_of(relay: SlowRelay, count: int, *, dry_run: bool = False) -> list[Any]:
    watch = Watch(relay, AutoTune(LADDER, "basic"), dry_run=dry_run)
    return [watch.look(5.0 * number) for number in range(count)]


def test_the_first_look_says_nothing_and_the_next_ones_what_came_between() -> None:
    first, second = looks_of(SlowRelay(), 2)
    assert first is None
    assert 25.0 < second.sample.p99_ms <= 50.0
    assert second.sample.cpu_share == pytest.approx(0.6)
    assert second.gauges == {"runtime_tasks": 12.0}


def test_a_slow_relay_is_ordered_one_setting_of_the_next_level() -> None:
    relay = SlowRelay()
    looks = looks_of(relay, SLOW_SAMPLES + 1)
    assert looks[-1].step is not None
    ((level, changes),) = relay.orders
    assert level == "basic"
    different = {name for name, value in changes.items() if value != LADDER[0].fields[name]}
    assert len(different) == 1


def test_a_dry_run_says_the_step_and_orders_nothing() -> None:
    relay = SlowRelay()
    looks = looks_of(relay, SLOW_SAMPLES + 1, dry_run=True)
    assert looks[-1].step is not None
    assert relay.orders == []
