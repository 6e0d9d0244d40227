"""Collections wait for an idle moment, but not for ever, and not while memory grows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize.idle_collection import (
    FREEZE_MIN,
    FROZEN_MIN,
    FROZEN_SHARE,
    FULL_EVERY_S,
    FULL_WAIT_S_MAX,
    GROWN_MAX,
    GROWN_SHARE,
    GROWN_WHILE_IDLE_MIN,
    GROWTH_BYTES_MAX,
    OVER_LIMIT_EVERY_S,
    WHOLE_BUSY,
    WHOLE_EVERY_S,
    WHOLE_GROWTH_BYTES,
    YOUNG_MAX,
    YOUNG_WHILE_IDLE_MIN,
    Measured,
    Round,
    due,
    due_over_limit,
    freezes,
)

IDLE = Measured(busy_share=0.0)
BUSY = Measured(busy_share=1.0)


def after(measured: Measured, *, automatic: bool = False, **changes: Any) -> Round | None:
    return due(msgspec.structs.replace(measured, **changes), automatic=automatic)


def test_a_full_round_waits_for_an_idle_moment_and_a_rest() -> None:
    assert after(IDLE, since_full_s=FULL_EVERY_S) == "full"
    assert after(IDLE, since_full_s=FULL_EVERY_S - 0.1) is None
    assert after(BUSY, since_full_s=FULL_EVERY_S) is None


def test_a_full_round_comes_before_much_has_gathered_that_would_make_it_long() -> None:
    """At turbo all that outlived a young round waited for ten seconds, and then for a round of 200 ms."""
    assert after(IDLE, grown_objects=GROWN_WHILE_IDLE_MIN) == "full"
    assert after(IDLE, grown_objects=GROWN_WHILE_IDLE_MIN - 1) is None
    assert after(BUSY, grown_objects=GROWN_MAX - 1) is None
    assert after(BUSY, grown_objects=GROWN_MAX) == "full"


def test_a_heap_that_stays_is_not_gone_through_for_a_little_growth() -> None:
    """Full rounds of 300 ms came every half second over a million objects, as each had taken long."""
    alive = 1_000_000
    assert after(IDLE, alive_objects=alive, grown_objects=int(alive * GROWN_SHARE) - 1) is None
    assert after(BUSY, alive_objects=alive, grown_objects=int(alive * GROWN_SHARE)) == "full"


@pytest.mark.parametrize("changes", [
    {"since_full_s": FULL_WAIT_S_MAX},
    {"since_full_s": 2.0, "grown_bytes": GROWTH_BYTES_MAX},
    {"since_full_s": OVER_LIMIT_EVERY_S, "over_limit": True},
])  # fmt: skip
def test_a_relay_that_is_never_idle_is_collected_in_the_end(changes: dict[str, Any]) -> None:
    assert after(BUSY, **changes) == "full"


def test_young_garbage_is_only_ours_where_the_collector_does_not_run_by_itself() -> None:
    assert after(IDLE, automatic=True, young_objects=YOUNG_MAX + 1) is None
    assert after(IDLE, young_objects=YOUNG_WHILE_IDLE_MIN + 1) == "young"
    assert after(BUSY, young_objects=YOUNG_MAX) is None
    assert after(BUSY, young_objects=YOUNG_MAX + 1) == "young"


def test_only_what_is_much_is_frozen() -> None:
    assert [freezes(FREEZE_MIN - 1), freezes(FREEZE_MIN)] == [False, True]


def test_what_was_frozen_is_looked_at_after_ten_minutes_while_idle_and_after_twenty_in_any_case() -> None:
    frozen: dict[str, Any] = {"frozen_objects": FREEZE_MIN}
    assert after(IDLE, since_whole_s=WHOLE_EVERY_S, **frozen) == "whole"
    assert after(IDLE, since_whole_s=WHOLE_EVERY_S - 1, **frozen) is None
    assert after(BUSY, since_whole_s=WHOLE_BUSY * WHOLE_EVERY_S - 1, **frozen) is None
    assert after(BUSY, since_whole_s=WHOLE_BUSY * WHOLE_EVERY_S, **frozen) == "whole"


def test_memory_that_grew_since_the_last_whole_round_is_looked_for_in_what_is_frozen() -> None:
    grown: dict[str, Any] = {"frozen_objects": 1, "whole_grown_bytes": WHOLE_GROWTH_BYTES}
    assert after(IDLE, **grown) == "whole"
    assert after(BUSY, **grown) is None
    assert after(BUSY, frozen_objects=1, whole_grown_bytes=2 * WHOLE_GROWTH_BYTES) == "whole"
    assert after(IDLE, whole_grown_bytes=WHOLE_GROWTH_BYTES) is None, "nothing was frozen since"


@pytest.mark.parametrize(("whole", "most"), [(0, FROZEN_MIN), (10**7, int(FROZEN_SHARE * 10**7))])
def test_no_more_is_frozen_than_a_share_of_what_was_alive(whole: int, most: int) -> None:
    assert after(IDLE, whole_objects=whole, frozen_objects=most - 1) is None
    assert after(IDLE, whole_objects=whole, frozen_objects=most) == "whole"
    assert after(BUSY, whole_objects=whole, frozen_objects=2 * most - 1) is None
    assert after(BUSY, whole_objects=whole, frozen_objects=2 * most) == "whole"


def test_what_the_start_has_frozen_is_left_alone() -> None:
    assert after(IDLE, since_whole_s=100 * WHOLE_EVERY_S, whole_objects=10**6) is None


def test_over_its_limit_memory_is_looked_for_in_what_is_frozen_too() -> None:
    over: dict[str, Any] = {"over_limit": True, "frozen_objects": 1, "since_whole_s": OVER_LIMIT_EVERY_S}
    assert after(BUSY, **over) == "whole"


def test_where_only_memory_is_watched_only_the_limit_counts() -> None:
    """A memory limit had no effect below enterprise: nothing asked for it."""
    late = Measured(busy_share=0.0, since_full_s=10 * FULL_WAIT_S_MAX, young_objects=10 * YOUNG_MAX)
    assert due_over_limit(late) is None
    assert due_over_limit(msgspec.structs.replace(late, over_limit=True)) == "full"
    assert due_over_limit(msgspec.structs.replace(BUSY, over_limit=True)) is None


@given(
    busy_share=st.floats(0, 1),
    young=st.integers(0, 10**6),
    grown=st.integers(0, 10**12),
    over_limit=st.booleans(),
)
def test_memory_that_no_round_frees_is_not_gone_through_at_every_question(
    busy_share: float, young: int, grown: int, *, over_limit: bool
) -> None:
    asked = Measured(
        busy_share=busy_share, young_objects=young, grown_bytes=grown, over_limit=over_limit,
        since_full_s=0.5, whole_objects=10**6, since_whole_s=0.5, frozen_objects=FREEZE_MIN,
    )  # fmt: skip
    assert due(asked, automatic=True) is None
