"""Figures laid over a policy from the terminal: asked first, sent once, refused in the relay's words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from sprint.core.errors import RequestError
from sprint.core.monitor.board import Key
from sprint.core.monitor.figures_form import figures
from sprint.tools.monitor.tui.app import MonitorApp
from sprint.tools.monitor.tui.figures_dialog import AskingScreen, FiguresDialog, LayOverQuestion
from sprint.tools.monitor.tui.typed_ahead import TYPED_AHEAD_MAX
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import (
    NARROW,
    WIDE,
    opened_terminal,
    pressed,
    screen_text,
    settled,
    typed_at_once,
    under_pilot,
)

CHANGE_S_MAX = 10.0
ALICE = Key("north", "source:litecoin-regtest:alice")


class LaidMonitor(FakeMonitor):
    """A monitor whose breakers have something laid over already."""

    async def detail(self, key: Key) -> dict[str, Any]:
        """Answer as the relay does."""
        laid = {"fields": {"failures_to_open": 3, "shadow": False}, "at": "2025-09-05T18:55:07.000Z"}
        return {**await super().detail(key), "laid_over": laid}


def field(app: MonitorApp, name: str) -> Input:
    return next(each for each in app.screen.query(Input) if each.name == name)


def notices(app: MonitorApp) -> list[str]:
    return [each.message for each in app._notifications]


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
@under_pilot
async def test_changes_are_shown_and_laid_over_only_when_they_were_confirmed(size: tuple[int, int]) -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor, size) as (app, pilot):
        await pressed(app, pilot, "e")
        before = field(app, "failures_to_open").value
        field(app, "failures_to_open").value = "7"
        field(app, "backoff.base_s").value = "2.5"
        await pressed(app, pilot, "enter")
        assert f"failures_to_open: {before} -> 7" in screen_text(app)
        assert monitor.laid_over == []
        await pressed(app, pilot, "escape")
        assert field(app, "failures_to_open").value == "7", "what was typed is still there"
        await pressed(app, pilot, "enter", "enter")
        assert monitor.laid_over == [(ALICE, {"failures_to_open": 7, "backoff": {"base_s": 2.5}})]
        assert notices(app) == [f"figures of {ALICE.breaker} are laid over"]


@under_pilot
async def test_every_figure_has_a_field_that_can_be_reached_and_says_what_it_wants() -> None:
    async with opened_terminal(FakeMonitor(story_board())) as (app, pilot):
        await pressed(app, pilot, "e")
        names = [each.name for each in app.screen.query("#fields Input").results(Input)]
        assert names == [figure.name for figure in figures()]
        assert "a whole number 1 to" in screen_text(app)
        await pressed(app, pilot, *["down"] * (len(names) - 1))
        assert "prediction.opens_from" in screen_text(app)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
@under_pilot
async def test_arrows_moved_the_list_of_figures_and_not_from_field_to_field(size: tuple[int, int]) -> None:
    async with opened_terminal(FakeMonitor(story_board()), size) as (app, pilot):
        await pressed(app, pilot, "e", "down")
        assert field(app, "failure_rate_max").has_focus
        await pressed(app, pilot, "up")
        assert field(app, "failures_to_open").has_focus


@under_pilot
async def test_all_that_is_laid_over_is_taken_back_at_once() -> None:
    monitor = LaidMonitor(story_board())
    async with opened_terminal(monitor, WIDE) as (app, pilot):
        await pressed(app, pilot, "e")
        assert "laid over, empty: as configured" in screen_text(app)
        await pressed(app, pilot, "f8")
        assert "is taken back" in screen_text(app)
        await pressed(app, pilot, "enter")
        assert monitor.laid_over == [(ALICE, {})]
        assert notices(app)[-1].endswith("are as the config has them again")


@under_pilot
async def test_what_cannot_be_is_refused_at_once_and_what_the_relay_refuses_in_its_words() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor, WIDE) as (app, pilot):
        await pressed(app, pilot, "e")
        field(app, "half_open_calls").value = "0"
        await pressed(app, pilot, "enter")
        assert "half_open_calls: '0'; want a whole number 1 to 1,000" in screen_text(app)
        field(app, "half_open_calls").value = "2"
        monitor.refuses = RequestError("bad_query", "half_open_calls = 2; want 1: a source makes one call")
        await pressed(app, pilot, "enter", "enter")
        assert "half_open_calls = 2; want 1: a source makes one call" in screen_text(app)
        assert field(app, "half_open_calls").value == "2"
        assert field(app, "half_open_calls").has_focus
        await pressed(app, pilot, "escape")
        assert monitor.laid_over == []


@under_pilot
async def test_read_only_shows_no_form_and_a_relay_that_is_lost_says_so() -> None:
    monitor = FakeMonitor(story_board(), read_only=True)
    async with opened_terminal(monitor, WIDE) as (app, pilot):
        await pressed(app, pilot, "e")
        assert "--read-only" in screen_text(app)
        assert app.screen is app.screen_stack[0]
    lost = FakeMonitor(story_board())
    async with opened_terminal(lost, WIDE) as (app, pilot):
        lost.refuses = RequestError("relay_lost", "nobody answers there")
        await pressed(app, pilot, "e")
        assert notices(app)[-1].endswith("was refused: nobody answers there")


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Wait for what follows from more messages than a pause lets pass."""
    async with asyncio.timeout(CHANGE_S_MAX):
        while not condition():
            await pilot.pause()


