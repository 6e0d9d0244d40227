"""The line above the keys: what is wrong with a filter, or with a page that can't be drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable

from textual.widgets import Static

log = logging.getLogger(__name__)


class TroubleLine(Static):
    """Says what is wrong, each thing until it is right again; not seen while nothing is."""

    def __init__(self) -> None:
        super().__init__(id="trouble", markup=False)
        self._said: dict[str, str] = {}

    def tell(self, about: str, trouble: str = "") -> None:
        """Say what is wrong about one thing; empty: nothing is any more."""
        if self._said.get(about, "") == trouble:
            return
        self._said[about] = trouble
        told = "\n".join(filter(None, self._said.values()))
        self.update(told)
        self.display = bool(told)

    def drawn(self, page: str, draw: Callable[[], None]) -> None:
        """Draw a page; a mistake in that is a line, and not the end of the terminal.

        A page shows what another process said, which may be of another version or may be wrong.
        """
        try:
            draw()
        except Exception as error:
            trouble = f"page {page} can't be drawn: {type(error).__name__}: {error}"
            if self._said.get("page") != trouble:
                log.exception("page %s can't be drawn", page)
            self.tell("page", trouble)
        else:
            self.tell("page")
