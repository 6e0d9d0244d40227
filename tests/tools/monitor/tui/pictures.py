"""The pictures of the terminal in the docs, drawn anew from a story of breakers.

    python -m tests.tools.monitor.tui.pictures

Needs Chromium, which turns what Textual exports into PNG; nothing is fetched for it.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from sprint.tools.monitor.tui.looks import PLAIN, Appearance
from tests.tools.monitor.fake_desk import ALERTS, FakeDesk
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import NARROW, WIDE, opened_terminal, pressed

IMAGES = Path(__file__).resolve().parents[4] / "docs" / "images"
CHROMIUM_TIMEOUT_S = 60.0


class Shot(NamedTuple):
    """A picture: its name, the terminal's size, the keys before it, and how it looks."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    appearance: Appearance = PLAIN


SHOTS = (
    Shot("monitor-terminal", WIDE),
    Shot("monitor-terminal-light", WIDE, appearance=Appearance(light=True)),
    Shot("monitor-terminal-80x24", NARROW),
    Shot("monitor-terminal-figures", NARROW, ("e",)),
    Shot("monitor-terminal-alerts", (100, 24), ("2",)),
    Shot("monitor-terminal-order", NARROW, ("f", *"its disk is replaced")),
)


def main() -> int:
    """Draw all of them."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("pictures: no Chromium found; install it (Debian: apt-get install chromium)", file=sys.stderr)
        return 3
    for shot in SHOTS:
        svg = asyncio.run(drawn(shot))
        photograph(chromium, svg, IMAGES / f"{shot.name}.png")
        print(IMAGES / f"{shot.name}.png")
    return 0


async def drawn(shot: Shot) -> str:
    """Return a screen as SVG, in the fonts that are there."""
    monitor = FakeMonitor(story_board())
    monitor.alerts = FakeDesk(*ALERTS)
    async with opened_terminal(monitor, shot.size, shot.appearance) as (app, pilot):
        if shot.keys:
            await pressed(app, pilot, *shot.keys)
        svg = app.export_screenshot(title=app.TITLE)
    return re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)


def photograph(chromium: str, svg: str, path: Path) -> None:
    """Have Chromium draw an SVG into a PNG of its size."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if box is None:
        raise ValueError("the exported picture has no viewBox")
    width, height = (round(float(each)) for each in box.groups())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "screen.svg"
        source.write_text(svg, encoding="utf-8")
        command = (
            chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={path}",
            f"--window-size={width},{height}", source.as_uri(),
        )  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=CHROMIUM_TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main())
