"""Pages beside the list, of boards and desks that lack what they might have."""

from __future__ import annotations

from typing import Any

from sprint.core.monitor.board import Board, RelaySeen
from sprint.tools.monitor.tui.pages import PARTS_MAX, log_content, relays_content
from tests.tools.monitor.fakes import NOW_UNIX_S, ago


def seen(**fields: Any) -> RelaySeen:
    return RelaySeen(name="north", url="http://127.0.0.1:8081", connection="live", since=ago(5), **fields)


def relays(board: Board) -> str:
    return relays_content(board, NOW_UNIX_S, ascii_only=True).plain


def test_a_board_without_relays_or_transitions_says_so() -> None:
    assert relays(Board()) == "no relay is followed"
    assert log_content(Board(), ascii_only=True).plain == "nothing has happened since this was opened"


def test_a_relay_of_another_version_is_shown_with_what_it_says() -> None:
    board = Board()
    board.connected(
        seen(health={"status": 3, "chains": [], "listeners": "none"}, sources={"bitcoin": [{}, {"name": 7}]})
    )
    assert "[live] live  north" in relays(board)
    assert "bitcoin" in relays(board)


def test_a_relay_with_thousands_of_sources_is_cut_and_says_so() -> None:
    board = Board()
    board.connected(seen(sources={"bitcoin": [{"name": f"node-{at}"} for at in range(PARTS_MAX)]}))
    assert relays(board).endswith("... more than a page holds")
