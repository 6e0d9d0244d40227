"""The terminal under a pilot: what is open, why, since when and what next; keys, filters, pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from sprint.core.errors import RequestError
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.tools.monitor.tui.app import MonitorApp
from sprint.tools.monitor.tui.looks import DARK, LIGHT, Appearance
from tests.tools.monitor.fakes import FakeMonitor, ago, change, many, opened, row, story_board, transition
from tests.tools.monitor.tui.piloted import (
    WIDE,
    opened_terminal,
    pressed,
    screen_lines,
    screen_text,
    settled,
    under_pilot,
)

ALICE = Key("north", "source:litecoin-regtest:alice")


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


COPY_KEYS = {"ctrl+c", "super+c", "ctrl+shift+c", "ctrl+insert"}


@under_pilot
async def test_the_first_lines_say_which_is_open_why_since_when_and_what_comes_next() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, _):
        what, why, then, also = screen_lines(app)[1:5]
        assert "OPEN" in what
        assert "litecoin-regtest:alice on north" in what
        assert "since 18:54:53 UTC (14 s)" in what
        assert "3 failures in a row: Connection refused" in why
        assert "a trial call in 6 s" in then
        assert "3 more are not well" in also
        assert "OPEN" in screen_lines(app)[6], "the worst stands first in the list"
        footer = screen_lines(app)[-1]
        for order in ("f Force open", "c Force closed", "l Release", "r Reset", "? Help", "q Quit"):
            assert order in footer, "all orders fit into 80 columns"


@under_pilot
async def test_the_detail_of_a_forced_breaker_says_who_forced_it_and_why() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "j", "enter")
        assert any("why  operator via admin API: its disk is replaced" in line for line in screen_lines(app))


@under_pilot
async def test_a_change_of_the_board_is_on_the_screen_without_a_key() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        change(monitor.board, ALICE, state="closed", reason="the trial call succeeded", next_trial_at=None)
        await settled(app, pilot)
        assert "FORCED OPEN" in screen_lines(app)[1]
        assert not any("○ OPEN" in line for line in screen_lines(app))


@under_pilot
async def test_a_transition_is_on_the_screen_before_its_row_follows() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        told = transition("store", "closed", "open", "tripped", "the disk is full", number=9, ago_s=0.1)
        monitor.happen("south", told)
        await settled(app, pilot)
        assert any("○ OPEN" in line and "south/store" in line for line in screen_lines(app))


@under_pilot
async def test_all_closed_is_said_in_one_sentence() -> None:
    board = many(0)
    board.rows[Key("main", "store")] = row("store")
    board.version += 1
    async with opened_terminal(FakeMonitor(board)) as (app, _):
        assert "the one breaker is closed" in screen_lines(app)[1]


@under_pilot
async def test_an_empty_board_says_what_it_waits_for() -> None:
    board = Board()
    board.connected(
        RelaySeen(name="main", url="http://127.0.0.1:8081", connection="connecting", since=ago(1))
    )
    async with opened_terminal(FakeMonitor(board)) as (app, _):
        assert "waiting for what a relay says from http://127.0.0.1:8081" in screen_text(app)


@under_pilot
async def test_a_relay_that_is_lost_is_said_first_and_its_rows_are_marked() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        lost = RelaySeen(
            name="south", url="http://x", connection="lost", since=ago(12), reason="Connection refused"
        )
        monitor.board.connected(lost)
        await settled(app, pilot)
        assert "relay south is not heard for 12 s: Connection refused" in screen_lines(app)[1]
        assert sum(line.rstrip().endswith("lost") for line in screen_lines(app)) == 3
        assert "3 not heard" in screen_text(app)


@under_pilot
async def test_a_demo_and_read_only_are_said_on_the_screen() -> None:
    async with opened_terminal(FakeMonitor(story_board(), demo=True, read_only=True)) as (app, _):
        assert screen_lines(app)[0].lstrip().startswith("DEMO  READ-ONLY")


@under_pilot
async def test_a_filter_leaves_what_it_means_and_escape_takes_it_away() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "slash", *"store")
        assert len(app.table.order) == 2
        await pressed(app, pilot, "enter")
        assert app.focused is app.table
        assert "/store" in screen_lines(app)[0]
        await pressed(app, pilot, "escape")
        assert len(app.table.order) == 8


@under_pilot
async def test_a_filter_that_cannot_be_says_so_and_keeps_the_list() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "slash", *"state:opened")
        assert "want one of open, closed" in screen_text(app)
        assert app.query_one("#filter", Input).value == "state:opened"


@under_pilot
async def test_letters_typed_into_the_filter_are_no_keys() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "slash", *"qfrs1")
        assert app.is_running
        assert app.query_one("#filter", Input).value == "qfrs1"


@under_pilot
async def test_sorting_goes_through_the_columns_and_turns_round() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "s")
        assert app.table.order[0].breaker == "source:bitcoin:core-1"
        assert "by name" in screen_lines(app)[0]
        first = app.table.order[0]
        await pressed(app, pilot, "S")
        assert app.table.order[-1] == first


@under_pilot
async def test_the_cursor_stays_with_its_breaker_while_others_pass_it() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "j", "j")
        chosen = app.table.chosen
        change(monitor.board, Key("north", "store"), state="open", reason="the disk is full")
        await settled(app, pilot)
        assert app.table.chosen == chosen
        assert app.table.cursor == 3


@under_pilot
async def test_the_cursor_stays_on_the_worst_until_it_is_moved() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        change(monitor.board, ALICE, state="closed", reason="well")
        await settled(app, pilot)
        assert app.table.cursor == 0
        assert app.table.chosen != ALICE


@under_pilot
async def test_a_breaker_that_is_gone_leaves_the_cursor_in_the_list() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "G")
        monitor.board.removed("south")
        await settled(app, pilot)
        assert app.table.chosen in monitor.board.rows
        monitor.board.removed("north")
        await settled(app, pilot)
        assert not app.table.order
        await pressed(app, pilot, "f", "enter", "y", "j")
        assert monitor.orders == []


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
@under_pilot
async def test_enter_shows_evidence_window_transitions_and_policy(size: tuple[int, int]) -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor, size) as (app, pilot):
        await pressed(app, pilot, "enter")
        seen = [screen_text(app)]
        for _ in range(8):
            await pressed(app, pilot, "pagedown")
            seen.append(screen_text(app))
        everything = "\n".join(seen)
        for part in ("Window", "Algorithms", "adaptive", "3 failures in a row", "Transitions", "Policy"):
            assert part in everything
        await pressed(app, pilot, "escape")
        assert app.focused is app.table
        assert ALICE in monitor.details_asked


@under_pilot
async def test_a_relay_that_does_not_answer_leaves_what_the_board_has_and_says_why() -> None:
    monitor = FakeMonitor(story_board())
    monitor.refuses = RequestError("relay_lost", "relay north can't be reached: Connection refused")
    async with opened_terminal(monitor, WIDE) as (app, _):
        assert "relay north can't be reached" in screen_text(app)
        assert "Window" in screen_text(app)


@under_pilot
async def test_pages_show_relays_with_sources_and_what_happened() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "3")
        for part in ("http://127.0.0.1:8081", "degraded", "litecoin-regtest", "waiting", "half open"):
            assert part in screen_text(app)
        await pressed(app, pilot, "4")
        assert "north/source:litecoin-regtest:alice  closed → ○ OPEN" in screen_text(app)
        await pressed(app, pilot, "2")
        assert "alerts" in screen_text(app)
        await pressed(app, pilot, "escape")
        assert app.focused is app.table


@under_pilot
async def test_what_is_held_still_changes_only_when_it_is_let_go() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "space")
        before = screen_lines(app)[1]
        change(monitor.board, ALICE, state="closed", reason="well")
        await pilot.pause(0.2)
        assert screen_lines(app)[1] == before
        assert "HELD" in screen_lines(app)[0]
        await pressed(app, pilot, "space")
        assert screen_lines(app)[1] != before


@under_pilot
async def test_the_help_has_every_key_and_every_state() -> None:
    async with opened_terminal(FakeMonitor(story_board()), (100, 60)) as (app, pilot):
        await pressed(app, pilot, "question_mark")
        text = screen_text(app)
        for part in ("force the breaker open", "FORCED OPEN", "half open", "state:open", "quit"):
            assert part in text
        await pressed(app, pilot, "escape")
        assert "force the breaker open" not in screen_text(app)


@under_pilot
async def test_the_palette_goes_to_a_breaker_whatever_the_filter() -> None:
    monitor = FakeMonitor(many(200))
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "slash", *"nowhere", "enter")
        assert app.table.order == []
        wanted = Key("main", "source:chain-3:node-0150")
        app.go_to(wanted)
        await settled(app, pilot)
        assert app.table.chosen == wanted
        assert any(line.startswith("▸") and "node-0150" in line for line in screen_lines(app))


@under_pilot
async def test_a_picture_of_the_screen_is_saved_and_a_folder_that_takes_none_is_said(tmp_path: Path) -> None:
    async with opened_terminal(FakeMonitor(story_board()), appearance=Appearance(pictures=tmp_path)) as (
        app,
        pilot,
    ):
        await pressed(app, pilot, "p", "p")
        pictures = names_in(tmp_path)
        assert pictures == ["cb-monitor-20250905T185507Z-1.svg", "cb-monitor-20250905T185507Z.svg"]
        assert "alice" in (tmp_path / pictures[0]).read_text()
    missing = Appearance(pictures=tmp_path / "missing")
    async with opened_terminal(FakeMonitor(story_board()), appearance=missing) as (app, pilot):
        await pressed(app, pilot, "p")
        assert "no picture was saved" in screen_text(app)


@under_pilot
async def test_light_and_dark_change_by_a_key() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        assert app.theme == DARK
        await pressed(app, pilot, "t")
        assert app.theme == LIGHT


@under_pilot
async def test_q_ends_it() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running


def test_nothing_is_bound_over_copy() -> None:
    keys = {key for binding in MonitorApp.BINDINGS for key in str(binding.key).split(",")}  # type: ignore[union-attr]
    assert not keys & COPY_KEYS


@pytest.mark.parametrize("size", [(20, 6), (40, 10), (300, 90)])
@under_pilot
async def test_a_terminal_of_any_size_is_drawn(size: tuple[int, int]) -> None:
    board = story_board()
    board.rows[Key("north", "long")] = opened("source:" + "very-long-" * 30)
    async with opened_terminal(FakeMonitor(board), size) as (app, pilot):
        await pressed(app, pilot, "G", "enter", "pagedown", "escape", "3", "4", "1")
        assert any(line.strip() for line in screen_lines(app))


@under_pilot
async def test_a_look_that_comes_after_the_page_was_taken_down_draws_nothing() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, _):
        pass
    draws = app.draws
    app.monitor.board.version += 1
    app._drawn_second = -1
    app._look()
    assert app.draws == draws
