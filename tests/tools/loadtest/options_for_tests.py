"""A load test's options, short, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sprint.core.breaker.policy import Policy
from sprint.tools.loadtest.given import Given, options_of
from sprint.tools.loadtest.options import LoadOptions

POLL_S = 0.01
POLLS_MAX = 3_000


def options(**given: Any) -> LoadOptions:
    """Return options: 200 requests a second for a second, where nothing else is said."""
    asked: dict[str, Any] = {"rps": 200, "duration": "1s", "timeout": "2s"} | given
    return options_of(Given(**asked), "business", Policy(), cpus=2)


async def come_true(holds: Callable[[], bool]) -> None:
    """Wait until something holds; TimeoutError where it doesn't come to."""
    for _ in range(POLLS_MAX):
        if holds():
            return
        await asyncio.sleep(POLL_S)
    raise TimeoutError(f"not so within {POLLS_MAX * POLL_S:g} s")


def silent(_: str) -> None:
    """Say nothing."""
