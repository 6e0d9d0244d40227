"""Pages beside the list, of boards and desks that lack what they might have."""

from __future__ import annotations

from typing import Any

import pytest

from sprint.core.monitor.board import Board, RelaySeen
from sprint.tools.monitor.tui import app as terminal
from sprint.tools.monitor.tui.headline import Headline
from sprint.tools.monitor.tui.opening import TerminalFailed, run_tui
from sprint.tools.monitor.tui.pages import PARTS_MAX, log_content, relays_content
from tests.tools.monitor.fakes import NOW_UNIX_S, FakeMonitor, ago, story_board
from tests.tools.monitor.tui.piloted import WIDE, opened_terminal, pressed, screen_text, under_pilot


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


@under_pilot
async def test_a_source_that_always_wins_has_no_lag_and_ended_the_monitor_when_relays_were_shown() -> None:
    async with opened_terminal(FakeMonitor(story_board()), WIDE) as (app, pilot):
        await pressed(app, pilot, "3")
        text = screen_text(app)
    assert "core-2               ready      closed        2931204      0      -   100" in text
    assert "core-1               ready      half open           -      0      -   100" in text
    assert "pruned: it has no blocks below 2,930,000" in text


@pytest.mark.parametrize("odd", [None, [1], {"a": 1}, "high", True, 7])
def test_nothing_that_another_process_says_of_a_source_or_its_health_keeps_the_page_from_being_drawn(
    odd: object,
) -> None:
    standing = dict.fromkeys(("height", "behind_blocks", "lag_ms", "score"), odd)
    source = {"name": odd, "state": odd, "standing": standing, "breaker": odd, "reason": odd, "notes": odd}
    health = {"status": "ok", "reasons": odd, "version": odd, "store": odd, "listeners": odd, "chains": odd}
    board = Board()
    board.connected(seen(health=health, sources={"bitcoin": [source]}))
    assert ("7      7      7     7" if odd == 7 else "-      -      -     -") in relays(board)


@under_pilot
async def test_a_page_that_cannot_be_drawn_says_so_in_a_line_and_the_other_pages_are_drawn_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise TypeError("unsupported format string")

    monkeypatch.setattr(terminal, "relays_content", mistaken)
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "3")
        assert "page relays can't be drawn: TypeError: unsupported format string" in screen_text(app)
        await pressed(app, pilot, "4")
        assert "can't be drawn" not in screen_text(app)
        assert "the trial call succeeded" in screen_text(app)


@under_pilot
async def test_a_terminal_that_ends_by_a_mistake_says_so_and_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(*_: object) -> None:
        raise TypeError("a mistake in the headline")

    monkeypatch.setattr(Headline, "tell", mistaken)
    with pytest.raises(TerminalFailed, match="so did all else that this monitor did: page, alerts"):
        await run_tui(FakeMonitor(story_board()), headless=True)
