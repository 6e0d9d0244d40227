"""Screens that are kept as text, to be held against what is drawn now.

    python -m tests.tools.monitor.tui.snapshots

writes them anew; look at what differs before it is committed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from sprint.tools.monitor.tui.looks import PLAIN, Appearance
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
    Screen("relays_80x24", NARROW, ("3",)),
    Screen("log_160x48", WIDE, ("4",)),
    Screen("help_80x24_ascii", NARROW, ("question_mark",), ASCII),
)


async def drawn(screen: Screen) -> str:
    """Return a screen as text."""
    async with opened_terminal(FakeMonitor(story_board()), screen.size, screen.appearance) as (app, pilot):
        await pressed(app, pilot, *screen.keys)
        return screen_text(app) + "\n"


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for screen in SCREENS:
        (FOLDER / f"{screen.name}.txt").write_text(asyncio.run(drawn(screen)), encoding="utf-8")


if __name__ == "__main__":
    main()
