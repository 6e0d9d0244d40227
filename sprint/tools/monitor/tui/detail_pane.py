"""The pane of one breaker: what the board has of it at once, and what its relay says when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message

from sprint.core.errors import SprintError
from sprint.core.monitor.board import Key
from sprint.core.monitor.rows import MetricsPoint
from sprint.tools import runtime
from sprint.tools.monitor.tui.detail import POINTS_SHOWN, SECTIONS, Known, section_content, sections_due
from sprint.tools.monitor.tui.face import MonitorFace
from sprint.tools.monitor.tui.quiet_text import QuietText

INTERVAL_S = 2.0
# Long, and read at leisure: it is drawn less often than the list.
DRAW_INTERVAL_S = 0.25
WIDTH_MIN = 30


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
        self._sections = {name: QuietText(f"detail-{name}") for name in SECTIONS}
        self._known: Known | None = None
        self._width = 0
        self._answer: _Answer | None = None
        self._asked: Key | None = None
        self._asked_at = 0.0
        self._drawn: Key | None = None
        self._draw_at = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the parts."""
        yield from self._sections.values()

    def tell(self, key: Key | None, now_unix_s: float) -> None:
        """Draw a breaker; another one than before from its beginning."""
        board = self._monitor.board
        row = None if key is None else board.rows.get(key)
        if key is None or row is None:
            self._known = None
            for section in self._sections.values():
                section.say(Content(""))
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
        known = Known(key, row, self._points(key), board.transitions(key), answer.detail, answer.trouble)
        self._draw(known, now_unix_s)

    def _draw(self, known: Known, now_unix_s: float) -> None:
        """Draw the parts that may say something else than before."""
        width = max(WIDTH_MIN, self._sections["sentences"].size.width)
        before = self._known if width == self._width else None
        self._known, self._width = known, width
        for name in sections_due(known, before):
            content = section_content(name, known, now_unix_s, width, ascii_only=self._ascii_only)
            self._sections[name].say(content)

    def _points(self, key: Key) -> Sequence[MetricsPoint]:
        """Return a breaker's figures; the same list while no more have come, which is seen by the newest."""
        board, before = self._monitor.board, self._known
        newest = board.points(key, 1)
        if before is not None and before.key == key and before.points[-1:] == newest:
            return before.points
        return board.points(key, POINTS_SHOWN)

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
