"""Children that a run needs, started in a thread, as that blocks, and ended on leaving."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import TypeVar

Made = TypeVar("Made")
Start = Callable[[ExitStack, Callable[[], bool]], Made]


@contextlib.asynccontextmanager
async def started(start: Start[Made]) -> AsyncIterator[Made]:
    """Give what `start` makes, while within. It is given what ends its parts, and whether it is wanted still.

    Who is cancelled meanwhile waits until it has seen that it isn't.
    """
    is_left = threading.Event()
    stack = ExitStack()
    starting = asyncio.get_running_loop().run_in_executor(None, start, stack, lambda: not is_left.is_set())
    try:
        yield await asyncio.shield(starting)
    finally:
        is_left.set()
        await asyncio.wait((starting,))
        if not starting.cancelled():
            starting.exception()  # which who was cancelled before it came doesn't ask for
        await asyncio.to_thread(stack.close)
