"""A chain stalls without sources or without blocks, and says so once; it recovers once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.model import ChainStatusData
from sprint.core.relay.settings import ChainSettings
from sprint.core.relay.watch import Watchdog

GRACE_S = 10.0
ALARM_S = 60.0
SETTINGS = ChainSettings(sources_grace_s=GRACE_S, no_block_alarm_s=ALARM_S)
START = 1_000.0


def watched(settings: ChainSettings = SETTINGS) -> Watchdog:
    watchdog = Watchdog(settings, START)
    watchdog.sources_changed(1, START)
    return watchdog


def test_a_start_without_sources_is_a_stall_when_the_grace_is_over_and_not_before() -> None:
    watchdog = Watchdog(SETTINGS, START)
    assert watchdog.next_timer() == START + GRACE_S
    assert watchdog.check(START + GRACE_S - 0.001) is None
    assert watchdog.check(START + GRACE_S) == ChainStatusData("stalled", "no source is ready")
    assert watchdog.check(START + GRACE_S + 1) is None
    assert watchdog.next_timer() is None


def test_the_first_source_that_is_ready_again_recovers_it() -> None:
    watchdog = Watchdog(SETTINGS, START)
    watchdog.check(START + GRACE_S)
    watchdog.sources_changed(1, START + 12)
    status = watchdog.check(START + 12)
    # Nothing is said of the head: it need not have advanced.
    assert status == ChainStatusData("recovered", "what stalled it is over (no source is ready)")
    assert watchdog.check(START + 13) is None


def test_the_grace_counts_from_when_the_last_source_was_lost() -> None:
    watchdog = watched()
    watchdog.sources_changed(0, START + 5)
    watchdog.sources_changed(0, START + 9)
    assert watchdog.next_timer() == START + 5 + GRACE_S


def test_a_head_that_does_not_advance_is_a_stall_although_sources_are_ready() -> None:
    watchdog = watched()
    assert watchdog.check(START + ALARM_S - 0.001) is None
    status = watchdog.check(START + ALARM_S)
    assert status == ChainStatusData("stalled", "no new block for 60 s although sources are ready")
    watchdog.advanced(START + ALARM_S + 1)
    recovered = watchdog.check(START + ALARM_S + 1)
    assert recovered is not None
    assert recovered.status == "recovered"
    assert watchdog.next_timer() == START + 2 * ALARM_S + 1


def test_where_blocks_are_made_on_demand_their_absence_is_no_stall() -> None:
    watchdog = watched(ChainSettings(no_block_alarm_s=None))
    assert watchdog.next_timer() is None
    assert watchdog.check(START + 1e9) is None


# A difference of times may round to just under the bound although the timer's own sum is reached: the
# relay then found nothing due, set the same timer again, and spun.
@given(st.floats(0.0, 1e6), st.floats(0.001, 1e4), st.floats(0.001, 1e4))
def test_what_a_timer_was_set_for_is_due_at_that_very_time(
    start: float, grace_s: float, alarm_s: float
) -> None:
    settings = ChainSettings(sources_grace_s=grace_s, no_block_alarm_s=alarm_s)
    for ready in (0, 1):
        watchdog = Watchdog(settings, start)
        watchdog.sources_changed(ready, start)
        due = watchdog.next_timer()
        assert due is not None
        status = watchdog.check(due)
        assert status is not None
        assert status.status == "stalled"


def test_sources_that_are_there_and_serve_nothing_are_named_with_why() -> None:
    """With a ZMQ source alone, or one that still syncs, the reason read as if nobody were connected."""
    watchdog = Watchdog(SETTINGS, START)
    watchdog.sources_changed(0, START, syncing=["a", "b"], announcing=["z"])
    told = watchdog.check(START + GRACE_S)
    assert told is not None
    assert told.reason == ("no source is ready; still syncing: a, b; serve nothing, as they only announce: z")
