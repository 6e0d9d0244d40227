"""The writer thread: commits in the order of submission, one by one when idle, in groups under load.

It knows nothing of SQL: it is given what writes a group and what keeps the database in shape. A group that
fails stays first in line and is tried again, with longer and longer pauses, after its owner was told; then
commit by commit, so that the good ones before a bad one get in. Nothing is ever skipped. What the tries are
made through, a breaker, may say when the next one is; a stop makes its last one whatever that says.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from sprint.core.errors import CircuitOpenError, StoreError, StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.store import CallThrough, CommitDone
from sprint.tools.store.settings import StoreSettings

log = logging.getLogger(__name__)
# Writes a group whole or not at all; StoreFailing if the disk refuses.
WriteGroup = Callable[[Sequence[Commit]], None]
OPERATOR_LOOK_S = 0.25  # how soon a try follows where an operator lets none through


class KeepUp(Protocol):
    """Keeps the database in shape for a bounded while."""

    def __call__(self, *, idle: bool) -> None:
        """Do what is due; `idle` says that nothing has come for `idle_wait_ms`."""


class Writer:
    """Owns the queue and the thread. `submit` may be called from any thread."""

    def __init__(self, write_group: WriteGroup, upkeep: KeepUp, settings: StoreSettings) -> None:
        self._write_group = write_group
        self._upkeep = upkeep
        self._settings = settings
        self._waiting: deque[Commit] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._done: CommitDone = _tell_nobody
        self._through: CallThrough = _call
        self._failure: StoreError | None = None

    def __repr__(self) -> str:
        return f"Writer({self.in_flight} in flight, closing={self._closing.is_set()})"

    @property
    def in_flight(self) -> int:
        """Commits submitted and not yet in."""
        return len(self._waiting)

    @property
    def has_ended(self) -> bool:
        """Whether the thread has ended, or never ran, so that nothing is written any more."""
        return self._thread is None or not self._thread.is_alive()

    def start(self, done: CommitDone, through: CallThrough | None = None) -> None:
        """Start the thread. Each try is made `through` something that may refuse with CircuitOpenError."""
        if self._thread is not None or self._closing.is_set():
            raise StoreError("the writer was started before")
        self._done = done
        self._through = through or _call
        self._thread = threading.Thread(target=self._run, name="sprint-store-writer", daemon=True)
        self._thread.start()

    def submit(self, commit: Commit) -> None:
        """Queue a commit. StoreError when closed or full: a caller stops its intake long before that."""
        with self._changed:
            if self._closing.is_set():
                raise StoreError("the store is closed; a commit came too late")
            if self._thread is not None and not self._thread.is_alive():
                raise StoreError(f"the store's writer has ended: {self._failure or 'see the log'}")
            if len(self._waiting) >= self._settings.in_flight_max:
                raise StoreError(
                    f"{len(self._waiting)} commits wait, limit {self._settings.in_flight_max}; "
                    f"last failure: {self._failure or 'none'}"
                )
            self._waiting.append(commit)
            self._changed.notify()

    def close(self, timeout_s: float | None = None) -> None:
        """Commit what waits and end the thread. StoreFailing, naming what is left, if that cannot be.

        It takes at most `timeout_s`, by default the settings' `close_timeout_s`.
        """
        if self._thread is None:
            self.start(_tell_nobody)
        with self._changed:
            self._closing.set()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(self._settings.close_timeout_s if timeout_s is None else timeout_s)
        if self._waiting:
            positions = [event.position for commit in tuple(self._waiting) for event in commit.events]
            span = f"positions {positions[0]} to {positions[-1]}" if positions else "no events"
            raise StoreFailing(
                f"closed with {len(self._waiting)} commits not in ({span}); nobody was given them: "
                f"{self._failure or 'the writer did not answer'}"
            )

    def _run(self) -> None:
        group_max = self._settings.group_commits_max
        failures = commits_since_upkeep = 0
        while True:
            idle = self._wait()
            group = self._first(group_max if failures == 0 else 1)
            if not group:
                if self._closing.is_set():
                    return
                self._keep_in_shape(idle=idle)
                continue
            # A stop that comes while a try is refused finds the last one still to be made.
            last = self._closing.is_set()
            refused_s = self._commit(group, last=last)
            if refused_s is None:
                failures = 0
                commits_since_upkeep += len(group)
                # What waits goes first: a block is often right behind its header.
                if not self._waiting or commits_since_upkeep >= self._settings.upkeep_commits_max:
                    commits_since_upkeep = 0
                    self._keep_in_shape(idle=False)
            elif last:
                return
            else:
                failures += 1
                self._closing.wait(refused_s or self._pause_s(failures))

    def _wait(self) -> bool:
        """Wait until there is something to do; True if nothing came in time."""
        with self._changed:
            if self._waiting or self._closing.is_set():
                return False
            return not self._changed.wait(self._settings.idle_wait_ms / 1000)

    def _first(self, commits_max: int) -> list[Commit]:
        """Return the next group; it stays in line until it is in."""
        group: list[Commit] = []
        events = 0
        with self._changed:
            for commit in self._waiting:
                if len(group) >= commits_max or events >= self._settings.group_events_max:
                    break
                group.append(commit)
                events += len(commit.events)
        return group

    def _commit(self, group: list[Commit], *, last: bool) -> float | None:
        """Try a group; return None where it is in, or how long to wait, 0 where that is our own to say.

        The `last` try is made whatever a breaker says.
        """
        through = _call if last else self._through
        try:
            through(self._write_group, group)
        except CircuitOpenError as refused:
            if self._failure is None:  # else its owner knows by a better reason
                self._failure = StoreFailing(f"nothing is written: {refused}")
                self._done(group, self._failure)
            return OPERATOR_LOOK_S if refused.retry_after_s is None else max(refused.retry_after_s, 0.001)
        except StoreError as error:
            self._failure = error
            self._done(group, error)
            return 0.0
        except Exception as error:
            # A thread that ended over a mistake of ours would hold every commit back and tell nobody.
            if self._failure is None:
                log.exception("the store's writer failed, it tries again")
            self._failure = StoreFailing(f"the writer failed: {error!r}")
            self._done(group, self._failure)
            return 0.0
        with self._changed:
            for _ in group:
                self._waiting.popleft()
        self._failure = None
        self._done(group, None)
        return None

    def _keep_in_shape(self, *, idle: bool) -> None:
        try:
            self._upkeep(idle=idle)
        except Exception as error:
            if self._failure is None:
                log.exception("upkeep of the store failed, it is tried again")
            self._failure = StoreFailing(f"upkeep failed: {error!r}")
            self._done((), self._failure)
        else:
            if self._failure is not None:
                self._failure = None
                self._done((), None)

    def _pause_s(self, failures: int) -> float:
        longest = self._settings.retry_ms_max
        return min(self._settings.retry_ms_first * 2.0 ** min(failures - 1, 32), longest) / 1000


def _call(write_group: WriteGroup, group: Sequence[Commit]) -> None:
    """Stand in where nothing guards the writing."""
    write_group(group)


def _tell_nobody(commits: Sequence[Commit], error: StoreError | None) -> None:
    """Stand in where a store is closed without having been started."""
