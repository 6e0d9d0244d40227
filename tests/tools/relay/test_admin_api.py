"""What an operator is told of a relay's health."""

from __future__ import annotations

from msgspec.structs import replace

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.rows import row_of
from sprint.tools.relay.admin_api import rejects


def opened(*, shadow: bool) -> Machine:
    policy = replace(Policy(), failures_to_open=1, shadow=shadow)
    machine = Machine("node", policy, now=0.0, rng=lambda: 0.5)
    permit = machine.admit(0.0)
    assert permit is not None
    machine.settle(permit, "failure", 0.01, 0.0)
    assert machine.state == "open"
    return machine


def test_a_breaker_in_shadow_that_only_says_it_is_open_makes_nothing_degraded() -> None:
    assert rejects(row_of(opened(shadow=False), 0.0, 0.0))
    assert not rejects(row_of(opened(shadow=True), 0.0, 0.0))


def test_an_operators_word_shuts_also_one_in_shadow() -> None:
    machine = opened(shadow=True)
    machine.force_open(0.0)
    assert rejects(row_of(machine, 0.0, 0.0))
    machine.force_close(0.0)
    assert not rejects(row_of(machine, 0.0, 0.0))
