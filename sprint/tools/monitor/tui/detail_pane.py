"""The pane of one breaker: what the board has of it at once, and what its relay says when it is asked."""

from __future__ import annotations

from typing import Any, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message

from sprint.core.errors import SprintError
from sprint.core.monitor.board import Key
from sprint.tools import runtime
from sprint.tools.monitor.tui.detail import POINTS_SHOWN, Known, detail_content
from sprint.tools.monitor.tui.face import MonitorFace
from sprint.tools.monitor.tui.quiet_text import QuietText

INTERVAL_S = 2.0
# Long, and read at leisure: it is drawn less often than the list.
DRAW_INTERVAL_S = 0.25
WIDTH_MIN = 30
# Of another breaker there are some lines more or fewer; a layout of the screen for each would cost the most.
LINES_STEP = 8


class _Answer(NamedTuple):
    key: Key
    detail: dict[str, Any] | None
    trouble: str = ""


class DetailPane(VerticalScroll):
    """Draws a breaker in full, and asks its relay for it while it is seen."""

    class Answered(Message):
        """The relay has said more."""

    def __init__(self, monitor: MonitorFace, *, ascii_only: bool) -> None:
        super().__init__(id="detail")
        self._monitor = monitor
        self._ascii_only = ascii_only
        self._text = QuietText("detail-text", LINES_STEP)
        self._answer: _Answer | None = None
        self._asked: Key | None = None
        self._asked_at = 0.0
        self._drawn: Key | None = None
        self._draw_at = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        yield self._text

    def tell(self, key: Key | None, now_unix_s: float) -> None:
        """Draw a breaker; another one than before from its beginning."""
        board = self._monitor.board
        row = None if key is None else board.rows.get(key)
        if key is None or row is None:
            self._text.say(Content(""))
            return
        if key == self._drawn and runtime.clock() < self._draw_at:
            return
        self._drawn, self._draw_at = key, runtime.clock() + DRAW_INTERVAL_S
        if key != self._asked:
            self.scroll_home(animate=False)
        if key != self._asked or runtime.clock() - self._asked_at >= INTERVAL_S:
            self._asked, self._asked_at = key, runtime.clock()
            self._ask(key)
        answer = self._answer if self._answer is not None and self._answer.key == key else _Answer(key, None)
        points, transitions = board.points(key, POINTS_SHOWN), board.transitions(key)
        known = Known(key, row, points, transitions, answer.detail, answer.trouble)
        width = max(WIDTH_MIN, self._text.size.width)
        self._text.say(detail_content(known, now_unix_s, width, ascii_only=self._ascii_only))

    @work(exclusive=True)
    async def _ask(self, key: Key) -> None:
        before = self._answer
        try:
            self._answer = _Answer(key, await self._monitor.detail(key))
        except SprintError as error:
            kept = before.detail if before is not None and before.key == key else None
            self._answer = _Answer(key, kept, str(error))
        self._drawn = None
        self.post_message(self.Answered())
