"""A breaker as its row, point and transitions: what they say, and that time alone changes no row."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import COUNT_MAX, FACTOR_MAX, SECONDS_MAX, BackoffPolicy, Policy
from sprint.core.breaker.policy_overlay import policy_with
from sprint.core.errors import ConfigError
from sprint.core.monitor.rows import identity, point_of, rfc3339, row_of, transition_row

UNIX_OFFSET_S = 1_757_098_507.0  # 2025-09-05T18:55:07Z at the machine's second 0
POLICY = Policy(
    failures_to_open=2,
    half_open_calls=1,
    backoff=BackoffPolicy(base_s=10.0, jitter="none"),
)


def machine(name: str = "source:bitcoin:a") -> Machine:
    return Machine(name, POLICY, now=0.0, rng=lambda: 0.5)


def fail(made: Machine, now: float, times: int = 2) -> None:
    for _ in range(times):
        permit = made.admit(now)
        assert permit is not None
        made.settle(permit, "failure", 0.25, now)


def test_an_open_breaker_says_since_when_why_and_when_a_trial_is_let_through() -> None:
    made = machine()
    fail(made, 3.5)
    row = row_of(made, 4.0, UNIX_OFFSET_S)
    assert (row.name, row.kind, row.chain, row.source) == ("source:bitcoin:a", "source", "bitcoin", "a")
    assert (row.state, row.since, row.next_trial_at) == (
        "open",
        "2025-09-05T18:55:10.500Z",
        "2025-09-05T18:55:20.500Z",
    )
    assert row.reason == made.evidence.text
    assert (row.calls, row.failures, row.failure_rate, row.latency_ms_mean) == (2, 2, 1.0, 250.0)
    assert row.transitions == 1


def test_a_row_stays_the_same_while_nobody_calls() -> None:
    made = machine()
    first = row_of(made, 0.0, UNIX_OFFSET_S)
    assert row_of(made, 10_000.0, UNIX_OFFSET_S) == first
    fail(made, 10_000.0)
    opened = row_of(made, 10_000.0, UNIX_OFFSET_S)
    later = row_of(made, 10_001.7, UNIX_OFFSET_S)
    assert later == opened
    long_after = row_of(made, 20_000.0, UNIX_OFFSET_S)
    empty = {"calls": 0, "failures": 0, "failure_rate": 0.0, "latency_ms_mean": None}
    assert long_after == msgspec.structs.replace(opened, **empty), "the window has passed, and no more"


def test_a_half_open_one_with_its_places_taken_says_when_one_is_free() -> None:
    made = machine()
    fail(made, 0.0)
    assert made.admit(10.0) is not None
    row = row_of(made, 12.0, UNIX_OFFSET_S)
    assert row.state == "half_open"
    assert row.next_trial_at == rfc3339(10.0 + POLICY.trial_lease_s + UNIX_OFFSET_S)


def test_a_forced_one_has_no_next_trial_and_the_operators_reason() -> None:
    made = machine()
    made.force_open(1.0, "operator via admin API: upgrade")
    row = row_of(made, 2.0, UNIX_OFFSET_S)
    assert (row.state, row.next_trial_at) == ("force_open", None)
    assert row.reason == "operator via admin API: upgrade"


def test_figures_are_the_windows_and_none_where_there_are_none() -> None:
    made = machine()
    empty = point_of(made, 1.0, UNIX_OFFSET_S)
    assert (empty.calls, empty.calls_per_s, empty.latency_ms_p95, empty.health) == (0, 0.0, None, None)
    fail(made, 2.0, times=1)
    point = point_of(made, 4.0, UNIX_OFFSET_S)
    assert (point.at, point.state, point.calls, point.failures) == (
        "2025-09-05T18:55:11.000Z",
        "closed",
        1,
        1,
    )
    assert point.calls_per_s > 0.0
    assert point.latency_ms_p95 == pytest.approx(250.0, rel=0.05)


def test_a_transition_has_the_time_of_the_day_and_a_number_among_all() -> None:
    made = machine()
    fail(made, 3.5)
    row = transition_row(made.transitions[-1], 17, UNIX_OFFSET_S)
    told = msgspec.to_builtins(row)
    assert (told["number"], told["from"], told["to"], told["reason"]) == (17, "closed", "open", "tripped")
    assert told["at"] == "2025-09-05T18:55:10.500Z"
    assert told["evidence"]["text"] == made.evidence.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("source:litecoin-regtest:alice", ("source", "litecoin-regtest", "alice")),
        ("source:bitcoin:p2p:127.0.0.1:8333", ("source", "bitcoin", "p2p:127.0.0.1:8333")),
        ("store", ("store", None, None)),
        ("source:bitcoin", ("source", None, None)),
        ("webhook:a:b", ("webhook", None, None)),
        ("", ("", None, None)),
    ],
)
def test_a_name_says_what_is_guarded(name: str, said: tuple[str, str | None, str | None]) -> None:
    assert identity(name) == said


def test_one_that_never_opened_says_what_was_seen_and_not_that_nothing_was() -> None:
    made = Machine(
        "source:bitcoin:a", msgspec.structs.replace(POLICY, failures_to_open=9), now=0.0, rng=lambda: 0.5
    )
    assert row_of(made, 0.0, UNIX_OFFSET_S).reason == "closed since the start; no call in its window"
    fail(made, 1.0, 1)
    assert row_of(made, 1.0, UNIX_OFFSET_S).reason == "closed since the start; its one call failed"
    fail(made, 1.0, 1)
    assert row_of(made, 1.0, UNIX_OFFSET_S).reason == "closed since the start; 2 of the last 2 calls failed"
    assert row_of(made, 500.0, UNIX_OFFSET_S).reason == "closed since the start; no call in its window"


@pytest.mark.parametrize("trial_at", [1e300, 1e12])
def test_a_figure_that_cannot_be_told_is_told_so_in_the_row(trial_at: float) -> None:
    made = machine()
    fail(made, 1.0)
    made.trial_at = trial_at
    row = row_of(made, 2.0, UNIX_OFFSET_S)
    assert (row.name, row.state, row.since) == ("source:bitcoin:a", "open", "2025-09-05T18:55:08.000Z")
    assert row.reason.startswith("its figures can't be told: ")


@pytest.mark.parametrize("fails", [0, 2])
def test_a_policy_of_the_greatest_figures_has_a_row_that_can_be_told(fails: int) -> None:
    backoff = BackoffPolicy(base_s=SECONDS_MAX, longest_s=SECONDS_MAX, multiplier=FACTOR_MAX)
    policy = msgspec.structs.replace(POLICY, backoff=backoff, trial_lease_s=SECONDS_MAX)
    made = Machine(
        "a", msgspec.structs.replace(policy, half_open_longest_s=SECONDS_MAX), now=0.0, rng=lambda: 0.9
    )
    fail(made, 1.0, fails)
    for now in (2.0, SECONDS_MAX * 2):
        assert "can't be told" not in row_of(made, now, UNIX_OFFSET_S).reason
        assert point_of(made, now, UNIX_OFFSET_S).at


SECONDS = st.floats(0, SECONDS_MAX, exclude_min=True)
FIGURES = st.fixed_dictionaries(
    {},
    optional={
        "failures_to_open": st.integers(1, COUNT_MAX) | st.none(),
        "trial_lease_s": SECONDS,
        "half_open_longest_s": SECONDS,
        "backoff": st.fixed_dictionaries(
            {"base_s": SECONDS, "longest_s": SECONDS},
            optional={"multiplier": st.floats(1, FACTOR_MAX), "healthy_s_per_step": SECONDS},
        ),
        "window": st.fixed_dictionaries(
            {"kind": st.sampled_from(["time", "count"]), "span_s": st.floats(0.001, SECONDS_MAX)},
            optional={"slow_call_s": SECONDS, "buckets": st.integers(1, 10)},
        ),
    },
)


@given(FIGURES, st.lists(st.floats(0, SECONDS_MAX * 2), min_size=1, max_size=9))
def test_whatever_figures_are_taken_the_breaker_can_be_told_of(
    fields: dict[str, Any], waits: list[float]
) -> None:
    try:
        policy = policy_with(POLICY, fields)
    except ConfigError:
        return
    made = Machine("a", policy, now=0.0, rng=lambda: 0.999)
    now = 0.0
    for wait_s in waits:
        now += wait_s
        permit = made.admit(now)
        if permit is not None:
            made.settle(permit, "failure", 0.25, now)
        assert "can't be told" not in row_of(made, now, UNIX_OFFSET_S).reason
        assert point_of(made, now, UNIX_OFFSET_S).at
        made.evaluate(now)
