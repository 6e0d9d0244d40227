"""Faults that never stay: each is in the journal with its undo before it is on, and is taken off in any case.

    with FaultKeeper() as faults:
        number = faults.inject(Toxic(...), "latency", "source:litecoin-regtest:alice", "200 ms", ttl_s=30)
        faults.undo(number)

What is on at the end of the `with` block comes off there. What the tool does not live to take off, a second
process does (`keeper`): when a fault's time is over, or when the tool is gone.
"""

from __future__ import annotations

import atexit
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

from sprint.core.chaos.faults import Fault, Hog, names_of, ttl_checked, undo_of
from sprint.core.chaos.journal import Injected, Planned, Run
from sprint.core.errors import FaultError, UndoFailed
from sprint.tools.chaos import processes
from sprint.tools.chaos.hogs import HogProcess, refuse_hog
from sprint.tools.chaos.injecting import inject, refuse
from sprint.tools.chaos.journal_file import JournalFile, default_folder
from sprint.tools.chaos.keeper_process import KeeperProcess
from sprint.tools.chaos.taking_off import Remaining, take_all_off, take_off, write_ended

TTL_S = 60.0
BY = "tool"


class FaultKeeper:
    """One run's faults. Its calls block and may come from any thread.

    `allowed`: hosts beyond loopback that faults may be told to, as `host` or `host:port`.
    `halts` tells whether those were told to end that this run belongs to.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        run: str | None = None,
        allowed: Collection[str] = (),
        halts: Callable[[], bool] = lambda: False,
    ) -> None:
        self.run = run or new_run()
        self._halts = halts
        self._allowed = frozenset(allowed)
        self._lock = threading.RLock()
        self._hogs: dict[int, HogProcess] = {}
        self._closed = False
        first = Run(self.run, time.time(), processes.name_of(os.getpid()))
        self.journal = JournalFile.create(folder or default_folder(), self.run, first)
        try:
            self._keeper = KeeperProcess(self.journal.path)
        except BaseException:
            write_ended(self.journal)
            self.journal.close()
            raise

    def __repr__(self) -> str:
        return f"FaultKeeper({self.run!r}, closed={self._closed})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if remaining := self.close():
            raise UndoFailed(remains_text(remaining))

    @property
    def keeper_pid(self) -> int:
        return self._keeper.pid

    @property
    def halted(self) -> bool:
        """Whether somebody asked all runs to end: nothing is put on then."""
        return self.journal.halt_path.exists() or self._halts()

    def on(self) -> list[Planned]:
        """Return the faults that may be on, the newest first."""
        return self.journal.read().open()

    def inject(self, fault: Fault, kind: str, target: str, says: str, ttl_s: float = TTL_S) -> int:
        """Put a fault on for `ttl_s` seconds at most; return its number.

        ConfigError or StoreFailing where it may not be, and nothing was done; FaultError where it could not
        be, and what was done of it is off again; UndoFailed where something of it remains.
        """
        ttl_checked(ttl_s)
        with self._lock:
            self.check()
            if self.halted:
                raise FaultError(f"run {self.run} was told to halt: nothing is put on")
            refuse(fault, self._allowed)
            with self.journal.locked() as held:
                if not held:
                    raise FaultError(f"journal {self.journal.path}: locked by another; nothing is put on")
                number = self._put_on(fault, kind, target, says, ttl_s)
            self.check()
            return number

    def undo(self, number: int, by: str = BY) -> None:
        """Take a fault off; nothing happens where it is off. UndoFailed says what remains."""
        take_off(self.journal, number, by)
        self._end_hog(number)

    def undo_all(self) -> list[Remaining]:
        """Take all faults off, the newest first; return those that could not be, with what remains."""
        remaining = take_all_off(self.journal, BY)
        left = {each.number for each in remaining}
        for number in [number for number in self._hogs if number not in left]:
            self._end_hog(number)
        return remaining

    def check(self) -> None:
        """Raise FaultError where the keeper has died: everything is taken off before."""
        if self._closed:
            raise FaultError(f"run {self.run} has ended: begin another one")
        if (code := self._keeper.exit_code) is None:
            return
        remaining = self.undo_all()
        raise FaultError(
            f"the keeper (pid {self._keeper.pid}) ended with {code}, so no fault may stay: "
            + (remains_text(remaining) if remaining else "all were taken off")
        )

    def close(self) -> list[Remaining]:
        """Take all off and end; return what could not be: the keeper goes on trying. Twice does no harm."""
        with self._lock:
            if self._closed:
                return []
            self._closed = True
            remaining = self.undo_all()
            ended = write_ended(self.journal)
            self._keeper.release(wait=ended)
            for number in list(self._hogs):
                self._end_hog(number)
            self.journal.halt_path.unlink(missing_ok=True)
            self.journal.close()
            return remaining

    def _put_on(self, fault: Fault, kind: str, target: str, says: str, ttl_s: float) -> int:
        number = self.journal.read().next_number()
        hog = self._waiting_hog(fault, number, ttl_s)
        try:
            names = names_of(self.run, number, fault, hog.name if hog else None)
            undo = undo_of(fault, names)
            self.journal.add(Planned(number, kind, target, says, time.time(), ttl_s, undo))
        except BaseException:
            if hog:
                hog.end()
            raise
        try:
            if hog:
                self._hogs[number] = hog
                hog.go()
            inject(fault, names, ttl_s)
            self.journal.add(Injected(number, time.time()))
        except BaseException:
            self.undo(number)
            raise
        return number

    def _waiting_hog(self, fault: Fault, number: int, ttl_s: float) -> HogProcess | None:
        if not isinstance(fault, Hog):
            return None
        refuse_hog(fault, self.journal.path.parent)
        return HogProcess(fault, names_of(self.run, number, fault).file, ttl_s)

    def _end_hog(self, number: int) -> None:
        if hog := self._hogs.pop(number, None):
            hog.end()


def new_run() -> str:
    """Return a run's id: when it began, in UTC, and a few random letters."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-" + secrets.token_hex(2)


def remains_text(remaining: list[Remaining]) -> str:
    """Return what could not be taken off as a sentence."""
    each = "; ".join(f"fault {one.number} ({one.kind} on {one.target}): {one.says}" for one in remaining)
    return f"may be on still: {each}"


_own: list[FaultKeeper] = []
_own_lock = threading.Lock()


def keeper_of_this_process() -> FaultKeeper:
    """Return the process's own keeper of faults, made at the first call and ended with the process.

    For actions that somebody else's runner calls, as `chaos run` does.
    """
    with _own_lock:
        if not _own:
            _own.append(FaultKeeper())
            atexit.register(_own[0].close)
        return _own[0]
