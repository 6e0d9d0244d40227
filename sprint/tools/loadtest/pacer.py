"""Has work done at its moments, to some tens of microseconds, on a loop whose timers know milliseconds.

Far from the next moment a timer of the loop waits. Within the last part it waits itself, with a limit in
microseconds, for the answers' own set of sockets: it wakes for an answer at once and costs no processor time
while it waits. The loop has its turn at least each `ROUND_NS`. Measured beside it: timers alone are late by
up to a millisecond.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sprint.tools.loadtest.moments import NS_PER_MS, NS_PER_S, clock_ns
from sprint.tools.loadtest.ready_set import EVENTS_MAX, ReadySet

# A timer of a millisecond fires after 1.0 to 1.1 ms; from here on the rest is waited for finely.
FINE_NS = 1_500_000
TIMER_EARLY_NS = 1_200_000
# What else is on the loop waits so long at most: the parent's word, timeouts. A turn of it costs some 10 µs.
ROUND_NS = 4 * NS_PER_MS
SPIN_NS = 8_000  # to fall asleep and to wake costs as much

# Does what is due at a moment; returns the next moment, or None when there is no more.
Turn = Callable[[int], int | None]


class Pacer:
    """Calls `turn` when it is due until it returns None, then `ended`; meanwhile it serves `answers`.

    Where one of these raises, it ends too, and `error` says why: a loop would log it and nothing would be due
    any more, for ever.

    A fine wait shows what `answers` are ready, and not a task of the loop that is ready to go on. While
    `is_restless` says that there are such tasks, the last part of a wait goes round and round instead.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        ended: Callable[[], None],
        *,
        answers: ReadySet | None = None,
        is_restless: Callable[[], bool] = bool,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._ended = ended
        self._stopped = False
        self.error: BaseException | None = None
        self._is_restless = is_restless
        self._serve = _serve_nothing if answers is None else answers.serve
        self._wait = _sleep if answers is None else answers.wait

    def __repr__(self) -> str:
        return f"Pacer(stopped={self._stopped})"

    def start(self) -> None:
        """Begin with the next turn of the loop."""
        self._loop.call_soon(self._round_or_end)

    def stop(self) -> None:
        """Do no more; `ended` is not called."""
        self._stopped = True

    def _round_or_end(self) -> None:
        try:
            self._round()
        except BaseException as error:
            self.error = error
            self._stopped = True
            self._ended()
            raise

    def _round(self) -> None:
        """Do what is due until the next moment is far, or until the loop is to have its turn.

        To look is a call of the system and some microseconds each: a wait says whether there is something to
        be served, and nothing is due before its moment.
        """
        due_ns = 0
        now_ns = clock_ns()
        ends_ns = now_ns + ROUND_NS
        is_ready = True
        while not self._stopped:
            if due_ns <= now_ns:
                next_ns = self._turn(now_ns)
                if next_ns is None:
                    self._ended()
                    return
                due_ns = next_ns
            served = self._serve() if is_ready else 0
            now_ns = clock_ns()
            if now_ns >= ends_ns or self._is_restless():
                self._loop.call_soon(self._round_or_end)
                return
            left_ns = due_ns - now_ns
            if left_ns > FINE_NS:
                self._loop.call_later((left_ns - TIMER_EARLY_NS) / NS_PER_S, self._round_or_end)
                return
            is_ready = left_ns <= SPIN_NS or served == EVENTS_MAX
            if not is_ready:
                is_ready = self._wait(min(left_ns, ends_ns - now_ns))
                now_ns = clock_ns()


def _serve_nothing() -> int:
    return 0


def _sleep(wait_ns: int) -> bool:
    time.sleep(wait_ns / NS_PER_S)
    return False
