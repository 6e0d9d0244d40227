"""What every store does alike: lends its writer, its reader and its queue of records out as one `Store`.

A database of its own kind gives the reader and what keeps it in shape, and does what only it can: bind a
chain, write a group, end (`sqlite.SqliteStore`, `postgres.store.PostgresStore`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Generic, Protocol, TypeVar

from sprint.core.relay.event_log import Commit, LoggedEvent
from sprint.core.relay.records import Record
from sprint.tools.runtime import clock
from sprint.tools.store import Answers, CallThrough, ChainSnapshot, CommitDone, LogBounds, StoredBlock
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.side_queue import SideQueue
from sprint.tools.store.writer import Writer

CLOSE_STEP_S_MIN = 0.05  # each step of a close is given so long, also when the time for all is over


class _KeepsBlocks(Protocol):
    def keep_blocks(self, blocks_max: int) -> None:
        """Keep what a restart loads, blocks `blocks_max` below a head."""


_Reader = TypeVar("_Reader", bound=Answers)
_Upkeep = TypeVar("_Upkeep", bound=_KeepsBlocks)


class LogStore(ABC, Generic[_Reader, _Upkeep]):
    """A `Store`, but for what depends on its database."""

    def __init__(self, reader: _Reader, upkeep: _Upkeep, settings: StoreSettings) -> None:
        self._settings = settings
        self._reader = reader
        self._upkeep = upkeep
        self._writer = Writer(self._write, self._keep_up, settings)
        self.records = SideQueue(self._write_records)
        self._closed = False

    @property
    def in_flight(self) -> int:
        return self._writer.in_flight

    def start(self, done: CommitDone, through: CallThrough | None = None) -> None:
        self._writer.start(done, through)

    def submit(self, commit: Commit) -> None:
        self._writer.submit(commit)

    def submit_records(self, records: Sequence[Record]) -> None:
        self.records.put(records)

    def snapshot(self, chain: str, blocks_max: int) -> ChainSnapshot:
        self._upkeep.keep_blocks(blocks_max)
        return self._reader.snapshot(chain, blocks_max)

    def bounds(self) -> LogBounds:
        return self._reader.bounds()

    def read_events(
        self, after: int, upto: int, chains: Collection[str], types: Collection[str], limit: int
    ) -> list[LoggedEvent]:
        return self._reader.read_events(after, upto, chains, types, limit)

    def block_by_hash(self, displayed_hash: str) -> list[StoredBlock]:
        return self._reader.block_by_hash(displayed_hash)

    def block_at(self, chain: str, height: int) -> StoredBlock | None:
        return self._reader.block_at(chain, height)

    def blocks_before(self, chain: str, before: int, limit: int) -> list[StoredBlock]:
        return self._reader.blocks_before(chain, before, limit)

    def close(self, timeout_s: float | None = None) -> None:
        """Commit what was submitted, mark the stop as clean, close. StoreFailing names what is not in.

        A store that could not commit everything is not marked as clean, and closed all the same. It takes
        `timeout_s` at most, by default the settings' `close_timeout_s`; a writer that still waits for its
        database then keeps the lock until that wait ends, as nobody else may write beside it.
        """
        if self._closed:
            return
        self._closed = True
        self._end(clock() + (self._settings.close_timeout_s if timeout_s is None else timeout_s))

    def _finish_writing(self, ends_at: float) -> None:
        """Commit what was submitted, then what is left of the records. StoreFailing names what is not in."""
        self._writer.close(left_s(ends_at))
        self.records.finish(ends_at)

    @abstractmethod
    def _end(self, ends_at: float) -> None:
        """Finish the writing, mark the stop as clean, close, at `ends_at` at the latest."""

    @abstractmethod
    def _write(self, commits: Sequence[Commit]) -> None:
        """Write a group whole or not at all; StoreFailing where the database refuses it."""

    @abstractmethod
    def _keep_up(self, *, idle: bool) -> None:
        """Keep the database in shape for a bounded while, then write waiting records."""

    @abstractmethod
    def _write_records(self, records: Sequence[Record]) -> None:
        """Write them all or none: StoreError where the database fails, ValueError where one is at fault."""


def left_s(ends_at: float) -> float:
    """Return how long a step of a close is given that ends at `ends_at`."""
    return max(CLOSE_STEP_S_MIN, ends_at - clock())
