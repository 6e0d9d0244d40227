"""The terminal under a pilot that presses keys, and what its screen says."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from sprint.tools.monitor.tui.app import MonitorApp
from sprint.tools.monitor.tui.face import MonitorFace
from sprint.tools.monitor.tui.looks import PLAIN, Appearance
from tests.tools.monitor.fakes import NOW_UNIX_S

P = ParamSpec("P")
NARROW = (80, 24)
WIDE = (160, 48)


def under_pilot(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return run


@asynccontextmanager
async def opened_terminal(
    monitor: MonitorFace, size: tuple[int, int] = NARROW, appearance: Appearance = PLAIN
) -> AsyncIterator[tuple[MonitorApp, Pilot[None]]]:
    """Open the terminal on a clock that stands still at NOW_UNIX_S."""
    app = MonitorApp(monitor, appearance, clock=lambda: NOW_UNIX_S)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(app, pilot)
        yield app, pilot


async def settled(app: MonitorApp, pilot: Pilot[Any]) -> None:
    """Wait until all that was asked is answered, and the board is on the screen as it is."""
    # That of an order waits for an answer to its question.
    asked = [each for each in app.workers if each.group != "order"]
    if asked:
        await app.workers.wait_for_complete(asked)
    await pilot.pause()
    app.look_now()
    await pilot.pause()


async def pressed(app: MonitorApp, pilot: Pilot[Any], *keys: str) -> None:
    """Press keys and wait until they are answered."""
    await pilot.press(*keys)
    await settled(app, pilot)


async def typed_at_once(app: MonitorApp, pilot: Pilot[Any], text: str) -> None:
    """Have keys come in one piece, as a terminal passes on what is typed fast or pasted."""
    for character in text:
        app.post_message(events.Key(_character_to_key(character), character))
    await settled(app, pilot)


def screen_lines(app: MonitorApp) -> list[str]:
    """Return the lines of the screen, without what is blank at their ends."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def screen_text(app: MonitorApp) -> str:
    """Return the screen as text."""
    return "\n".join(screen_lines(app))
