"""The line that says that what happens is recorded, or that what is shown comes of a recording."""

from __future__ import annotations

from datetime import UTC, datetime

from textual.content import Content

from sprint.core.monitor.fleet import Replayed
from sprint.tools.monitor.tui.face import RecorderFace, ReplayFace
from sprint.tools.monitor.tui.looks import styled
from sprint.tools.monitor.tui.quiet_text import QuietText

MB = 1_000_000
PLAYER_KEYS = "space pause  + - speed  , . 10 s  < > 60 s"


class TapeLine(QuietText):
    """Is seen only while there is something to say."""

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__("tape")
        self._ascii_only = ascii_only
        self.display = False

    def tell(self, recorder: RecorderFace | None, replay: ReplayFace | None, now_unix_s: float) -> None:
        """Draw it."""
        content = tape_content(recorder, replay, now_unix_s, ascii_only=self._ascii_only)
        if self.display != (content is not None):
            self.display = content is not None
        if content is not None:
            self.say(content)


def tape_content(
    recorder: RecorderFace | None, replay: ReplayFace | None, now_unix_s: float, *, ascii_only: bool
) -> Content | None:
    """Return the line, None where nothing is recorded or shown again."""
    if replay is not None:
        told = replay.told()
        at = datetime.fromtimestamp(now_unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        times = "x" if ascii_only else "\u00d7"
        how = _how(told, times)
        parts = [
            (f" {'>' if ascii_only else '▶'} REPLAY ", "reverse bold"),
            (f" {told.file} at {at} {how}: nothing of it happens now  ", "bold"),
        ]
        if told.reason:
            parts.append((f"\n it can't be shown beyond that: {told.reason}\n ", styled("bad", "bold")))
        return Content.assemble(*parts, (PLAYER_KEYS, styled("faint")))
    if recorder is not None and recorder.path is not None:
        return Content.assemble(
            (f" {'*' if ascii_only else '●'} REC ", styled("bad", "reverse", "bold")),
            (f" {recorder.path}  {recorder.written_size / MB:,.1f} MB  ", "bold"),
            ("w stops it", styled("faint")),
        )
    return None


def _how(told: Replayed, times: str) -> str:
    """Return how a recording is shown: where it ended, whether it stands still, or how fast it goes."""
    if told.ended:
        return "broken off" if told.reason else "at its end"
    return "paused" if told.paused else f"{times}{told.speed:g}"
