"""What a relay answers to `GET /api/breakers/{name}`, made by the breaker's own code."""

from __future__ import annotations

from typing import Any

import msgspec

from sprint.core.breaker.explain import explain
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import BackoffPolicy, HealthPolicy, Policy
from sprint.core.monitor.rows import BreakerRow

POLICY = Policy(
    name="source",
    failures_to_open=3,
    half_open_calls=1,
    backoff=BackoffPolicy(base_s=1.0, multiplier=2.0, longest_s=30.0),
    health=HealthPolicy(enabled=True, opens_below=0.5),
)


def detail_of(row: BreakerRow) -> dict[str, Any]:
    """Return the answer for a breaker that had some calls, and opened where its row says so."""
    machine = Machine(row.name, POLICY, now=0.0, rng=lambda: 0.5)
    for at in range(30):
        _call(machine, at * 0.1, failed=False)
    if row.state in ("open", "half_open"):
        for at in range(3):
            _call(machine, 4.0 + at, failed=True)
    told = msgspec.to_builtins(explain(machine, 7.0))
    return {
        **msgspec.to_builtins(row),
        "explanation": told,
        "config": msgspec.to_builtins(POLICY),
        "laid_over": None,
    }


def _call(machine: Machine, now: float, *, failed: bool) -> None:
    permit = machine.admit(now)
    if permit is not None:
        machine.settle(permit, "failure" if failed else "success", 0.0125, now)
