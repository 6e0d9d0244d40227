"""A subscriber that stops reading, beside 99 that read, over real sockets and processes of their own."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sprint.tools.net import SEND_BUFFER_SIZE
from sprint.tools.web.outgoing import BYTES_MAX, MESSAGES_MAX
from sprint.tools.web.websocket import CLOSE_TIMEOUT_S
from tests.integration.slow_subscriber import Closed, Reading, Scene

pytestmark = pytest.mark.alone

BLOCK_INTERVAL_MS = 10.0
ROUND_S = 3.0
ROUND_SOAK_S = 6.0
ROUNDS_SOAK = 9
OTHERS_P99_FACTOR_MAX = 1.25
MEMORY_DRIFT_BYTES_MAX = 5 * 1024 * 1024
CLOSE_FRAME_SIZE_MAX = 2 + 125
TIMER_SLACK_S = 1.0


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        made = Scene(stack, tmp_path, BLOCK_INTERVAL_MS)
        made.read(1.0)
        yield made


def check_closed_at_its_bound(closed: Closed) -> None:
    assert closed.code == 4008
    assert closed.faults == 0
    assert closed.held_messages is not None
    assert closed.held_bytes is not None
    assert MESSAGES_MAX // 2 < closed.held_messages <= MESSAGES_MAX + 1
    assert closed.held_bytes + SEND_BUFFER_SIZE <= BYTES_MAX + CLOSE_FRAME_SIZE_MAX


def check_reset_in_time(closed: Closed) -> None:
    assert closed.reset
    assert closed.code is None
    assert closed.reset_after_s < CLOSE_TIMEOUT_S + TIMER_SLACK_S


def check_memory_is_flat(readings: list[Reading]) -> None:
    resident = [reading.resident_bytes for reading in readings]
    assert max(resident) - min(resident) <= MEMORY_DRIFT_BYTES_MAX


def test_one_that_stops_reading_is_closed_within_its_bound_and_costs_the_others_no_event(
    scene: Scene,
) -> None:
    reading = scene.read(ROUND_S)
    stalled, closed = scene.stall(ROUND_S, never_read=False)
    stalled_again, reset = scene.stall(ROUND_S, never_read=True)
    check_closed_at_its_bound(closed)
    check_reset_in_time(reset)
    readings = [reading, stalled, stalled_again]
    assert all(found.latencies_s and not found.faults for found in readings)
    check_memory_is_flat(readings)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_others_stay_within_their_p99_and_memory_is_flat(scene: Scene) -> None:
    readings: list[Reading] = []
    factors: list[float] = []
    for number in range(ROUNDS_SOAK):
        reading = scene.read(ROUND_SOAK_S)
        stalled, closed = scene.stall(ROUND_SOAK_S, never_read=number % 2 == 1)
        check = check_reset_in_time if number % 2 else check_closed_at_its_bound
        check(closed)
        readings += [reading, stalled]
        factors.append(p99(stalled) / p99(reading))
    assert not any(found.faults for found in readings)
    check_memory_is_flat(readings)
    assert statistics.median(factors) <= OTHERS_P99_FACTOR_MAX, f"{factors}, load {os.getloadavg()}"


def p99(reading: Reading) -> float:
    return statistics.quantiles(reading.latencies_s, n=100)[98]
