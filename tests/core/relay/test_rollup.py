"""A minute in rows is what counters grew by, whatever was made anew meanwhile; none is told twice."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.relay import record_tables as tables
from sprint.core.relay.records import Record, RecordTable
from sprint.core.relay.rollup import (
    BreakerCounts,
    ChainCounts,
    Reading,
    SourceCounts,
    minute_of,
    percentile_ms,
    rows_of_minute,
)

BOUNDS_S = (0.001, 0.005, 0.01)
EMPTY = Reading(stage_bounds_s=BOUNDS_S, delivery_bounds_s=BOUNDS_S, goals_ms={"turbo": 5.0})


def of(table: RecordTable, rows: list[Record]) -> list[dict[str, object]]:
    return [dict(zip(table.columns, row.values, strict=True)) for row in rows if row.table is table]


def reading(
    events: int, wins: int, failures: int, stage: tuple[int, ...], delivered: tuple[int, ...]
) -> Reading:
    return Reading(
        chains={"c": ChainCounts(events=events, height=7)},
        sources={("c", "n"): SourceCounts(wins=wins)},
        breakers={"b": BreakerCounts(state="open", failures=failures)},
        stages={("c", "relay"): stage},
        stage_bounds_s=BOUNDS_S,
        deliveries={("c", "turbo"): delivered, ("c", "own"): delivered},
        delivery_bounds_s=BOUNDS_S,
        goals_ms={"turbo": 5.0},
        subscribers=3,
    )


def test_a_minute_is_what_came_within_it() -> None:
    before = reading(10, 5, 1, (1, 0, 0, 0), (0, 0, 0, 0))
    after = reading(25, 9, 4, (1, 98, 0, 2), (90, 5, 3, 2))
    rows = rows_of_minute(before, after, 60_000)
    (throughput,) = of(tables.THROUGHPUT, rows)
    assert (throughput["events"], throughput["height"], throughput["subscribers"]) == (15, 7, 3)
    (duplicates,) = of(tables.DUPLICATES, rows)
    assert (duplicates["source"], duplicates["wins"], duplicates["lag_ms"]) == ("n", 4, None)
    (breaker,) = of(tables.BREAKERS, rows)
    assert (breaker["state"], breaker["failures"]) == ("open", 3)
    (latency,) = of(tables.LATENCY, rows)
    assert (latency["blocks"], latency["p50_ms"], latency["p95_ms"], latency["p99_ms"]) == (
        100,
        5.0,
        5.0,
        None,
    )
    (sla,) = of(tables.SLA, rows)  # not of a tier that has no goal here
    assert (sla["deliveries"], sla["within_goal"], sla["p99_ms"], sla["goal_ms"]) == (100, 95, None, 5.0)


def test_nothing_is_told_of_latency_and_delivery_where_there_was_none() -> None:
    now = reading(1, 1, 1, (1, 0, 0, 0), (1, 0, 0, 0))
    rows = rows_of_minute(now, now, 0)
    assert not of(tables.LATENCY, rows)
    assert not of(tables.SLA, rows)


@given(readings=st.lists(st.tuples(*[st.integers(0, 50)] * 2), max_size=8))
def test_minutes_add_up_to_what_was_counted_though_a_source_was_made_anew(
    readings: list[tuple[int, int]],
) -> None:
    """Each tuple is what a minute brings; a source that is made anew in it begins at nothing."""
    before, total, counter = EMPTY, 0, 0
    told = 0
    for grown, anew in readings:
        counter = grown if anew > 40 and grown < counter else counter + grown
        total += grown
        after = reading(counter, 0, 0, (0, 0, 0, 0), (0, 0, 0, 0))
        (row,) = of(tables.THROUGHPUT, rows_of_minute(before, after, 0))
        assert isinstance(row["events"], int)
        told += row["events"]
        before = after
    assert told == total


@given(values=st.lists(st.floats(0, 0.02), min_size=1), share=st.sampled_from((0.5, 0.95, 0.99)))
def test_a_percentile_is_never_below_the_true_one(values: list[float], share: float) -> None:
    counts = [0] * (len(BOUNDS_S) + 1)
    for value in values:
        counts[bisect_left(BOUNDS_S, value)] += 1
    found = percentile_ms(counts, BOUNDS_S, share)
    within = len(values) if found is None else sum(value * 1000 <= found for value in values)
    assert within >= share * len(values)


def test_a_minute_begins_at_its_beginning() -> None:
    assert minute_of(119.999) == 60_000
    assert minute_of(120.0) == 120_000
