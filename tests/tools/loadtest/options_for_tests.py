"""A load test's options, short, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.plan import Plan
from sprint.tools.loadtest.given import Given, options_of
from sprint.tools.loadtest.options import WEBSOCKET_SCHEMES, LoadOptions

POLL_S = 0.01
POLLS_MAX = 3_000
QUICKENED = 4  # times; a user's run lasts for a second at least


def options(**given: Any) -> LoadOptions:
    """Return options: 200 requests where nothing else is said, of stages and of held WebSockets either.

    Where no duration is said, what is due in a second is due in a quarter of it.
    """
    asked: dict[str, Any] = {"timeout": "2s"} | given
    if not given.get("stage"):
        asked = {"duration": "1s"} | asked
        if not given.get("connections") and not str(given.get("target")).startswith(WEBSOCKET_SCHEMES):
            asked = {"rps": 200} | asked
    made = options_of(Given(**asked), "business", Policy(), cpus=2)
    return made if "duration" in given else msgspec.structs.replace(made, plan=_quickened(made.plan))


def _quickened(plan: Plan) -> Plan:
    segments = tuple(
        msgspec.structs.replace(
            each,
            duration_ns=each.duration_ns // QUICKENED,
            from_per_s=each.from_per_s * QUICKENED,
            to_per_s=each.to_per_s * QUICKENED,
        )
        for each in plan.segments
    )
    return msgspec.structs.replace(
        plan, duration_ns=SECOND_NS // QUICKENED, rate_per_s=plan.rate_per_s * QUICKENED, segments=segments
    )


async def come_true(holds: Callable[[], bool]) -> None:
    """Wait until something holds; TimeoutError where it doesn't come to."""
    for _ in range(POLLS_MAX):
        if holds():
            return
        await asyncio.sleep(POLL_S)
    raise TimeoutError(f"not so within {POLLS_MAX * POLL_S:g} s")


def silent(_: str) -> None:
    """Say nothing."""
