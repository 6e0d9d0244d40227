"""What other widgets lie on, drawn without a look at its styles: a third of a drawing's time went there.

Textual draws each line of all that lies under a line that has changed, also where nothing of it is seen.
"""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import ContentSwitcher


class BlankScreen(Screen[None]):
    """The page below all."""

    BLANK: ClassVar[bool] = True


class BlankRow(Horizontal):
    """Holds what stands side by side."""

    BLANK: ClassVar[bool] = True


class BlankSwitcher(ContentSwitcher):
    """Holds the pages, of which one is seen."""

    BLANK: ClassVar[bool] = True
