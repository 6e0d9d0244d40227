"""The keeper: a process that takes faults off when their time is over, or when the tool dies.

    python -m sprint.tools.chaos.keeper JOURNAL

Its stdin is a pipe whose other end only the tool has: at its end the tool is gone, and everything that the
journal says is on comes off. It has a session of its own, so that what ends the tool's group doesn't reach
it, and ends with the journal. Prints `{"ready":true}` when it watches. SIGTERM: all comes off, and it ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sprint.core.chaos.journal import Planned, left_s
from sprint.core.errors import SprintError
from sprint.tools.chaos.journal_file import JournalFile
from sprint.tools.chaos.taking_off import Remaining, Undoer, take_off, write_ended, write_stuck
from sprint.tools.chaos.undoing import undo

BY = "keeper"
LOOK_S = 0.2
UNDO_TRIES_MAX = 20
RETRY_S_FIRST = 0.5
RETRY_S_MAX = 15.0
# A tool that is gone leaves nobody to tell: what cannot be taken off in this time is left to `--rollback`.
ALONE_S_MAX = 600.0
EXIT_LEFT_SOMETHING = 1
PIECE_SIZE = 64
READY_LINE = b'{"ready":true}\n'


def retry_s(tries: int) -> float:
    """Return how long to wait after so many tries that failed, in seconds."""
    return float(min(RETRY_S_FIRST * 2.0 ** (tries - 1), RETRY_S_MAX))


class Keeper:
    """Looks at one journal again and again. `now`: seconds since 1970; TTLs go by `monotonic`."""

    def __init__(
        self,
        journal: JournalFile,
        *,
        undoer: Undoer = undo,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._undoer = undoer
        self._now = now
        self._monotonic = monotonic
        self._deadlines: dict[int, float] = {}
        self._tries: dict[int, int] = {}
        self._retry_at: dict[int, float] = {}
        self._version_seen = (-1, -1)
        self._open: list[Planned] = []
        self.remaining: dict[int, Remaining] = {}
        self.ended = False

    def __repr__(self) -> str:
        return f"Keeper({self._journal!r}, {len(self._open)} on)"

    def look(self, *, everything: bool) -> None:
        """Take off what is due: what has had its time, or `everything` that is on."""
        self._read()
        for planned in self._open:
            number = planned.fault
            moment = self._monotonic()
            due = everything or moment >= self._deadlines[number]
            if due and moment >= self._retry_at.get(number, 0.0) and not self._has_given_up(number):
                self._try(planned)
        self._read()

    def begin_anew(self) -> None:
        """Forget how often was tried: something has changed."""
        self._tries.clear()
        self._retry_at.clear()

    @property
    def has_work(self) -> bool:
        """Whether something is on that is still tried."""
        return any(not self._has_given_up(planned.fault) for planned in self._open)

    def _read(self) -> None:
        if (version := self._journal.version()) == self._version_seen:
            return
        known = self._journal.read()
        self._version_seen = version
        self._open = known.open()
        self.ended = known.ended
        moment = self._monotonic()
        for planned in self._open:
            self._deadlines.setdefault(planned.fault, moment + left_s(planned, self._now()))

    def _has_given_up(self, number: int) -> bool:
        return self._tries.get(number, 0) >= UNDO_TRIES_MAX

    def _try(self, planned: Planned) -> None:
        number = planned.fault
        try:
            take_off(self._journal, number, BY, self._undoer)
        except (SprintError, OSError) as error:
            self._tries[number] = self._tries.get(number, 0) + 1
            self._retry_at[number] = self._monotonic() + retry_s(self._tries[number])
            self.remaining[number] = Remaining(number, planned.kind, planned.target, str(error))
            if self._has_given_up(number):
                write_stuck(self._journal, BY, [self.remaining[number]])
        else:
            self.remaining.pop(number, None)


def watch(journal: JournalFile, tool: int, told_to_end: Callable[[], bool]) -> int:
    """Keep a journal until it has ended; `tool` is the pipe's descriptor. Returns the exit code."""
    keeper = Keeper(journal)
    while not _tool_is_gone(tool):
        halted = journal.halt_path.exists()
        ending = told_to_end()
        keeper.look(everything=halted or ending)
        if keeper.ended or (ending and not keeper.has_work):
            return 0
    return _finish_alone(keeper, journal)


def _finish_alone(keeper: Keeper, journal: JournalFile) -> int:
    deadline = time.monotonic() + ALONE_S_MAX
    keeper.begin_anew()
    keeper.look(everything=True)
    while keeper.has_work and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        keeper.look(everything=True)
    if write_ended(journal):
        return 0
    write_stuck(journal, BY, list(keeper.remaining.values()))
    return EXIT_LEFT_SOMETHING


def _tool_is_gone(tool: int) -> bool:
    """Wait a little, and tell whether the pipe has ended."""
    readable, _, _ = select.select([tool], [], [], LOOK_S)
    return bool(readable) and not os.read(tool, PIECE_SIZE)


def main(words: list[str]) -> int:
    """Run as a process; returns the exit code."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    with JournalFile(Path(words[0])) as journal:
        # A tool that was killed meanwhile reads no line; the end of its other pipe says so too.
        with contextlib.suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), READY_LINE)
        return watch(journal, sys.stdin.fileno(), lambda: bool(told))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
