"""The lag of the loop is what kept it from its timer."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from sprint.tools.relay import loop_lag
from sprint.tools.relay.loop_lag import LoopLag
from sprint.tools.runtime import clock
from tests.tools.relay.serving import until

BLOCKED_S = 0.06


def test_a_loop_that_was_kept_busy_is_late_by_that_and_measures_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_lag, "INTERVAL_S", 0.01)
    registry = CollectorRegistry()

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"sprint_event_loop_lag_seconds_{name}", labels) or 0.0

    async def main() -> None:
        lag = LoopLag(registry)
        lag.start()
        busy_until = clock() + BLOCKED_S
        while clock() < busy_until:
            pass
        await until(lambda: value("count") >= 3)
        lag.stop()
        lag.stop()
        assert lag._handle is None

    asyncio.run(main())
    assert value("sum") >= BLOCKED_S - 0.02
    assert value("bucket", le="0.025") < value("count")
