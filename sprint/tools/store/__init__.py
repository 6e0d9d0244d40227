"""Where events and blocks are kept. `Store` is what the relay needs of any database.

`opening.open_store` opens one by its URL: `sqlite` is the embedded one, `postgres` the other. Writing goes
through `submit`, which never blocks: one writer thread commits in the order of submission, in groups under
load, and calls back on its own thread. Reading has its own connections and blocks, so it is called from a
reader thread.

A commit that the disk refuses stays first in line and is tried again; nothing behind it overtakes it, also
not of another chain, because a cursor promises that all positions before it are there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from sprint.core.errors import StoreError
from sprint.core.relay.event_log import BlockRow, Commit, LoggedEvent
from sprint.core.relay.records import Record


class ChainSnapshot(msgspec.Struct, frozen=True):
    """What a chain restarts from: its newest blocks by height (side branches too), its head, its last seq.

    `stalled` is the reason of the stall that was told last and has not ended, or empty.
    """

    blocks: tuple[BlockRow, ...]
    head: bytes | None
    seq: int
    stalled: str = ""


class StoredBlock(msgspec.Struct, frozen=True):
    """A delivered block as the API answers it: its event's bytes and whether it is on the best branch."""

    chain: str
    hash: str
    height: int
    canonical: bool
    event_body: bytes


class LogBounds(msgspec.Struct, frozen=True):
    """`earliest` is the position before the oldest kept event; `latest` that of the newest (0 if empty)."""

    earliest: int
    latest: int


# Called on the writer thread with the commits of one group in order, once they are in, or with what stopped
# them, once per try (they are kept and tried again). Without commits it tells that the store fails at what
# nobody foresaw, or that it works again. It must not raise and must not wait.
CommitDone = Callable[[Sequence[Commit], StoreError | None], None]

# Calls what writes a group with that group; CircuitOpenError, with when to try again, where it does not.
CallThrough = Callable[[Callable[[Sequence[Commit]], None], Sequence[Commit]], None]


class Answers(Protocol):
    """What can be asked of one event log and the blocks of its chains. It blocks."""

    def snapshot(self, chain: str, blocks_max: int) -> ChainSnapshot:
        """Load what the chain restarts from: blocks at most `blocks_max` below its head, lowest first."""

    def bounds(self) -> LogBounds:
        """Return the kept range of positions."""

    def read_events(
        self, after: int, upto: int, chains: Collection[str], types: Collection[str], limit: int
    ) -> list[LoggedEvent]:
        """Events with after < position <= upto, oldest first; empty collections mean all."""

    def block_by_hash(self, displayed_hash: str) -> list[StoredBlock]:
        """Return the delivered block of that hash on each chain that has it."""

    def block_at(self, chain: str, height: int) -> StoredBlock | None:
        """Return the delivered block of the best branch at a height."""

    def blocks_before(self, chain: str, before: int, limit: int) -> list[StoredBlock]:
        """Delivered blocks of the best branch below height `before`, newest first."""


class Store(Answers, Protocol):
    """A database that holds one event log and the blocks of its chains."""

    @property
    def log_id(self) -> str:
        """Random id of the log, hex."""

    def bind_chain(self, chain: str, genesis_hash: bytes) -> None:
        """Bind a chain's rows to its genesis; StoreForeign if they belong to another."""

    def start(self, done: CommitDone, through: CallThrough | None = None) -> None:
        """Start the writer thread; it makes each try `through` a breaker, where there is one."""

    def submit(self, commit: Commit) -> None:
        """Queue a commit; never blocks. `in_flight` tells how many wait; StoreError beyond the limit."""

    @property
    def in_flight(self) -> int:
        """Commits submitted and not yet in."""

    def submit_records(self, records: Sequence[Record]) -> None:
        """Queue records beside the log; never blocks, and no commit waits for them. See `side_queue`."""

    def close(self, timeout_s: float | None = None) -> None:
        """Commit what was submitted, mark the stop as clean, close. StoreFailing names what is not in."""
