"""What the tests of the breaker's faces share: a policy, a clock that is set, callees that work or not."""

from __future__ import annotations

import asyncio

import pytest

from sprint.core.breaker.policy import BackoffPolicy, Policy, WindowPolicy
from sprint.tools.breaker import CircuitBreaker

POLICY = Policy(
    failures_to_open=3,
    half_open_calls=2,
    backoff=BackoffPolicy(base_s=10.0, jitter="none"),
    window=WindowPolicy(minimum_calls=10),
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Down(Exception):
    """What is called is down."""


def fails() -> str:
    raise Down


def works() -> str:
    return "answer"


async def fails_later() -> str:
    await asyncio.sleep(0)
    raise Down


async def works_later() -> str:
    await asyncio.sleep(0)
    return "answer"


def fail(breaker: CircuitBreaker, times: int = 3) -> None:
    for _ in range(times):
        with pytest.raises(Down):
            breaker.call(fails)
