"""What is drawn anew, and what is left as it is: a terminal over SSH, and a core, are paid by the line."""

from __future__ import annotations

from unittest import mock

import pytest
from textual.geometry import Region
from textual.widget import Widget

from sprint.core.monitor.board import Key
from sprint.tools import runtime
from sprint.tools.monitor.tui.detail import SECTIONS, Known, sections_due
from sprint.tools.monitor.tui.quiet_text import SHRINKS_AFTER_S
from tests.tools.monitor.fakes import FakeMonitor, change, row, story_board
from tests.tools.monitor.tui.piloted import NARROW, WIDE, opened_terminal, screen_lines, settled, under_pilot

ALICE = Key("north", "source:litecoin-regtest:alice")
BOB = Key("north", "source:litecoin-regtest:bob")


class Clock:
    """A clock that is put forward by hand, in seconds."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(runtime, "clock", made)
    return made


@under_pilot
async def test_a_line_that_only_moved_is_not_made_anew() -> None:
    monitor = FakeMonitor(story_board())
    async with opened_terminal(monitor, NARROW) as (app, pilot):
        before = dict(app.table._strips)
        change(monitor.board, BOB, state="open", withheld=None, reason="refused")
        await settled(app, pilot)
        made = [line for line, _ in app.table._strips.keys() - before.keys()]
        assert [line.key for line in made if line is not None] == [BOB]
        assert all(app.table._strips[said] is strip for said, strip in before.items())


def test_the_list_below_a_headline_jumped_up_and_down_with_each_of_its_lines(clock: Clock) -> None:
    @under_pilot
    async def scene() -> None:
        monitor = FakeMonitor(story_board())
        async with opened_terminal(monitor, NARROW) as (app, pilot):

            def heading() -> int:
                return next(at for at, line in enumerate(screen_lines(app)) if "BREAKER" in line)

            assert heading() == 5
            for key in list(monitor.board.rows):
                change(monitor.board, key, state="closed", withheld=None, failures=0)
            await settled(app, pilot)
            assert "breakers are closed" in screen_lines(app)[1]
            assert heading() == 5, "it would come back with the next that opens"
            clock.at += SHRINKS_AFTER_S
            await settled(app, pilot)
            assert heading() == 2
            change(monitor.board, ALICE, state="open", reason="refused")
            await settled(app, pilot)
            assert heading() == 4, "it grows at once"

    scene()


@under_pilot
async def test_a_drawing_that_finds_nothing_new_changes_nothing_on_the_screen() -> None:
    async with opened_terminal(FakeMonitor(story_board()), WIDE) as (app, pilot):
        refreshed: list[object] = []
        refresh = Widget.refresh

        def noted(widget: Widget, *regions: Region, **how: bool) -> Widget:
            refreshed.append(widget)
            return refresh(widget, *regions, **how)

        with mock.patch.object(Widget, "refresh", noted):
            await settled(app, pilot)
        assert refreshed == []


def test_parts_of_a_breaker_are_due_when_what_they_tell_of_has_changed() -> None:
    known = Known(BOB, row(BOB.breaker), points=[], transitions=[])
    assert sections_due(known, None) == SECTIONS
    assert sections_due(known, known._replace(key=ALICE)) == SECTIONS
    assert sections_due(known, known) == ("sentences",)
    assert sections_due(known._replace(row=row(BOB.breaker, failures=1)), known) == ("sentences", "window")
    assert sections_due(known._replace(points=[]), known) == ("sentences", "window", "over-time")
    answered = sections_due(known._replace(detail={}), known)
    assert answered == ("sentences", "window", "algorithms", "policy")
