"""How the terminal is opened: as this one can show it, with logs off the screen, and a failure told."""

from __future__ import annotations

import locale
import os
import sys

from sprint.core.errors import SprintError
from sprint.tools.monitor.tui.app import MonitorApp
from sprint.tools.monitor.tui.face import MonitorFace
from sprint.tools.monitor.tui.logs import logs_off_the_screen
from sprint.tools.monitor.tui.looks import Appearance


class TerminalFailed(SprintError):
    """The terminal ended by a mistake of its own, and the page and the alerts of its process with it."""

    code = "terminal_failed"


async def run_tui(
    monitor: MonitorFace, appearance: Appearance | None = None, *, headless: bool = False
) -> None:
    """Open the terminal and return when its user quits; without an appearance what the terminal can do.

    `headless`: on no terminal at all. TerminalFailed where it ended otherwise.
    """
    app = MonitorApp(monitor, appearance or appearance_here(), monitor.now)
    with logs_off_the_screen():
        await app.run_async(headless=headless)
    if app.return_code:
        raise TerminalFailed(
            "the terminal ended by a mistake of its own, said above; so did all else that this monitor did: "
            "page, alerts, recording. Start it again; with --port it has a page and no terminal"
        )


def appearance_here() -> Appearance:
    """Return how a terminal looks that has only ASCII, or a light ground, as far as its environment says."""
    encoding = sys.stdout.encoding or locale.getpreferredencoding(do_setlocale=False)
    ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return Appearance(ascii_only="utf" not in encoding.casefold(), light=ground in ("7", "15"))
