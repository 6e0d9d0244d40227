"""What is typed before the screen that it is for is there: kept, and typed again, in order, when it is.

Textual answers a key in two ways: a field takes a letter at once, all else goes up to the app first. So keys
that are handed on in one piece overtake each other, and here each waits until the one before is answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from textual import events
from textual.app import App

# Who types more has seen that nothing is there yet.
TYPED_AHEAD_MAX = 200
# A key goes up from field to app; what the field makes of it, such as "submitted", goes that way once more.
WAYS_UP = 2
# A widget that is taken away may never say that a key has passed it.
PASSED_S_MAX = 0.5

Typed = events.Key | events.Paste


class TypedAhead:
    """Keeps keys for an app while `keeps` is set, and types them again: `types` has the app answer one."""

    def __init__(self, app: App[Any], types: Callable[[Typed], Awaitable[None]]) -> None:
        self.keeps = False
        self._app = app
        self._types = types
        self._kept: deque[Typed] = deque()

    def __repr__(self) -> str:
        return f"TypedAhead({len(self._kept)} keys)"

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, event: Typed) -> None:
        """Keep a key, or what is pasted; the first TYPED_AHEAD_MAX of them."""
        if len(self._kept) < TYPED_AHEAD_MAX:
            self._kept.append(event)

    def forget(self) -> None:
        """Forget what was typed: what it was for doesn't follow."""
        self._kept.clear()

    async def type_again(self, until: type[object]) -> None:
        """Type what was kept, and what comes meanwhile, unless a screen of the class `until` is on top.

        Not to be called where the app answers its messages: it waits for that.
        """
        while self._kept and not isinstance(self._app.screen, until):
            at = self._app.focused or self._app.screen
            way = [node for node in at.ancestors_with_self if node is not self._app]
            await self._types(self._kept.popleft())
            for node in (*way, self._app) * WAYS_UP:
                passed = asyncio.Event()
                if node.call_later(passed.set):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(passed.wait(), PASSED_S_MAX)
