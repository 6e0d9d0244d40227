"""Rows, points and transitions of breakers, as tests of the monitor hand them about."""

from __future__ import annotations

from typing import Any

import msgspec

from sprint.core.breaker.outcomes import Evidence
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow, identity, rfc3339

EVIDENCE = Evidence(detector="start", text="closed since the start")


def row_named(name: str, **fields: Any) -> BreakerRow:
    kind, chain, source = identity(name)
    row = BreakerRow(
        name=name, kind=kind, chain=chain, source=source, policy="source", state="closed", shadow=False,
        since=rfc3339(0.0), reason="closed since the start; no call in its window", evidence=EVIDENCE,
        calls=0, failures=0, rejected=0, failure_rate=0.0, slow_rate=0.0, latency_ms_mean=None, health=None,
        next_trial_at=None, withheld=None, transitions=0,
    )  # fmt: skip
    return msgspec.structs.replace(row, **fields)


def point_at(unix_s: float, **fields: Any) -> MetricsPoint:
    point = MetricsPoint(
        at=rfc3339(unix_s), state="closed", calls=10, failures=1, rejected=0, failure_rate=0.1, slow_rate=0.0,
        calls_per_s=2.0, latency_ms_mean=1.5, latency_ms_p50=1.0, latency_ms_p95=2.5, latency_ms_p99=None,
        health=0.9,
    )  # fmt: skip
    return msgspec.structs.replace(point, **fields)


def transition_of(number: int, unix_s: float, breaker: str = "x", **fields: Any) -> TransitionRow:
    transition = TransitionRow(
        number=number, breaker=breaker, from_state="closed", to_state="open", reason="tripped",
        at=rfc3339(unix_s), evidence=EVIDENCE, shadow=False,
    )  # fmt: skip
    return msgspec.structs.replace(transition, **fields)
