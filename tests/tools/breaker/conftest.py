"""The clock and the breaker that most tests of the faces are given."""

from __future__ import annotations

import pytest

from sprint.tools.breaker import CircuitBreaker
from tests.tools.breaker.callees import POLICY, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("node", POLICY, clock=clock)
