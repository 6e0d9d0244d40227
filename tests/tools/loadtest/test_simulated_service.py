"""The breaker in process: what it lets through takes its time, what it rejects is counted as rejected."""

from __future__ import annotations

import asyncio

from sprint.core.breaker.policy import Policy
from sprint.core.duration import SECOND_NS
from sprint.tools import runtime
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.seeded import SeededNumbers
from sprint.tools.loadtest.simulated_service import FailureRate, Service, ServiceLimits, SimulatedTarget
from tests.tools.loadtest.one_run import MakeTarget, OneRun, for_half_a_second, kinds

HALF_S_NS = SECOND_NS // 2
# Longer than a stop waits: a call that is under way then has no answer, and has not timed out either.
TIMEOUT_NS = 30 * SECOND_NS


def simulated(rate: FailureRate, *, latency_ms: float = 1.0, workers_max: int = 1_000) -> MakeTarget:
    def make(outcomes: Outcomes) -> SimulatedTarget:
        rng = SeededNumbers(1)
        service = Service(latency_ms, latency_ms, rate)
        breaker = CircuitBreaker("simulated", Policy(failures_to_open=5), rng=rng)
        return SimulatedTarget(breaker, service, outcomes, ServiceLimits(workers_max, TIMEOUT_NS), rng)

    return make


def test_a_service_that_is_well_answers_everything_in_its_time() -> None:
    recording = runtime.run(OneRun(for_half_a_second(400), simulated(lambda _: 0.0, latency_ms=20.0)).run())
    totals = recording.totals(HALF_S_NS)
    assert totals.successes == totals.asked == 200
    assert totals.service is not None
    assert totals.service.ms_min >= 20.0


def test_a_service_that_fails_opens_the_breaker_and_the_rest_is_rejected() -> None:
    recording = runtime.run(OneRun(for_half_a_second(400), simulated(lambda _: 1.0)).run())
    totals = recording.totals(HALF_S_NS)
    assert totals.successes == 0
    assert totals.failures >= 5
    assert totals.rejected > 100
    assert totals.failures + totals.rejected == totals.asked
    assert set(kinds(recording)) == {"simulated"}
    (change, *_) = recording.changes()
    assert (change.breaker, change.state) == ("simulated", "open")
    assert 0 < change.at_ns < HALF_S_NS
    assert "5" in change.reason


def test_the_failure_rate_goes_by_the_time_of_the_run() -> None:
    recording = runtime.run(
        OneRun(for_half_a_second(400), simulated(lambda elapsed_s: float(elapsed_s > 0.25))).run()
    )
    totals = recording.totals(HALF_S_NS)
    assert 80 <= totals.successes <= 110
    assert min(change.at_ns for change in recording.changes()) > SECOND_NS // 4


def test_without_a_free_worker_a_call_is_never_sent() -> None:
    recording = runtime.run(
        OneRun(for_half_a_second(100), simulated(lambda _: 0.0, latency_ms=900.0, workers_max=3)).run()
    )
    totals = recording.totals(HALF_S_NS)
    assert totals.successes == 3
    assert recording.never_sent_by_reason == {"no worker free": 47}


def test_calls_that_are_under_way_at_a_stop_are_unanswered() -> None:
    async def main() -> None:
        run = OneRun(for_half_a_second(100), simulated(lambda _: 0.0, latency_ms=60_000.0))
        asyncio.get_running_loop().call_later(0.2, run.generating.stop)
        recording = await run.run()
        assert recording.unanswered > 0
        assert recording.totals(SECOND_NS // 5).answered + recording.unanswered >= 15

    runtime.run(main())


def test_one_seed_gives_the_same_numbers_evenly() -> None:
    numbers, again, other = SeededNumbers(7), SeededNumbers(7), SeededNumbers(8)
    drawn = [numbers() for _ in range(2_000)]
    assert drawn == [again() for _ in range(2_000)]
    assert drawn != [other() for _ in range(2_000)]
    assert all(0 <= number < 1 for number in drawn)
    assert 0.47 < sum(drawn) / len(drawn) < 0.53
