"""What watchers are told: all rows once, then only what has changed, and nothing is lost on the way."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.outcomes import Evidence, State
from sprint.core.monitor.codec import (
    Change,
    Delta,
    Metrics,
    Snapshot,
    applied,
    decode,
    delta_between,
    encode,
    row_fields,
)
from sprint.core.monitor.rows import BreakerRow, MetricsPoint

NAMES = st.sampled_from(["store", "source:bitcoin:a", "source:bitcoin:b", "odd/%name\n"])
TEXTS = st.sampled_from(["", "silent for 12 s", "connection refused"])
ROWS = st.builds(
    BreakerRow,
    name=st.just(""),
    kind=st.just("source"),
    chain=st.none() | st.just("bitcoin"),
    source=st.none() | st.just("a"),
    policy=st.just("source"),
    state=st.sampled_from(get_args(State)),
    shadow=st.booleans(),
    since=st.sampled_from(["2025-09-05T18:55:07.000Z", "2025-09-05T18:55:08.000Z"]),
    reason=TEXTS,
    evidence=st.builds(Evidence, detector=st.just("trials"), measured=st.floats(0, 9), text=TEXTS),
    calls=st.integers(0, 3),
    failures=st.integers(0, 3),
    rejected=st.integers(0, 3),
    failure_rate=st.floats(0, 1),
    slow_rate=st.floats(0, 1),
    latency_ms_mean=st.none() | st.floats(0, 9),
    health=st.none() | st.floats(0, 1),
    next_trial_at=st.none() | st.just("2025-09-05T18:55:09.000Z"),
    withheld=st.none() | TEXTS,
    transitions=st.integers(0, 3),
)


def named(rows: dict[str, BreakerRow]) -> dict[str, BreakerRow]:
    return {name: msgspec.structs.replace(row, name=name) for name, row in rows.items()}


TABLES = st.dictionaries(NAMES, ROWS).map(named)


def plain(rows: dict[str, BreakerRow]) -> dict[str, dict[str, Any]]:
    return {name: row_fields(row) for name, row in rows.items()}


@given(st.lists(TABLES, min_size=1, max_size=6))
def test_a_snapshot_with_all_deltas_laid_over_it_is_the_next_snapshot(
    tables: list[dict[str, BreakerRow]],
) -> None:
    snapshot = decode(encode(Snapshot(seq=0, at="", breakers=tuple(tables[0].values()))))
    assert isinstance(snapshot, Snapshot)
    held: dict[str, Any] = plain({row.name: row for row in snapshot.breakers})
    for seq, (before, after) in enumerate(pairwise(tables), 1):
        change = delta_between(before, after)
        delta = Delta(seq=seq, at="", changed=change.changed, removed=change.removed)
        told = decode(encode(delta))
        assert isinstance(told, Delta)
        held = applied(held, told)
        assert held == plain(after)


@given(TABLES, TABLES)
def test_a_delta_holds_what_differs_and_nothing_else(
    before: dict[str, BreakerRow], after: dict[str, BreakerRow]
) -> None:
    change = delta_between(before, after)
    assert bool(change) == (before != after)
    for fields in change.changed:
        known = plain(before).get(fields["name"], {})
        assert all(known.get(key, "absent") != value for key, value in fields.items() if key != "name")
    assert set(change.removed) == before.keys() - after.keys()


def test_rows_that_nobody_told_of_are_kept_when_a_delta_is_laid_over() -> None:
    rows = {"a": {"name": "a", "calls": 1}, "b": {"name": "b", "calls": 2}}
    assert applied(rows, Change(({"name": "a", "calls": 5},))) == {
        "a": {"name": "a", "calls": 5},
        "b": {"name": "b", "calls": 2},
    }
    assert rows["a"]["calls"] == 1


@given(
    st.binary(max_size=60) | st.sampled_from([b"{}", b'{"type":"none"}', b'{"type":"delta"}', b"[" * 5000])
)
def test_what_is_no_message_is_refused_as_such(message: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, RecursionError, UnicodeDecodeError)):
        decode(message)


def test_a_point_of_figures_comes_through() -> None:
    point = MetricsPoint(
        at="2025-09-05T18:55:07.000Z",
        state="half_open",
        calls=3,
        failures=1,
        rejected=0,
        failure_rate=0.3333,
        slow_rate=0.0,
        calls_per_s=1.5,
        latency_ms_mean=None,
        latency_ms_p50=1.0,
        latency_ms_p95=2.0,
        latency_ms_p99=3.0,
        health=None,
    )
    message = Metrics(seq=4, at=point.at, points={"odd/%name": point})
    assert decode(encode(message)) == message
