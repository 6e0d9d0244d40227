"""Schedules on a simulated clock: each due time is the one that the words say, none left out or doubled."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chaos.schedule import Cron, Immediate, Periodic, Random, Schedule, checked, seeded_draw
from sprint.core.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 3, 1, 11, 59, 30, tzinfo=UTC)
moments = st.integers(0, 10**15).map(lambda micros: BEGIN + timedelta(microseconds=micros))


def run_through(
    schedule: Schedule, begin: datetime, hours: float, run_s: float = 0.0, seed: int = 0
) -> list[datetime]:
    """Run a schedule on a clock that jumps from one due time to the next, each run taking `run_s`."""
    draw = seeded_draw(seed)
    now = begin
    last: datetime | None = None
    dues: list[datetime] = []
    while True:
        due = schedule.next(now, last, draw)
        if due is None or due > begin + timedelta(hours=hours):
            return dues
        dues.append(due)
        now, last = max(now, due) + timedelta(seconds=run_s), due


def test_immediate_is_once_and_at_once() -> None:
    assert run_through(Immediate(), BEGIN, 1) == [BEGIN]


@given(begin=moments, every_s=st.integers(1, 4_000))
def test_periodic_is_due_at_every_multiple_of_its_period(begin: datetime, every_s: int) -> None:
    dues = run_through(Periodic(every_s), begin, hours=2)
    assert dues == [begin + timedelta(seconds=every_s) * number for number in range(7_200 // every_s + 1)]


@given(begin=moments, every_s=st.floats(1, 500), run_s=st.floats(0, 1_500))
def test_a_run_that_takes_longer_than_its_period_leaves_out_times_and_overlaps_none(
    begin: datetime, every_s: float, run_s: float
) -> None:
    dues = run_through(Periodic(every_s), begin, hours=2, run_s=run_s)
    for number, (before, after) in enumerate(pairwise(dues), 1):
        assert after >= before + timedelta(seconds=run_s)
        # Whole periods, to the microsecond that each addition so far may have rounded by.
        rounded = number * 1e-6 / every_s + 1e-9
        assert abs((after - begin).total_seconds() / every_s % 1.0 - 0.5) > 0.5 - rounded
        assert after - before <= timedelta(seconds=run_s + every_s + 0.001)


def test_random_is_by_its_mean_and_by_its_seed() -> None:
    dues = run_through(Random(60.0), BEGIN, hours=200, seed=5)
    waits = [(after - before).total_seconds() for before, after in pairwise(dues)]
    assert sum(waits) / len(waits) == pytest.approx(60.0, rel=0.03)
    # Of an exponential distribution this share is below the mean.
    assert sum(wait < 60.0 for wait in waits) / len(waits) == pytest.approx(0.632, abs=0.02)
    assert dues == run_through(Random(60.0), BEGIN, hours=200, seed=5)
    assert dues != run_through(Random(60.0), BEGIN, hours=200, seed=6)


def test_draws_are_even_and_follow_from_the_seed() -> None:
    draw, again = seeded_draw(3), seeded_draw(3)
    drawn = [draw() for _ in range(10_000)]
    assert drawn == [again() for _ in range(10_000)]
    assert min(drawn) >= 0.0
    assert max(drawn) < 1.0
    tenths = [sum(tenth <= 10 * each < tenth + 1 for each in drawn) for tenth in range(10)]
    # 1,000 are due in each; 150 is five standard deviations.
    assert all(850 < tenth < 1_150 for tenth in tenths)


@given(seed=st.integers(0, 1_000), mean_s=st.floats(1, 1_000), run_s=st.floats(0, 2_000))
def test_random_runs_never_overlap(seed: int, mean_s: float, run_s: float) -> None:
    dues = run_through(Random(mean_s), BEGIN, hours=2, run_s=run_s, seed=seed)
    pairs = pairwise(dues)
    assert all(after >= before + timedelta(seconds=run_s) for before, after in pairs)


def test_cron_runs_each_matching_minute_once_and_leaves_out_what_a_run_took() -> None:
    assert run_through(Cron("*/20 * * * *"), BEGIN, 1) == [
        BEGIN.replace(hour=12, minute=minute, second=0) for minute in (0, 20, 40)
    ]
    dues = run_through(Cron("*/20 * * * *"), BEGIN, 2, run_s=1_300)
    assert [(each.hour, each.minute) for each in dues] == [(12, 0), (12, 40), (13, 20)]


@pytest.mark.parametrize(
    "night", [datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)]
)
def test_what_runs_every_ten_minutes_does_so_while_clocks_are_set(night: datetime) -> None:
    due = last = night
    for number in range(1, 40):
        found = Periodic(600).next(due, last, random.Random(0).random)
        assert found is not None
        due = last = found
        assert due.timestamp() == night.timestamp() + 600 * number
        assert due.tzinfo is BERLIN


@pytest.mark.parametrize(
    "night", [datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)]
)
def test_what_runs_at_random_waits_as_long_while_clocks_are_set(night: datetime) -> None:
    due = night
    for number in range(1, 40):
        found = Random(600.0).next(due, due, lambda: 0.5)
        assert found is not None
        due = found
        assert due.timestamp() == pytest.approx(night.timestamp() + 600 * math.log(2) * number, abs=0.001)


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        (Periodic(0.5), "every 0.5 s; want 1 s"),
        (Periodic(float("nan")), "every nan s"),
        (Random(1e9), "mean 1e.09 s"),
        (Cron("0 2 * *"), "4 fields; want five"),
        (Cron("61 * * * *"), "Bad minute"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(schedule: Schedule, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        checked(schedule)