class SlowMonitor(FakeMonitor):
    """A monitor whose relay answers, and takes figures, when it is let.

    For 80 columns: where the detail is beside the list, that is asked for as well.
    """

    def __init__(self) -> None:
        super().__init__(story_board())
        self.let_answer, self.let_lay_over = asyncio.Event(), asyncio.Event()
        self.laying_over = asyncio.Event()

    async def detail(self, key: Key) -> dict[str, Any]:
        """Answer late."""
        await self.let_answer.wait()
        return await super().detail(key)

    async def lay_over(self, key: Key, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Take them late."""
        self.laying_over.set()
        await self.let_lay_over.wait()
        return await super().lay_over(key, fields)


@under_pilot
async def test_keys_typed_while_a_breakers_figures_were_asked_for_were_lost() -> None:
    monitor = SlowMonitor()
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "e")
        assert "asking relay north" in screen_text(app)
        before = len(screen_text(app))
        app.post_message(events.Key("backspace", None))
        app.post_message(events.Key("7", "7"))
        app.post_message(events.Key("enter", "\r"))
        await settled(app, pilot)
        assert monitor.laid_over == []
        assert len(screen_text(app)) == before, "nothing of it is on the screen yet"
        monitor.let_answer.set()
        await until(pilot, lambda: isinstance(app.screen, LayOverQuestion))
        assert "failures_to_open: 3 -> 7" in screen_text(app)


@under_pilot
async def test_keys_typed_ahead_did_not_wait_for_each_other_and_a_figure_went_into_the_field_before() -> None:
    monitor = SlowMonitor()
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "e")
        for key in ("down", "backspace", "9", "up", "backspace", "8"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settled(app, pilot)
        monitor.let_answer.set()
        await until(pilot, lambda: isinstance(app.screen, FiguresDialog) and not app._ahead.keeps)
        assert field(app, "failures_to_open").value == "8"
        assert field(app, "failure_rate_max").value == "0.9"


@under_pilot
async def test_what_is_pasted_while_a_relay_is_asked_is_in_the_form() -> None:
    monitor = SlowMonitor()
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "e")
        app.post_message(events.Paste("45"))
        await settled(app, pilot)
        monitor.let_answer.set()
        await until(pilot, lambda: isinstance(app.screen, FiguresDialog))
        await until(pilot, lambda: field(app, "failures_to_open").value == "345")


@under_pilot
async def test_escape_while_a_relay_is_asked_leaves_it_and_forgets_what_was_typed() -> None:
    monitor = SlowMonitor()
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "e7")
        await pressed(app, pilot, "escape")
        assert app.screen is app.screen_stack[0]
        monitor.let_answer.set()
        await settled(app, pilot)
        assert app.screen is app.screen_stack[0]
        assert app.is_running


@under_pilot
async def test_what_is_typed_while_figures_are_laid_over_is_for_the_page_that_comes_back() -> None:
    monitor = SlowMonitor()
    monitor.let_answer.set()
    async with opened_terminal(monitor) as (app, pilot):
        await pressed(app, pilot, "e")
        field(app, "failures_to_open").value = "7"
        await pressed(app, pilot, "enter")
        app.post_message(events.Key("enter", None))
        await monitor.laying_over.wait()
        await typed_at_once(app, pilot, "3")
        monitor.let_lay_over.set()
        await until(pilot, lambda: app.page == "relays")
        assert monitor.laid_over == [(ALICE, {"failures_to_open": 7})]


@under_pilot
async def test_a_relay_that_refuses_leaves_nothing_of_what_was_typed_for_its_form() -> None:
    monitor = SlowMonitor()
    monitor.refuses = RequestError("relay_lost", "nobody answers there")
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "e3")
        monitor.let_answer.set()
        await until(pilot, lambda: app.screen is app.screen_stack[0])
        await settled(app, pilot)
        assert app.page == "breakers"
        assert notices(app)[-1].endswith("was refused: nobody answers there")


@under_pilot
async def test_more_than_an_operator_types_ahead_is_not_kept() -> None:
    monitor = SlowMonitor()
    async with opened_terminal(monitor) as (app, pilot):
        await typed_at_once(app, pilot, "e" + "1" * (TYPED_AHEAD_MAX + 1))
        assert isinstance(app.screen, AskingScreen)
        assert len(app._ahead) == TYPED_AHEAD_MAX


@under_pilot
async def test_nothing_typed_asks_for_nothing() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor, WIDE) as (app, pilot):
        await pressed(app, pilot, "e", "enter")
        assert "nothing differs from what holds now" in screen_text(app)
        assert monitor.laid_over == []
