"""Alerts on disk: which stand, what was, silences, and what has to be sent yet, so that a restart loses none.

A change and what is to be sent of it are written together and synced before anybody is told.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from sprint.core.errors import StoreError
from sprint.core.monitor.alerts.book import Entry, Kept
from sprint.core.monitor.alerts.silences import Silence
from sprint.core.monitor.alerts.standing import Alert
from sprint.tools.store.file_lock import FileLock

HISTORY_MAX = 10_000
# At some 700 bytes each 70 MB; a sink that has been out for that many is given the newest.
WAITING_MAX = 100_000
# Of SQLite: no row has a higher one.
NUMBER_MAX = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (id TEXT PRIMARY KEY, kept BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS silences (id TEXT PRIMARY KEY, silence BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS history (number INTEGER PRIMARY KEY, alert BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY, sink TEXT NOT NULL, alert BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS outbox_of_sink ON outbox (sink, number);
"""
Row = TypeVar("Row")
_alert = msgspec.json.Decoder(Alert)
_kept = msgspec.json.Decoder(Kept)
_silence = msgspec.json.Decoder(Silence)


class Past(NamedTuple):
    """An alert that is over, by the number that it was written under."""

    number: int
    alert: Alert


class Waiting(NamedTuple):
    """A message that has to be sent yet."""

    number: int
    alert: Alert


class AlertStore:
    """One file, of one process. Its methods may be called from any thread.

    StoreError where another process has it, or it cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._held = FileLock(file)
        except OSError as error:
            raise StoreError(f"{file}: {error}; name a place to write with --alerts-file") from error
        try:
            self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._held.release()
            raise StoreError(f"{file}: {error}; name another file with --alerts-file") from error

    def __repr__(self) -> str:
        return f"AlertStore({self.file})"

    def close(self) -> None:
        """Let the file go. May be called again."""
        with self._lock:
            self._database.close()
            self._held.release()

    def standing(self) -> list[Kept]:
        """Return the alerts that stood at the last change, in the order in which they came."""
        return [self._read(_kept, text) for (text,) in self._rows("SELECT kept FROM kept ORDER BY rowid")]

    def silences(self) -> list[Silence]:
        """Return the silences, also those that have ended meanwhile."""
        return [self._read(_silence, text) for (text,) in self._rows("SELECT silence FROM silences")]

    def history(self, most: int, before: int | None = None) -> list[Past]:
        """Return those that are over, the newest first; with `before` those from before that number."""
        asked = "SELECT number, alert FROM history WHERE number < ? ORDER BY number DESC LIMIT ?"
        rows = self._rows(asked, NUMBER_MAX if before is None else before, most)
        return [Past(number, self._read(_alert, text)) for number, text in rows]

    def keep(self, entries: Sequence[Entry], silences: Sequence[Silence] | None = None) -> int:
        """Write what has changed and what is sent of it, and all silences where they have changed.

        Returns how many messages were given up.
        """
        with self._lock, self._written("alerts can't be kept"):
            for entry in entries:
                self._keep(entry)
            if silences is not None:
                self._database.execute("DELETE FROM silences")
                rows = [(each.id, msgspec.json.encode(each)) for each in silences]
                self._database.executemany("INSERT INTO silences VALUES (?, ?)", rows)
            return self._bound()

    def waiting(self, sink: str, most: int) -> list[Waiting]:
        """Return the oldest messages for a sink."""
        asked = "SELECT number, alert FROM outbox WHERE sink = ? ORDER BY number LIMIT ?"
        return [Waiting(number, self._read(_alert, text)) for number, text in self._rows(asked, sink, most)]

    def counts(self) -> Mapping[str, int]:
        """Return how many messages wait for each sink, also for those that are no longer configured."""
        return dict(self._rows("SELECT sink, count(*) FROM outbox GROUP BY sink"))

    def done(self, messages: Sequence[Waiting]) -> None:
        """Forget messages: they were confirmed, or refused for good."""
        with self._lock, self._written("what was sent can't be taken down"):
            rows = [(each.number,) for each in messages]
            self._database.executemany("DELETE FROM outbox WHERE number = ?", rows)

    @contextlib.contextmanager
    def _written(self, failed: str) -> Iterator[None]:
        """Have all of it written, or nothing."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self.file}: {error}; {failed}") from error
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _keep(self, entry: Entry) -> None:
        alert = entry.kept.alert
        if alert.change == "resolved":
            self._database.execute("DELETE FROM kept WHERE id = ?", (alert.id,))
            text = msgspec.json.encode(alert)
            self._database.execute("INSERT INTO history (alert) VALUES (?)", (text,))
        else:
            self._database.execute(
                "INSERT INTO kept VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET kept = excluded.kept",
                (alert.id, msgspec.json.encode(entry.kept)),
            )
        rows = [(sink, msgspec.json.encode(message)) for sink, message in entry.messages]
        self._database.executemany("INSERT INTO outbox (sink, alert) VALUES (?, ?)", rows)

    def _bound(self) -> int:
        """Keep the tables within their limits."""
        self._database.execute(
            "DELETE FROM history WHERE number IN"
            " (SELECT number FROM history ORDER BY number DESC LIMIT -1 OFFSET ?)",
            (HISTORY_MAX,),
        )
        found = self._database.execute(
            "DELETE FROM outbox WHERE number IN"
            " (SELECT number FROM outbox ORDER BY number DESC LIMIT -1 OFFSET ?)",
            (WAITING_MAX,),
        )
        return max(0, found.rowcount)

    def _rows(self, asked: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._database.execute(asked, values).fetchall()
            except sqlite3.Error as error:
                raise StoreError(f"{self.file}: {error}") from error

    def _read(self, decoder: msgspec.json.Decoder[Row], text: bytes) -> Row:
        try:
            return decoder.decode(text)
        except msgspec.DecodeError as error:
            raise StoreError(f"{self.file}: a row can't be read: {error}; move the file away") from error
