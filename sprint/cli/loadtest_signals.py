"""Ctrl-C and SIGTERM while `sprint cb-loadtest` runs: they end the run, and never cost its report.

An event loop takes its own handlers away when it closes, and a signal that came then, as the second of two
quick ones does, ended the command amid its report. These handlers are the process's, from before the loop
until the report is out.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from sprint.cli.early_loadtest_signals import NUMBERS, early

STDERR = 2


class StopSignals:
    """While within, a signal ends the run; one that came before there is a run is kept for it.

    The one after that is a KeyboardInterrupt: what comes before a run may wait for what never comes. While
    the report is being written the first signal is told what it would cost, and the next one is a
    KeyboardInterrupt again: whoever reads stdout may have stopped to read.
    """

    def __init__(self) -> None:
        self._take_one: Callable[[], object] = self._keep
        self._has_kept = False
        self._before = [signal.getsignal(number) for number in NUMBERS]
        if early:
            kept = early.pop()
            self._before = kept.before
            if kept.has_come:
                self._keep()

    def __enter__(self) -> Self:
        for number in NUMBERS:
            signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in zip(NUMBERS, self._before, strict=True):
            signal.signal(number, before)

    def hand_to(self, stop: Callable[[], object]) -> None:
        """Have signals call this from now on. It is called between two instructions of the main thread."""
        self._take_one = stop
        if self._has_kept:
            stop()

    def shield_the_report(self) -> None:
        """From now on one signal is only told; the one after it ends the command."""
        self._take_one = self._warn

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._take_one()

    def _keep(self) -> None:
        self._has_kept = True
        self._take_one = _interrupt

    def _warn(self) -> None:
        self._take_one = _interrupt
        # Not by print: the main thread may be amid one.
        with contextlib.suppress(OSError):
            os.write(STDERR, b"the report is being written; once more to leave without it\n")


def _interrupt() -> None:
    raise KeyboardInterrupt
