"""Figures laid over a policy from the terminal: asked first, sent once, refused in the relay's words."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input

from sprint.core.errors import RequestError
from sprint.core.monitor.board import Key
from sprint.core.monitor.figures_form import figures
from sprint.tools.monitor.tui.app import MonitorApp
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import NARROW, WIDE, opened_terminal, pressed, screen_text, under_pilot

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


@under_pilot
async def test_nothing_typed_asks_for_nothing() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor, WIDE) as (app, pilot):
        await pressed(app, pilot, "e", "enter")
        assert "nothing differs from what holds now" in screen_text(app)
        assert monitor.laid_over == []
