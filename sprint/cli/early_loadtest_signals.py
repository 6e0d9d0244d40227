"""Ctrl-C and SIGTERM before `sprint cb-loadtest` has its own modules: kept, as they must not cost the report.

To import a command takes some tenths of a second, and a signal amid that ended it with a traceback. So the
package asks for these handlers before it imports anything else; `StopSignals` takes over from them. What
comes before Python is up can't be kept.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import PurePath
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)
COMMAND = "cb-loadtest"


class EarlySignals:
    """Keeps the first signal; the next one is a KeyboardInterrupt. `before` are the handlers until then."""

    def __init__(self) -> None:
        self.has_come = False
        self.before = [signal.getsignal(number) for number in NUMBERS]
        for number in NUMBERS:
            signal.signal(number, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if self.has_come:
            raise KeyboardInterrupt
        self.has_come = True


# Empty but in a process that loads something, until its command takes over.
early: list[EarlySignals] = []


def keep_early_signals(words: Sequence[str]) -> None:
    """Keep signals from now on, where a process's words say that it is to load something."""
    program, first = PurePath(words[0]).name if words else "", words[1:2]
    if program == COMMAND or list(first) == [COMMAND]:
        early.append(EarlySignals())
