"""Screens that are kept as pictures, to be held against what is drawn now; some in ASCII as text.

    python -m tests.tools.monitor.tui.snapshots

writes them anew; look at what differs before it is committed. They are Textual's own export of a screen, SVG,
in both sizes and both themes. pytest-textual-snapshot would keep them as well, but its last release, of
January 2025, needs syrupy 4.8, which needs a pytest before 9.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import re
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from textual.widgets import Input

from sprint.tools.monitor.tui.app import MonitorApp
from sprint.tools.monitor.tui.looks import DARK, LIGHT, Appearance
from tests.tools.monitor.fake_desk import ALERTS, FakeDesk
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import NARROW, WIDE, opened_terminal, pressed, screen_text, settled

FOLDER = Path(__file__).with_name("screens")
COMMAND = "python -m tests.tools.monitor.tui.snapshots"
DIFFERENCES_SHOWN = 12


class Scene(NamedTuple):
    """A screen that a user comes to: its name, the keys to it from the list, and those back."""

    name: str
    keys: tuple[str, ...] = ()
    back: tuple[str, ...] = ("escape",)


SCENES = (
    Scene("list", back=()),
    Scene("detail", ("enter",)),
    Scene("policy", ("enter", "end"), ("home", "escape")),
    Scene("order", ("f",)),
    Scene("alerts", ("2",)),
    Scene("relays", ("3",)),
    Scene("log", ("4",)),
    Scene("help", ("question_mark",)),
)
SIZES = {"80x24": NARROW, "160x48": WIDE}
THEMES = {"dark": DARK, "light": LIGHT}
ASCII = Appearance(ascii_only=True)
TEXTS = (
    Scene("list_80x24_ascii"),
    Scene("figures_80x24_ascii", ("e",)),
    Scene("changes_80x24_ascii", ("e", "backspace", "7", "enter")),
    Scene("silence_80x24_ascii", ("2", "z")),
    Scene("help_80x24_ascii", ("question_mark",)),
)


async def pictures(size: str) -> dict[str, str]:
    """Return each screen of a terminal of a size, dark and light, as SVG by the name of its file."""
    drawn: dict[str, str] = {}
    with mock.patch.dict(os.environ, {"LOGNAME": "berta"}):
        async with opened_terminal(_monitor(), SIZES[size]) as (app, pilot):
            for scene in SCENES:
                await pressed(app, pilot, *scene.keys)
                for field in app.screen.query(Input):
                    field.cursor_blink = False
                for ground, theme in reversed(THEMES.items()):
                    app.theme = theme
                    await settled(app, pilot)
                    drawn[f"{scene.name}-{size}-{ground}.svg"] = picture(app)
                await pressed(app, pilot, *scene.back)
                assert app.screen is app.screen_stack[0], f"{scene.name}: {scene.back} doesn't lead back"
    return drawn


def picture(app: MonitorApp) -> str:
    """Return the screen as SVG that is the same for what looks the same: a tag a line, no fonts of the web,
    and no frame for each line, which the lines of a terminal don't need.

    Its ids are of a checksum of all that is on it; with one for all a letter that differs is one line.
    """
    svg = app.export_screenshot(title=app.TITLE, simplify=True)
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<clipPath id=\"terminal-\d+-line.*?</clipPath>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' clip-path="url\(#terminal-\d+-line-\d+\)"', "", svg)
    svg = re.sub(r"terminal-\d+", "screen", svg).replace("><", ">\n<")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


async def text(scene: Scene) -> str:
    """Return a screen of 80 by 24 in ASCII."""
    async with opened_terminal(_monitor(), NARROW, ASCII) as (app, pilot):
        await pressed(app, pilot, *scene.keys)
        return screen_text(app) + "\n"


def differences(kept: str, drawn: str) -> str:
    """Return the first lines in which two pictures differ."""
    lines = difflib.unified_diff(kept.splitlines(), drawn.splitlines(), "kept", "drawn", n=0, lineterm="")
    return "\n".join(islice(lines, DIFFERENCES_SHOWN))


def _monitor() -> FakeMonitor:
    monitor = FakeMonitor(story_board())
    monitor.alerts = FakeDesk(*ALERTS)
    return monitor


def main() -> None:
    """Write all of them, and take away what is no screen any more."""
    FOLDER.mkdir(exist_ok=True)
    drawn = {f"{scene.name}.txt": asyncio.run(text(scene)) for scene in TEXTS}
    for size in SIZES:
        drawn |= asyncio.run(pictures(size))
    for path in FOLDER.iterdir():
        if path.name not in drawn:
            path.unlink()
    for name, content in drawn.items():
        (FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
