"""The embedded store: one SQLite file, one writer thread, readers that cannot write.

`open_store` takes the file's lock, brings its schema up to date (a copy of an existing file first), decides
whether its log goes on or a new one begins (`log_identity`), and returns a `SqliteStore`, which is a
`Store`. What it does is elsewhere: `writer` orders, `transaction` writes, `reader` answers, `upkeep` keeps
the file small.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from sprint.core.errors import ConfigError, StoreForeign
from sprint.core.relay.event_log import Commit
from sprint.core.relay.records import Record
from sprint.tools.store.connections import (
    Connections,
    failing,
    open_checkpointer,
    open_reader,
    open_writer,
    relax,
)
from sprint.tools.store.file_lock import FileLock
from sprint.tools.store.high_water import HighWater, high_water_of
from sprint.tools.store.log_identity import Opening, mark_clean_stop, open_log, read_boot_id
from sprint.tools.store.log_store import LogStore, left_s
from sprint.tools.store.migrating.sqlite_dialect import SqliteDatabase
from sprint.tools.store.migrating.startup import bring_up
from sprint.tools.store.reader import Reader
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.transaction import last_position, write_group, write_records
from sprint.tools.store.upkeep import Upkeep


def open_store(
    path: Path | None,
    settings: StoreSettings,
    *,
    wall_clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    boot_id: str | None = None,
) -> SqliteStore:
    """Open the store in the file `path`; with durability `memory` no file is touched.

    StoreError if another relay has it, StoreMismatch if its schema is not one of this version's,
    StoreFailing if the file cannot be used. `boot_id` is the system's unless a test tells another.
    """
    in_memory = settings.durability == "memory"
    if path is None and not in_memory:
        raise ConfigError(f"durability {settings.durability!r} needs a file; give --data-dir")
    file = None if in_memory or path is None else path.resolve()
    with ExitStack() as undo:
        try:
            lock = _lock(file, undo)
            writer = open_writer(file, settings)
            undo.callback(writer.close)
            now_ms = int(wall_clock() * 1000)
            bring_up(
                SqliteDatabase(writer, file), now_ms=now_ms, auto_migrate=settings.auto_migrate or in_memory
            )
            high_water = high_water_of(file)
            undo.callback(high_water.close)
            opening = Opening(settings.durability, now_ms, random_bytes, high_water)
            log_id = open_log(writer, opening, boot_id=read_boot_id() if boot_id is None else boot_id)
            relax(writer, settings.durability)
            checkpointing = None
            reading = writing = Connections([writer])
            if file is not None:
                checkpointing = open_checkpointer(file, settings)
                undo.callback(checkpointing.close)
                reading = _open_readers(file, settings, undo)
        except (sqlite3.Error, OSError) as error:
            raise failing(file, error) from error
        undo.pop_all()
    opened = _OpenFile(file, lock, writing, reading, checkpointing, log_id, high_water)
    return SqliteStore(opened, settings, wall_clock)


class _OpenFile(msgspec.Struct, frozen=True):
    """What `open_store` opened. In memory there is no path and no lock, and one connection for all."""

    path: Path | None
    lock: FileLock | None
    writing: Connections
    reading: Connections
    checkpointing: sqlite3.Connection | None
    log_id: str
    high_water: HighWater


class SqliteStore(LogStore[Reader, Upkeep]):
    """A `Store` in one SQLite file, or in memory. Made by `open_store`."""

    def __init__(self, file: _OpenFile, settings: StoreSettings, wall_clock: Callable[[], float]) -> None:
        self._file = file
        self._wall_clock = wall_clock
        super().__init__(
            Reader(file.reading, file.log_id, file.path),
            Upkeep(file.path, settings, wall_clock, file.checkpointing),
            settings,
        )

    def __repr__(self) -> str:
        return f"SqliteStore({self._file.path or 'memory'}, log={self.log_id}, in_flight={self.in_flight})"

    @property
    def log_id(self) -> str:
        return self._file.log_id

    def bind_chain(self, chain: str, genesis_hash: bytes) -> None:
        with self._file.writing.borrow() as connection:
            try:
                connection.execute(
                    "INSERT INTO sprint_chains_parameters VALUES (?, ?) ON CONFLICT (chain) DO NOTHING",
                    (chain, genesis_hash),
                )
                (bound,) = connection.execute(
                    "SELECT genesis FROM sprint_chains_parameters WHERE chain = ?", (chain,)
                ).fetchone()
            except sqlite3.Error as error:
                raise failing(self._file.path, error) from error
        if bound != genesis_hash:
            raise StoreForeign(
                f"{self._file.path or 'the store'} holds {chain} with genesis {bound.hex()}, configured is "
                f"{genesis_hash.hex()} (bytes as hashed); give another --data-dir"
            )

    def _end(self, ends_at: float) -> None:
        try:
            self._finish_writing(ends_at)
            if self._file.reading is not self._file.writing:
                self._file.reading.close(left_s(ends_at))
            self._upkeep.close()
            with self._file.writing.borrow() as connection:
                mark_clean_stop(connection)
        except sqlite3.Error as error:
            raise failing(self._file.path, error) from error
        finally:
            self._upkeep.close()
            self._file.reading.close(left_s(ends_at))
            # A writer that hangs in the disk keeps the lock: nobody else may write beside it.
            if self._file.writing.close(left_s(ends_at)):
                if self._writer.has_ended:
                    self._file.high_water.close()
                if self._file.lock is not None:
                    self._file.lock.release()

    def _write(self, commits: Sequence[Commit]) -> None:
        """Write a group; whatever refuses it is told as a StoreFailing, so that the writer tries again."""
        with self._file.writing.borrow() as connection:
            try:
                write_group(connection, commits, int(self._wall_clock() * 1000))
            except (sqlite3.Error, ArithmeticError, TypeError, ValueError) as error:
                raise failing(self._file.path, error) from error
        position = last_position(commits)
        if position is not None:
            self._file.high_water.note(position)

    def _keep_up(self, *, idle: bool) -> None:
        with self._file.writing.borrow() as connection:
            self._upkeep.run(connection, idle=idle)
        self.records.run()

    def _write_records(self, records: Sequence[Record]) -> None:
        with self._file.writing.borrow() as connection:
            try:
                write_records(connection, records)
            except (sqlite3.IntegrityError, sqlite3.ProgrammingError, OverflowError) as error:
                raise ValueError(str(error)) from error
            except sqlite3.Error as error:
                raise failing(self._file.path, error) from error


def _lock(file: Path | None, undo: ExitStack) -> FileLock | None:
    if file is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(file)
    undo.callback(lock.release)
    return lock


def _open_readers(file: Path, settings: StoreSettings, undo: ExitStack) -> Connections:
    connections = []
    for _ in range(settings.readers):
        connections.append(open_reader(file, settings))
        undo.callback(connections[-1].close)
    return Connections(connections)
