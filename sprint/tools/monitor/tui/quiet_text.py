"""Text that is drawn when it differs; the screen is laid out anew only where it takes more lines or fewer.

A layout costs ten times what drawing a line does, and figures change twenty times a second.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class QuietText(Static):
    """A text that may be told the same again at no cost.

    `steps`: blank lines follow until there are a multiple of so many, for a text that grows and shrinks.
    """

    def __init__(self, text_id: str, steps: int = 1) -> None:
        super().__init__(id=text_id)
        self._steps = steps
        self._said: Content | None = None
        self._lines = 0

    def say(self, content: Content) -> None:
        """Draw a text."""
        if self._said is not None and content.is_same(self._said):
            return
        self._said = content
        lines = content.get_height({}, max(1, self.size.width))
        blank = -lines % self._steps
        if blank:
            content, lines = content + Content("\n" * blank), lines + blank
        self.update(content, layout=lines != self._lines)
        self._lines = lines
