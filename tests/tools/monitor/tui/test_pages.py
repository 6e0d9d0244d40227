"""Pages beside the list, of boards and desks that lack what they might have."""

from __future__ import annotations

from typing import Any

from sprint.core.monitor.board import Board, RelaySeen
from sprint.tools.monitor.tui.pages import PARTS_MAX, alerts_content, log_content, relays_content
from tests.tools.monitor.fakes import NOW_UNIX_S, ago


class Desk:
    """A desk of some alerts."""

    def __init__(self, *alerts: dict[str, Any]) -> None:
        self._alerts = list(alerts)

    def view(self) -> dict[str, Any]:
        """Return them as `GET /api/alerts` does."""
        return {"alerts": self._alerts}


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


def test_alerts_are_told_with_time_level_and_text() -> None:
    alert = {"at": ago(3), "level": "critical", "relay": "north", "breaker": "store", "text": "it is open"}
    assert alerts_content(Desk(alert)).plain == "18:55:04 CRITICAL  north store  it is open\n"
    assert alerts_content(Desk({})).plain.strip().startswith("- ?")


def test_without_rules_or_alerts_the_page_says_which() -> None:
    assert "start with --alerts" in alerts_content(None).plain
    assert alerts_content(Desk()).plain == "no alert stands"
