"""The record: of k processes that of one, exact to a thousandth, complete, and bounded whatever comes."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.cell import RESPONSE, SERVICE, StateChange, decode_cell
from sprint.core.loadtest.recorder import (
    CELLS_WAITING_MAX,
    CHANGES_MAX,
    KINDS_MAX,
    LIMITS_MAX,
    NAME_LENGTH_MAX,
    OTHER,
    Recorder,
)
from sprint.core.loadtest.recording import CHANGES_MAX as CHANGES_KEPT_MAX
from sprint.core.loadtest.recording import LOST, Recording
from tests.core.loadtest.runs import MS_NS, Request, plan_of, recording_of, requests_of

OUTCOMES = st.sampled_from(["success", "success", "timeout", "500", "limited", "rejected"])
SPANS = st.integers(0, 3 * SECOND_NS)
REQUESTS = st.lists(
    st.builds(
        lambda scheduled_ns, late_ns, wait_ns, took_ns, outcome: Request(
            scheduled_ns,
            scheduled_ns + late_ns,
            scheduled_ns + late_ns + wait_ns,
            scheduled_ns + late_ns + wait_ns + took_ns,
            outcome,
        ),
        st.integers(0, 9 * SECOND_NS),
        st.integers(0, 5 * MS_NS),
        st.integers(0, 5 * MS_NS),
        SPANS,
        OUTCOMES,
    ),
    max_size=40,
)


@given(REQUESTS, st.integers(2, 5))
def test_k_processes_record_what_one_would(requests: list[Request], processes: int) -> None:
    plan = plan_of()
    requests = sorted(requests, key=lambda request: request.done_ns)
    one, several = (recording_of(plan, requests, count) for count in (1, processes))
    for recording in (one, several):
        recording.finish(plan.duration_ns)
    assert several.totals(plan.duration_ns) == one.totals(plan.duration_ns)
    assert several.errors() == one.errors()
    assert several.limits == one.limits
    assert several.distribution() == one.distribution()
    assert several.distribution(SERVICE) == one.distribution(SERVICE)


def test_k_processes_give_the_points_of_one(seed: int) -> None:
    plan = plan_of(rate_per_s=1_000, duration_s=6)
    requests = requests_of(plan, random.Random(seed))
    in_order = sorted(requests, key=lambda request: request.scheduled_ns)
    points = []
    for processes in (1, 4):
        recording = recording_of(plan, in_order, processes)
        recording.finish(plan.duration_ns)
        points.append(recording.points())
    assert len(points[0]) >= 6
    for one, several in zip(*points, strict=True):
        assert (one.at_s, one.asked) == (several.at_s, several.asked)
        # The gauge is taken by each process at its own last moment of a second; all else is a count.
        assert msgspec.structs.replace(one, in_flight=0) == msgspec.structs.replace(several, in_flight=0)


@pytest.mark.parametrize("shape", ["lognormal", "uniform", "two humps", "one value"])
def test_percentiles_are_within_a_thousandth_of_the_exact_ones(shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = {
        "lognormal": rng.lognormal(14, 1.5, 30_000),
        "uniform": rng.uniform(50_000, 5e9, 30_000),
        "two humps": np.concatenate([rng.normal(1e6, 1e5, 29_000), rng.normal(2e9, 1e8, 1_000)]),
        "one value": np.full(30_000, 1_234_567.0),
    }[shape]
    values = np.maximum(made, 0).astype(np.int64)
    recorder, recording = Recorder(), Recording(())
    for value in values.tolist():
        recorder.succeeded(0, 0, value)
    for packet in recorder.cells(int(values.max()), last=True):
        recording.add(packet)
    found = recording.totals(SECOND_NS).response
    assert found is not None
    names = ("ms_p50", "ms_p90", "ms_p95", "ms_p99", "ms_p99_9")
    shares = (0.5, 0.9, 0.95, 0.99, 0.999)
    exact = np.quantile(values, shares, method="inverted_cdf") / MS_NS
    for name, wanted in zip(names, exact, strict=True):
        assert getattr(found, name) == pytest.approx(wanted, rel=0.001), (shape, name, seed)
    assert found.ms_mean == pytest.approx(values.mean() / MS_NS, rel=1e-9)
    assert (found.ms_min, found.ms_max) == (values.min() / MS_NS, values.max() / MS_NS)


def test_failures_that_are_fast_do_not_flatter_the_percentiles() -> None:
    plan = plan_of(rate_per_s=100, duration_s=1)
    slow = [Request(at, at, at, at + 200 * MS_NS) for at in range(10)]
    fast = [Request(at, at, at, at + 1, "refused") for at in range(90)]
    recording = recording_of(plan, sorted(slow + fast, key=lambda request: request.done_ns))
    totals = recording.totals(SECOND_NS)
    assert totals.response is not None
    assert totals.failed is not None
    assert totals.response.ms_p50 == pytest.approx(200, rel=0.001)
    assert totals.failed.ms_max < 1
    assert (totals.successes, totals.failures, totals.error_share) == (10, 90, 0.9)


def test_each_request_that_was_due_is_accounted_for() -> None:
    plan = plan_of(rate_per_s=100, duration_s=10)
    recorder = Recorder()
    for at, outcome in enumerate(["success", "500", "limited", "rejected"] * 10):
        begun_ns = at * MS_NS
        recorder.began(begun_ns, begun_ns)
        if outcome == "success":
            recorder.succeeded(begun_ns, begun_ns, begun_ns + 5)
        elif outcome == "500":
            recorder.failed("500", begun_ns, begun_ns + 5)
        elif outcome == "limited":
            recorder.limited("100 a minute", begun_ns, begun_ns + 5)
        else:
            recorder.rejected(begun_ns, begun_ns + 5)
    recorder.unanswered(7)
    recorder.never_sent("no worker was free", 3)
    recording = Recording(plan.segments)
    for packet in recorder.cells(SECOND_NS, last=True):
        recording.add(packet)
    recording.finish(5 * SECOND_NS)
    totals = recording.totals(5 * SECOND_NS)
    assert totals.asked == 500
    assert totals.answered + totals.unanswered + totals.never_sent == 500
    assert recording.never_sent_by_reason == {"no worker was free": 3, LOST: 450}
    assert totals.answered == totals.successes + totals.failures + totals.limited + totals.rejected == 40


def test_a_process_that_died_is_told_as_lost_and_not_left_out(seed: int) -> None:
    plan = plan_of(rate_per_s=200, duration_s=4)
    requests = requests_of(plan, random.Random(seed))
    half = requests[::2]
    recording = recording_of(plan, half)
    recording.finish(plan.duration_ns)
    assert recording.never_sent_by_reason == {LOST: 400}
    assert recording.totals(plan.duration_ns).never_sent == 400


def test_kinds_limits_and_reasons_are_bounded_and_none_is_lost() -> None:
    recorders = [Recorder(process) for process in range(2)]
    recording = Recording(())
    for recorder in recorders:
        for number in range(KINDS_MAX + 5):
            kind = f"{number} of {recorder}" + "x" * 200
            recorder.failed(kind, 0, number, example="e" * 1_000)
            recorder.limited(kind, 0, number)
            recorder.never_sent(kind)
        for packet in recorder.cells(0, last=True):
            recording.add(packet)
    errors = recording.errors()
    assert sum(row.count for row in errors) == 2 * (KINDS_MAX + 5)
    assert len(errors) <= KINDS_MAX + 1
    assert max(len(row.kind) for row in errors) <= NAME_LENGTH_MAX
    assert max(len(row.example) for row in errors) <= 200
    assert (
        sum(recording.limits.values()) == sum(recording.never_sent_by_reason.values()) == 2 * (KINDS_MAX + 5)
    )
    assert len(recording.limits) <= LIMITS_MAX + 1
    assert OTHER in recording.limits


def test_a_cell_is_bounded_by_itself() -> None:
    recorder = Recorder()
    for number in range(10 * KINDS_MAX):
        recorder.failed(f"kind {number}", 0, 5)
        recorder.limited(f"limit {number}", 0, 5)
        recorder.never_sent(f"reason {number}")
    cell = decode_cell(recorder.cells(0, last=True)[0])
    assert (len(cell.kinds), len(cell.limits), len(cell.never_sent)) == (
        KINDS_MAX + 1,
        LIMITS_MAX + 1,
        KINDS_MAX + 1,
    )


def test_changes_of_many_cells_are_kept_up_to_the_limit_and_all_counted() -> None:
    recorder, recording = Recorder(), Recording(())
    cells = CHANGES_KEPT_MAX // CHANGES_MAX + 2
    for second in range(cells):
        for _ in range(CHANGES_MAX):
            recorder.changed(StateChange(second * SECOND_NS, "breaker", "open"))
        for packet in recorder.cells((second + 1) * SECOND_NS):
            recording.add(packet)
    assert len(recording.changes()) == CHANGES_KEPT_MAX
    assert recording.totals(0).state_changes == cells * CHANGES_MAX


def test_changes_of_a_state_are_kept_up_to_the_limit_and_all_counted() -> None:
    recorder, recording = Recorder(), Recording(())
    for number in range(CHANGES_MAX + 5):
        recorder.changed(StateChange(number, "breaker", "open"))
    for packet in recorder.cells(0, last=True):
        recording.add(packet)
    assert len(recording.changes()) == CHANGES_MAX
    assert recording.totals(0).state_changes == CHANGES_MAX + 5


def test_a_second_without_a_reader_grows_wider_and_loses_nothing() -> None:
    recorder, recording = Recorder(), Recording(())
    seconds = CELLS_WAITING_MAX + 50
    for second in range(seconds):
        recorder.succeeded(second * SECOND_NS, second * SECOND_NS, second * SECOND_NS + 5)
    packets = recorder.cells(seconds * SECOND_NS, last=True)
    assert len(packets) == CELLS_WAITING_MAX
    packets += recorder.cells(seconds * SECOND_NS, last=True)
    for packet in packets:
        recording.add(packet)
    assert recording.totals(SECOND_NS).successes == seconds
    recorder.succeeded(0, 0, seconds * SECOND_NS)
    assert decode_cell(recorder.cells(0, last=True)[0]).counts.successes == 1


def test_a_cell_is_of_the_second_in_which_it_was_recorded() -> None:
    recorder = Recorder(3)
    recorder.began(0, 10)
    recorder.succeeded(0, 10, SECOND_NS - 1)
    recorder.succeeded(0, 10, SECOND_NS)
    recorder.failed("reset", 0, 5 * SECOND_NS + 1)
    cells = [decode_cell(packet) for packet in recorder.cells(7 * SECOND_NS)]
    assert [(cell.process, cell.second) for cell in cells] == [(3, 0), (3, 1), (3, 5)]
    assert [(cell.counts.begun, cell.counts.successes, cell.counts.failures) for cell in cells] == [
        (1, 1, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]
    assert recorder.cells(7 * SECOND_NS) == []


def test_the_live_totals_are_those_of_the_time_so_far() -> None:
    plan = plan_of(rate_per_s=100, duration_s=10)
    recording = recording_of(plan, [Request(0, 0, 0, MS_NS)])
    totals = recording.totals(2 * SECOND_NS)
    assert (totals.duration_s, totals.asked, totals.rate_asked_per_s) == (2.0, 200, 100.0)
    assert totals.rate_answered_per_s == 0.5
    # Answers that come after the end don't make the run longer.
    assert recording.totals(60 * SECOND_NS).duration_s == 10.0


def test_live_rates_are_of_the_seconds_that_are_over() -> None:
    """They were what had been handed in over the time so far: too low by up to a second's part of it."""
    plan = plan_of(rate_per_s=100, duration_s=10)
    recorders = [Recorder(process) for process in range(2)]
    recording = Recording(plan.segments, processes=2)
    assert recording.rates() == (0.0, 0.0)
    for recorder in recorders:
        for number in range(100):
            recorder.succeeded(number, number, 2 * number * SECOND_NS // 100)
    for second in (1, 2):
        recording.add(recorders[0].cells(second * SECOND_NS)[0])
    recording.add(recorders[1].cells(SECOND_NS)[0])
    assert recording.rates() == (100.0, 100.0)
    assert recording.totals(2 * SECOND_NS).answered == 150


def test_buckets_count_what_was_recorded_and_guess_nothing() -> None:
    """Between two known shares values were taken as spread evenly: of three answers 1.3 % took so long."""
    recorder, recording = Recorder(), Recording(())
    for took_ms in (1, 10, 100):
        recorder.succeeded(0, 0, took_ms * MS_NS)
    assert recording.buckets(7) == []
    for packet in recorder.cells(0, last=True):
        recording.add(packet)
    buckets = recording.buckets(7)
    assert [count for _, count in buckets] == [1, 0, 0, 1, 0, 0, 1]
    assert buckets[-1][0] == 100
    assert 1 < buckets[0][0] < 10 <= buckets[3][0] < 100


def test_nothing_recorded_has_no_latency_and_no_distribution() -> None:
    recording = Recording(())
    totals = recording.totals(0)
    assert (totals.response, totals.failed, totals.rate_answered_per_s, totals.error_share) == (
        None,
        None,
        0,
        0,
    )
    assert recording.distribution(RESPONSE) == []
    assert recording.newest() is None
