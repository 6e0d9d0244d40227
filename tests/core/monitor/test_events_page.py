"""What happened, a page at a time: all of it once, the newest first, whatever happens between two pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.outcomes import Evidence
from sprint.core.errors import RequestError
from sprint.core.monitor.board import Board, Happened
from sprint.core.monitor.events_page import events_page
from sprint.core.monitor.happened import RECENT_MAX
from sprint.core.monitor.rows import TransitionRow, rfc3339


def transition(number: int, at_s: int) -> TransitionRow:
    return TransitionRow(
        number=number, breaker="store", from_state="closed", to_state="open", reason="tripped",
        at=rfc3339(at_s), evidence=Evidence(detector="machine", text="a test"), shadow=False,
    )  # fmt: skip


def board_of(times_s: list[int], relays: tuple[str, ...] = ("north", "south")) -> Board:
    """Return a board on which each relay made a transition at each of these times."""
    board = Board()
    for number, at_s in enumerate(sorted(times_s)):
        for relay in relays:
            board.happened(relay, transition(number, at_s))
    return board


def all_pages(board: Board, limit: int) -> list[Happened]:
    found: list[Happened] = []
    before = ""
    for _ in range(2 * RECENT_MAX):
        page = events_page(board.recent, before, limit)
        found += page.events
        if page.next is None:
            return found
        before = page.next
    raise AssertionError("there is no end of pages")


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 9))
def test_the_pages_together_are_all_that_happened_once_the_newest_first(times: list[int], limit: int) -> None:
    board = board_of(times)
    assert all_pages(board, limit) == list(reversed(board.recent))


@given(st.lists(st.integers(0, 30), min_size=8, max_size=40, unique=True), st.integers(1, 7))
def test_events_that_come_between_two_pages_move_nothing(times: list[int], limit: int) -> None:
    board = board_of(times)
    before = list(reversed(board.recent))
    first = events_page(board.recent, "", limit)
    board.happened("north", transition(99, 50))
    assert first.next is not None
    second = events_page(board.recent, first.next, limit)
    assert first.events + second.events == before[: 2 * limit]


def test_a_page_whose_first_event_is_forgotten_begins_with_the_next_that_is_kept() -> None:
    board = board_of(list(range(10)), ("north",))
    page = events_page(board.recent, "", 3)
    assert page.next is not None
    newest = list(board.recent)[-2:]
    assert events_page(newest, page.next, 3) == ([], None)


@pytest.mark.parametrize("cursor", ["x", "~", "2025~x~north", "2025~-1~north", "2025~1", "y" * 999])
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(RequestError, match="want the `next` of the page before it"):
        events_page(board_of([1]).recent, cursor, 5)
