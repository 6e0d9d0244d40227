"""Connections to the embedded database, and who holds which.

A SQLite connection is used by one thread at a time: whoever wants one borrows it from `Connections` and
gives it back. The writer has one of its own, readers have a few that cannot write. A database in memory
lives in a single connection, which its readers and its writer then take turns with.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from sprint.core.errors import StoreError, StoreFailing
from sprint.tools.store.settings import Durability, StoreSettings

PUT_BACK = "put a copy back, and take away the -wal and -shm of the file that it replaces"
_SYNCHRONOUS: dict[Durability, str] = {"process": "NORMAL", "disk": "FULL", "memory": "OFF"}


class Connections:
    """A fixed number of connections, each lent to one thread at a time, in the order of asking.

    The order matters in memory, where a busy reader would else never let the writer have its turn.
    """

    def __init__(self, connections: Sequence[sqlite3.Connection]) -> None:
        self._all = tuple(connections)
        self._guard = threading.Lock()
        self._free = deque(connections)
        self._waiting: deque[SimpleQueue[sqlite3.Connection]] = deque()  # one a thread that waits
        self._closed = False

    def __repr__(self) -> str:
        return f"Connections({len(self._free)} of {len(self._all)} free)"

    @contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for the length of the block; waits while all are out."""
        turn: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        with self._guard:
            if self._closed:
                raise StoreError("the store is closed")
            if self._free:
                turn.put(self._free.popleft())
            else:
                self._waiting.append(turn)
        connection = turn.get()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def close(self, timeout_s: float) -> bool:
        """Break off what still runs, wait for it, close. False if one did not come back in time."""
        turn: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        with self._guard:
            if self._closed:
                return True
            self._closed = True
            for connection in self._all:
                connection.interrupt()
            self._waiting.extend([turn] * (len(self._all) - len(self._free)))
            for connection in self._free:
                turn.put(connection)
        for _ in self._all:
            try:
                turn.get(timeout=timeout_s).close()
            except Empty:
                return False
        return True

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().put(connection)
            else:
                self._free.append(connection)


def open_writer(path: Path | None, settings: StoreSettings) -> sqlite3.Connection:
    """Open the connection that writes. The first transaction is synced; `relax` ends that."""
    connection = _connect(":memory:" if path is None else path.as_uri(), settings)
    # Checkpoints are the writer's own, made when nothing waits.
    pragmas = (
        "journal_mode = WAL",
        "wal_autocheckpoint = 0",
        f"journal_size_limit = {settings.wal_bytes_kept}",
        "synchronous = FULL",
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()  # a file that is no database is told by the first of them
        raise
    return connection


def relax(connection: sqlite3.Connection, durability: Durability) -> None:
    """Sync from now on as the durability asks."""
    connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")


def open_reader(path: Path, settings: StoreSettings) -> sqlite3.Connection:
    """Open a connection that cannot write."""
    return _connect(path.as_uri() + "?mode=ro", settings)


def open_checkpointer(path: Path, settings: StoreSettings) -> sqlite3.Connection:
    """Open the connection that makes checkpoints beside the writer."""
    connection = _connect(path.as_uri(), settings)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    relax(connection, settings.durability)
    return connection


def failing(path: Path | None, error: Exception) -> StoreFailing:
    """Say what SQLite refused, of which file."""
    name = getattr(error, "sqlite_errorname", None)
    advice = f"; {PUT_BACK}" if name == "SQLITE_CORRUPT" else ""
    return StoreFailing(f"{path or 'store in memory'}: {error}" + (f" ({name})" if name else "") + advice)


def _connect(address: str, settings: StoreSettings) -> sqlite3.Connection:
    return sqlite3.connect(
        address,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=settings.busy_timeout_ms / 1000,
        cached_statements=64,
    )
