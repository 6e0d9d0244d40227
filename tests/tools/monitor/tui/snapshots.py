"""Screens that are kept as text, to be held against what is drawn now.

    python -m tests.tools.monitor.tui.snapshots

writes them anew; look at what differs before it is committed.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from sprint.tools.monitor.tui.looks import PLAIN, Appearance
from tests.tools.monitor.fake_desk import ALERTS, FakeDesk
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import NARROW, WIDE, opened_terminal, pressed, screen_text

FOLDER = Path(__file__).with_name("screens")


class Screen(NamedTuple):
    """A screen: its name, the terminal's size, the keys before it, and how it looks."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    appearance: Appearance = PLAIN


ASCII = Appearance(ascii_only=True)
SCREENS = (
    Screen("list_80x24", NARROW),
    Screen("list_160x48", WIDE),
    Screen("list_80x24_ascii", NARROW, appearance=ASCII),
    Screen("detail_80x24", NARROW, ("enter",)),
    Screen("order_80x24", NARROW, ("f",)),
    Screen("figures_80x24", NARROW, ("e",)),
    Screen("figures_160x48", WIDE, ("e",)),
    Screen("changes_80x24", NARROW, ("e", *["backspace", "7", "enter"])),
    Screen("alerts_80x24", NARROW, ("2",)),
    Screen("alerts_160x48", WIDE, ("2",)),
    Screen("silence_80x24", NARROW, ("2", "z")),
    Screen("relays_80x24", NARROW, ("3",)),
    Screen("log_160x48", WIDE, ("4",)),
    Screen("help_80x24_ascii", NARROW, ("question_mark",), ASCII),
)


async def drawn(screen: Screen) -> str:
    """Return a screen as text."""
    monitor = FakeMonitor(story_board())
    monitor.alerts = FakeDesk(*ALERTS)
    with mock.patch.dict(os.environ, {"LOGNAME": "berta"}):
        async with opened_terminal(monitor, screen.size, screen.appearance) as (app, pilot):
            for key in screen.keys:
                await pressed(app, pilot, key)
            return screen_text(app) + "\n"


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for screen in SCREENS:
        (FOLDER / f"{screen.name}.txt").write_text(asyncio.run(drawn(screen)), encoding="utf-8")


if __name__ == "__main__":
    main()
