"""Breakers in the command palette: type a part of a name to go there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, cast

from textual.command import Hit, Hits, Provider

from sprint.core.monitor.board import Key
from sprint.core.monitor.rows import BreakerRow
from sprint.core.monitor.table import short_name

FOUND_MAX = 50


class HasBreakers(Protocol):
    """An app whose breakers can be gone to."""

    def breakers(self) -> Iterator[tuple[Key, BreakerRow]]:
        """Yield all of them."""
        ...

    def go_to(self, key: Key) -> None:
        """Show one."""
        ...


class BreakerProvider(Provider):
    """Finds breakers by name."""

    async def search(self, query: str) -> Hits:
        """Yield those that match, at most FOUND_MAX."""
        app = cast("HasBreakers", self.app)
        matcher = self.matcher(query)
        found = 0
        for key, row in app.breakers():
            name = f"{key.relay}/{short_name(row)}"
            score = matcher.match(name)
            if score > 0:
                go: Callable[[], None] = partial(app.go_to, key)
                yield Hit(score, matcher.highlight(name), go, help=f"{row.state}: {row.reason}"[:100])
                found += 1
                if found >= FOUND_MAX:
                    return
