"""An operator's words from the terminal: asked first, with a reason, sent once, refusals shown."""

from __future__ import annotations

import pytest

from sprint.core.errors import RequestError
from sprint.core.monitor.board import Key
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import (
    opened_terminal,
    pressed,
    screen_lines,
    screen_text,
    typed_at_once,
    under_pilot,
)

ALICE = Key("north", "source:litecoin-regtest:alice")


@pytest.mark.parametrize(
    ("key", "action"), [("f", "force_open"), ("c", "force_close"), ("l", "release"), ("r", "reset")]
)
@under_pilot
async def test_an_order_is_asked_first_and_sent_once_with_its_reason(key: str, action: str) -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, key)
        assert ALICE.breaker in screen_text(app)
        assert monitor.orders == []
        await pressed(app, pilot, *"new disk", "enter")
        assert monitor.orders == [(ALICE, action, "new disk")]


@under_pilot
async def test_escape_and_cancel_send_nothing() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "f", "escape")
        await pressed(app, pilot, "f")
        await pilot.click("#no")
        await pressed(app, pilot)
        assert monitor.orders == []
        assert app.screen is app.screen_stack[0]


@under_pilot
async def test_the_button_gives_the_order() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "r")
        await pilot.click("#yes")
        await pressed(app, pilot)
        assert monitor.orders == [(ALICE, "reset", "")]


@under_pilot
async def test_a_forced_breaker_is_seen_as_forced_at_once() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "f", *"disk", "enter")
        assert any("⊘ FORCED OPEN" in line and "alice" in line for line in screen_lines(app))


@under_pilot
async def test_the_question_is_of_the_breaker_that_was_chosen_when_it_was_asked() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "f")
        monitor.board.removed("north")
        await pressed(app, pilot)
        assert ALICE.breaker in screen_text(app)


@under_pilot
async def test_holding_the_store_open_says_what_it_stops() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        assert app.table.go_to(Key("north", "store"))
        await pressed(app, pilot, "f")
        assert "This stops the whole relay: nothing is logged or delivered." in screen_text(app)


@under_pilot
async def test_read_only_asks_nothing_and_sends_nothing() -> None:
    monitor = FakeMonitor(story_board(), read_only=True)
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "f", "enter", "r", "enter")
        assert monitor.orders == []
        assert "--read-only" in screen_text(app)


@under_pilot
async def test_a_refusal_is_shown_in_the_relays_words() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        monitor.refuses = RequestError("unknown_breaker", "no breaker 'alice'; did you mean [bold]bob[/]?")
        await pressed(app, pilot, "f", "enter")
        assert "[bold]bob[/]?" in "".join(screen_text(app).split())
        assert app.is_running


@under_pilot
async def test_a_reason_typed_right_behind_the_key_of_an_order_went_to_the_list_as_commands() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "fsdisk qcl")
        assert app.picture.sorted_by == "worst"
        await pressed(app, pilot, "enter")
        assert monitor.orders == [(ALICE, "force_open", "sdisk qcl")]


@under_pilot
async def test_a_filter_typed_right_behind_its_key_is_the_filter_and_holds_no_breaker_open() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "/fail>5")
        assert app.picture.query.text == "fail>5"
        assert app.screen is app.screen_stack[0]


@under_pilot
async def test_keys_typed_behind_the_one_for_figures_are_no_commands() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await typed_at_once(app, pilot, "essq")
        assert app.is_running
        assert app.picture.sorted_by == "worst"
        await pressed(app, pilot, "escape")
        assert app.screen is app.screen_stack[0]
