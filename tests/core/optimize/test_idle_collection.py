"""Collections wait for an idle moment, but not for ever, and not while memory grows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize.idle_collection import (
    FULL_EVERY_S,
    FULL_EVERY_S_LEAST,
    FULL_WAIT_S_MAX,
    GROWTH_BYTES_MAX,
    LONG_ROUND_S,
    SHORT_ROUND_S,
    YOUNG_MAX,
    YOUNG_WHILE_IDLE_MIN,
    Measured,
    due,
    next_full_every_s,
)


def measured(
    busy_share: float = 0.0, young: int = 0, since_s: float = 0.0, grown: int = 0, *, over_limit: bool = False
) -> Measured:
    return Measured(
        busy_share=busy_share,
        young_objects=young,
        since_full_s=since_s,
        grown_bytes=grown,
        over_limit=over_limit,
    )


def test_a_full_one_waits_for_an_idle_moment_and_a_rest() -> None:
    assert due(measured(since_s=FULL_EVERY_S), automatic=True) == 2
    assert due(measured(since_s=FULL_EVERY_S - 0.1), automatic=True) is None
    assert due(measured(busy_share=0.9, since_s=FULL_EVERY_S), automatic=True) is None


def test_a_relay_that_is_never_idle_is_collected_in_the_end() -> None:
    assert due(measured(busy_share=1.0, since_s=FULL_WAIT_S_MAX), automatic=False) == 2
    assert due(measured(busy_share=1.0, since_s=2.0, grown=GROWTH_BYTES_MAX), automatic=False) == 2
    assert due(measured(busy_share=1.0, since_s=1.0, over_limit=True), automatic=False) == 2


def test_young_garbage_is_only_ours_where_the_collector_does_not_run_by_itself() -> None:
    assert due(measured(young=YOUNG_WHILE_IDLE_MIN + 1), automatic=True) is None
    assert due(measured(young=YOUNG_WHILE_IDLE_MIN + 1), automatic=False) == 1
    assert due(measured(busy_share=1.0, young=YOUNG_MAX), automatic=False) is None
    assert due(measured(busy_share=1.0, young=YOUNG_MAX + 1), automatic=False) == 1


def test_rounds_come_sooner_as_long_as_they_take_long_and_rarely_again_when_they_do_not() -> None:
    every_s = FULL_EVERY_S
    for _ in range(10):
        every_s = next_full_every_s(every_s, LONG_ROUND_S * 2)
    assert every_s == FULL_EVERY_S_LEAST
    assert next_full_every_s(every_s, (LONG_ROUND_S + SHORT_ROUND_S) / 2) == every_s
    for _ in range(10):
        every_s = next_full_every_s(every_s, SHORT_ROUND_S / 2)
    assert every_s == FULL_EVERY_S
    soon = Measured(
        busy_share=0.0, young_objects=0, since_full_s=1.0, grown_bytes=0, full_every_s=FULL_EVERY_S_LEAST
    )
    assert due(soon, automatic=True) == 2


@given(
    busy_share=st.floats(0, 1),
    young=st.integers(0, 10**6),
    grown=st.integers(0, 10**12),
    over_limit=st.booleans(),
)
def test_memory_that_no_collection_frees_is_not_collected_at_every_question(
    busy_share: float, young: int, grown: int, *, over_limit: bool
) -> None:
    asked = measured(busy_share, young, 0.5, grown, over_limit=over_limit)
    assert due(asked, automatic=True) != 2
