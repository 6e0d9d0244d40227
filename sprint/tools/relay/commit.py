"""Between the pipelines and the store's writer thread: nothing is handed over before it is logged.

`Committer` submits in order, brings what was committed back to the loop's thread, and says when intake has
to pause: while the store fails, or while more commits wait than the bound. A commit that failed stays
first in the writer's queue and is tried again, and what the store has no room for waits here; nothing is
skipped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Protocol

from sprint.core.errors import StoreError
from sprint.core.relay.event_log import Commit
from sprint.tools.runtime import log_fields
from sprint.tools.store import CallThrough, CommitDone

COMMITS_IN_FLIGHT_MAX = 1000
HOLD_BACK_S_MAX = 0.002
log = logging.getLogger(__name__)


class Pause(Protocol):
    """Stops or resumes intake."""

    def __call__(self, *, paused: bool) -> None: ...


class CommitQueue(Protocol):
    """What is needed of a store here."""

    @property
    def in_flight(self) -> int: ...
    def start(self, done: CommitDone, through: CallThrough | None = None) -> None: ...
    def submit(self, commit: Commit) -> None: ...


class Committer:
    """Submits commits and reports them when they are in."""

    def __init__(
        self,
        store: CommitQueue,
        committed: Callable[[Sequence[Commit]], None],
        pause: Pause,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._committed = committed
        self._pause = pause
        self._pausing = False
        # Filled by the writer's thread, emptied by the loop's; bounded by the commits in flight.
        self._reported: deque[tuple[Sequence[Commit], StoreError | None]] = deque()
        self._held: asyncio.TimerHandle | None = None
        # Not the store's own count, which falls before its report is here.
        self._unreported = 0
        # In this turn of the loop; and what the store had no room for. Nothing is read while that waits, so
        # that only what was being proved, and sources that are lost, add to it.
        self._collected: list[Commit] = []
        self._kept = False  # whether the store had no room for what is collected
        self._idle = asyncio.Event()
        self._idle.set()
        self.failing: str | None = None

    def __repr__(self) -> str:
        return f"Committer({self._store.in_flight} in flight, failing={self.failing!r})"

    def start(self, through: CallThrough | None = None) -> None:
        """Let the store begin; each of its tries is made `through` a breaker, where there is one."""
        self._store.start(self._on_writer_thread, through)

    async def flushed(self) -> None:
        """Wait until all that was submitted is committed and handed over."""
        await self._idle.wait()

    def submit(self, commit: Commit) -> None:
        """Take a commit; those of one turn of the loop are given to the store together.

        A block may come in the turn of its header. Begun at once, the header's transaction would take the
        processor in pieces from what the block still needs, and the block then have one of its own.
        """
        if not self._collected:
            self._loop.call_soon(self._pass_on)
        self._collected.append(commit)
        self._unreported += 1
        self._idle.clear()
        if self._unreported >= COMMITS_IN_FLIGHT_MAX:
            self._set_paused()

    def _pass_on(self) -> None:
        """Give the store what it has room for; the rest follows when it has reported on what it has."""
        collected, taken = self._collected, 0
        try:
            for commit in collected:
                self._store.submit(commit)
                taken += 1
        except StoreError as error:
            if not self._kept:
                self._refused(str(error))
        del collected[:taken]
        self._kept = bool(collected)
        if self._kept:
            self._set_paused()

    def _on_writer_thread(self, commits: Sequence[Commit], error: StoreError | None) -> None:
        self._reported.append((commits, error))
        try:
            self._loop.call_soon_threadsafe(self._on_loop)
        except RuntimeError:
            # The loop has ended: the store is being closed, and nobody is left to hand over to.
            log.debug("commits came in after the loop had ended")

    def _on_loop(self) -> None:
        """Take what the writer has reported; hold it back a moment where more commits are on their way.

        A header is often logged just when its block has been submitted. Handed over at once, it would keep
        the loop and the writer from the block for as long as it takes to write it to every subscriber.
        """
        if not self._reported:
            return
        if self._held is None and self._more_is_coming():
            self._held = self._loop.call_later(HOLD_BACK_S_MAX, self._take_reports)
        else:
            self._take_reports()

    def _more_is_coming(self) -> bool:
        if any(error is not None for _, error in self._reported):
            return False
        return self._unreported > sum(len(commits) for commits, _ in self._reported)

    def _take_reports(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None
        reports = [self._reported.popleft() for _ in range(len(self._reported))]
        for failed, group in groupby(reports, key=lambda report: report[1] is not None):
            if failed:
                for _, error in group:
                    self._refused(str(error))
            else:
                self._logged([commit for commits, _ in group for commit in commits])
        if self._kept:
            self._pass_on()
        self._set_paused()

    def _refused(self, reason: str) -> None:
        if self.failing is None:
            log_fields(
                log,
                logging.ERROR,
                "the store refuses; intake stops until it takes the commit",
                reason=reason,
            )
        self.failing = reason

    def _logged(self, commits: Sequence[Commit]) -> None:
        if self.failing is not None:
            log_fields(log, logging.WARNING, "the store works again", waiting=self._store.in_flight)
        self.failing = None
        if commits:
            self._committed(commits)
        self._unreported -= len(commits)
        if not self._unreported:
            self._idle.set()

    def _set_paused(self) -> None:
        waiting = self._store.in_flight + len(self._collected)
        limit = COMMITS_IN_FLIGHT_MAX // 2 if self._pausing else COMMITS_IN_FLIGHT_MAX
        pausing = self.failing is not None or self._kept or waiting >= limit
        if pausing != self._pausing:
            self._pausing = pausing
            self._pause(paused=pausing)
