"""Text that is drawn when it differs; the screen is laid out anew only where it takes more lines or fewer.

A layout costs ten times what drawing a line does, and what is below a text that shrinks and grows jumps about
under the eye. So it grows at once, and shrinks when it has been shorter for some time.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from sprint.tools import runtime

# Who looked elsewhere for so long finds the text shorter.
SHRINKS_AFTER_S = 4.0


class QuietText(Static):
    """A text that may be told the same again at no cost. It begins to shrink when it is told again."""

    def __init__(self, text_id: str) -> None:
        super().__init__(id=text_id)
        self._said: Content | None = None
        self._lines = 0
        self._width = 0
        self._shorter_since: float | None = None

    def say(self, content: Content) -> None:
        """Draw a text."""
        width = max(1, self.size.width)
        if width != self._width:
            # How long it was in other columns says nothing; at first it has none at all.
            self._width, self._shorter_since, self._lines, self._said = width, None, 0, None
        if self._said is not None and self._shorter_since is None and content.is_same(self._said):
            return
        self._said = content
        lines = content.get_height({}, width)
        missing = self._missing(lines)
        if missing:
            content += Content("\n" * missing)
        self.update(content, layout=lines + missing != self._lines)
        self._lines = lines + missing

    def _missing(self, lines: int) -> int:
        """Return how many blank lines follow so many, for the text to be as long as it was."""
        if lines >= self._lines:
            self._shorter_since = None
            return 0
        now = runtime.clock()
        if self._shorter_since is None:
            self._shorter_since = now
        if now - self._shorter_since < SHRINKS_AFTER_S:
            return self._lines - lines
        self._shorter_since = None
        return 0
