"""Has work done at its moments, to some tens of microseconds, on a loop whose timers know milliseconds.

Far from the next moment a timer of the loop waits. Within the last part it waits for the loop's own
descriptor, with a limit in microseconds: it wakes for an answer at once, costs no processor time, and is
seldom more than a tenth of a millisecond late. On a loop without such a descriptor it goes round instead,
which costs a whole core. Measured beside it: timers alone are late by up to a millisecond.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

from sprint.tools.loadtest.moments import NS_PER_S, clock_ns

# A timer of a millisecond fires after 1.0 to 1.1 ms; from here on the rest is waited for finely.
FINE_NS = 1_500_000
TIMER_EARLY_NS = 1_200_000
SELECT_DESCRIPTOR_LIMIT = 1024  # select(2) knows no others
_BACKEND = "_get_backend_id"  # of uvloop

# Does what is due at a moment; returns the next moment, or None when there is no more.
Turn = Callable[[int], int | None]


class Pacer:
    """Calls `turn` when it is due until it returns None, then `ended`.

    The loop's descriptor shows what protocols wait for, and not a task that is ready to go on. While
    `is_restless` says that there are such tasks, the last part of a wait goes round and round instead.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        ended: Callable[[], None],
        *,
        is_restless: Callable[[], bool] = bool,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._ended = ended
        self._next_ns: int | None = None
        self._stopped = False
        self._is_restless = is_restless
        self._descriptor = _descriptor_of(loop)

    def __repr__(self) -> str:
        return f"Pacer(next={self._next_ns}, stopped={self._stopped})"

    def start(self) -> None:
        """Begin with the next turn of the loop."""
        self._loop.call_soon(self._tick)

    def stop(self) -> None:
        """Do no more; `ended` is not called."""
        self._stopped = True

    def _tick(self) -> None:
        if self._stopped:
            return
        before = self._next_ns
        due_ns = self._turn(clock_ns())
        self._next_ns = due_ns
        if due_ns is None:
            self._ended()
            return
        left_ns = due_ns - clock_ns()
        if left_ns > FINE_NS:
            self._loop.call_later((left_ns - TIMER_EARLY_NS) / NS_PER_S, self._tick)
            return
        # After a turn that did something the loop goes round once first: what was begun has to be in its
        # descriptor before anybody waits for that.
        watched = self._descriptor
        if watched is not None and left_ns > 0 and due_ns == before and not self._is_restless():
            select.select((watched,), (), (), left_ns / NS_PER_S)
        self._loop.call_soon(self._tick)


def _descriptor_of(loop: asyncio.AbstractEventLoop) -> int | None:
    """Return the descriptor that tells that a loop has something to do; None where it has none of use."""
    backend = getattr(loop, _BACKEND, None)
    if backend is None:
        return None
    descriptor = int(backend())
    return descriptor if 0 <= descriptor < SELECT_DESCRIPTOR_LIMIT else None
