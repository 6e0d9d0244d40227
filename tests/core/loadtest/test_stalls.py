"""A server that stalls for a second every ten: what wrk2 is about. A closed loop doesn't see it, we do.

The server's log is simulated: it answers in a millisecond, but not while it stalls. Ours are the percentiles
of the recording; independently, numpy takes them from the log: answered minus planned. A closed-loop tool,
which sends the next request when the last is answered, has a log of its own.
"""

from __future__ import annotations

import numpy as np
import pytest

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.schedule import Schedule
from tests.core.loadtest.runs import MS_NS, Request, plan_of, recording_of

RATE_PER_S = 200
DURATION_S = 40
SERVICE_NS = MS_NS
SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)
NAMES = ("ms_p50", "ms_p90", "ms_p95", "ms_p99", "ms_p99_9")


def answered_at(arrived_ns: int) -> int:
    """When the server answers: at once, but for the first second of each ten."""
    stall = arrived_ns // (10 * SECOND_NS) * 10 * SECOND_NS
    return max(arrived_ns, stall + SECOND_NS) + SERVICE_NS


def open_loop(processes: int) -> list[Request]:
    """Requests that leave as planned."""
    plan = plan_of(RATE_PER_S, DURATION_S)
    moments = [
        moment_ns
        for process in range(processes)
        for moment_ns in Schedule(plan.segments, process=process, processes=processes).take(plan.duration_ns)
    ]
    return [Request(moment, moment, moment, answered_at(moment)) for moment in sorted(moments)]


def one_connection() -> list[Request]:
    """Requests as planned, each of which has to wait for the one before, so that it is sent late."""
    free_ns, made = 0, []
    for request in open_loop(1):
        sent_ns = max(request.scheduled_ns, free_ns)
        free_ns = answered_at(sent_ns)
        made.append(Request(request.scheduled_ns, request.scheduled_ns, sent_ns, free_ns))
    return made


def closed_loop() -> list[int]:
    """How long each request took that left when the one before was answered, at the same pace at best."""
    now_ns, took = 0, []
    while now_ns < DURATION_S * SECOND_NS:
        done_ns = answered_at(now_ns)
        took.append(done_ns - now_ns)
        now_ns = max(now_ns + SECOND_NS // RATE_PER_S, done_ns)
    return took


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("log", ["as planned", "one connection"])
def test_percentiles_from_the_schedule_are_those_of_the_servers_log(log: str, processes: int) -> None:
    requests = open_loop(processes) if log == "as planned" else one_connection()
    plan = plan_of(RATE_PER_S, DURATION_S)
    recording = recording_of(plan, requests, processes)
    found = recording.totals(plan.duration_ns).response
    assert found is not None
    planned_ns = np.arange(RATE_PER_S * DURATION_S) * SECOND_NS // RATE_PER_S
    answered_ns = np.array([request.done_ns for request in requests])
    exact = np.quantile(answered_ns - planned_ns, SHARES, method="inverted_cdf") / MS_NS
    for name, wanted in zip(NAMES, exact, strict=True):
        assert getattr(found, name) == pytest.approx(wanted, rel=0.001), name
    # A tenth of the planned requests fall into a stall, and others wait behind those.
    assert found.ms_p95 > 450
    assert found.ms_p99 > 850


def test_a_closed_loop_and_the_service_time_do_not_show_the_stall() -> None:
    assert float(np.quantile(closed_loop(), 0.99)) / MS_NS < 2
    plan = plan_of(RATE_PER_S, DURATION_S)
    totals = recording_of(plan, one_connection()).totals(plan.duration_ns)
    assert totals.service is not None
    assert totals.response is not None
    assert totals.service.ms_p99 < 2
    assert totals.response.ms_p99 > 850
