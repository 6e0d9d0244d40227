"""A transition is on its row at once, and none that is older than the row changes it."""

from __future__ import annotations

from sprint.core.monitor.board import Key
from sprint.core.monitor.early import early_delta
from tests.tools.monitor.fakes import NOW_UNIX_S, story_board, transition

CORE = Key("north", "source:bitcoin:core-2")


def test_a_transition_is_on_the_row_before_the_row_follows() -> None:
    board = story_board()
    told = transition(CORE.breaker, "closed", "open", "tripped", "3 failures in a row", number=9, ago_s=0.1)
    early = early_delta(board.rows[CORE], told)
    assert early is not None
    before = board.rows[CORE]
    board.told(CORE.relay, early, NOW_UNIX_S)
    after = board.rows[CORE]
    assert (after.state, after.since, after.reason) == ("open", told.at, "3 failures in a row")
    assert (after.calls, after.health) == (before.calls, before.health)


def test_one_that_is_older_than_the_row_or_known_or_in_shadow_changes_nothing() -> None:
    row = story_board().rows[CORE]
    assert (
        early_delta(row, transition(CORE.breaker, "closed", "open", "tripped", "", number=1, ago_s=7_200))
        is None
    )
    assert (
        early_delta(row, transition(CORE.breaker, "open", "closed", "reset", "", number=1, ago_s=0)) is None
    )
