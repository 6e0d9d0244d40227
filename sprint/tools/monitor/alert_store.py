"""Alerts on disk: which stand, what was, and what has to be sent yet, so that a restart loses none.

A change and what is to be sent of it are written together and synced before anybody is told.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sprint.core.errors import StoreError
from sprint.core.monitor.alerts.standing import Alert
from sprint.tools.store.file_lock import FileLock

HISTORY_MAX = 1_000
# At some 700 bytes each 70 MB; a sink that has been out for that many is given the newest.
WAITING_MAX = 100_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS standing (id TEXT PRIMARY KEY, alert BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS history (number INTEGER PRIMARY KEY, alert BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY, sink TEXT NOT NULL, alert BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS outbox_of_sink ON outbox (sink, number);
"""
_alert = msgspec.json.Decoder(Alert)


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

    def standing(self) -> list[Alert]:
        """Return the alerts that stood at the last change, in the order in which they came."""
        return [_alert.decode(text) for (text,) in self._rows("SELECT alert FROM standing ORDER BY rowid")]

    def history(self) -> list[Alert]:
        """Return the newest that are over, oldest first."""
        return [_alert.decode(text) for (text,) in self._rows("SELECT alert FROM history ORDER BY number")]

    def keep(self, changes: Sequence[tuple[Alert, Sequence[str]]]) -> int:
        """Write changes, each with the sinks that are told of it. Return how many messages were given up."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                for alert, sinks in changes:
                    self._keep(alert, sinks)
                given_up = self._bound()
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise StoreError(f"{self.file}: {error}; alerts can't be kept") from error
        return given_up

    def waiting(self, sink: str, most: int) -> list[Waiting]:
        """Return the oldest messages for a sink."""
        asked = "SELECT number, alert FROM outbox WHERE sink = ? ORDER BY number LIMIT ?"
        return [Waiting(number, _alert.decode(text)) for number, text in self._rows(asked, sink, most)]

    def counts(self) -> Mapping[str, int]:
        """Return how many messages wait for each sink, also for those that are no longer configured."""
        return dict(self._rows("SELECT sink, count(*) FROM outbox GROUP BY sink"))

    def done(self, messages: Sequence[Waiting]) -> None:
        """Forget messages: they were confirmed, or refused for good."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany(
                    "DELETE FROM outbox WHERE number = ?", [(each.number,) for each in messages]
                )
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise StoreError(f"{self.file}: {error}") from error

    def _keep(self, alert: Alert, sinks: Sequence[str]) -> None:
        text = msgspec.json.encode(alert)
        if alert.change == "resolved":
            self._database.execute("DELETE FROM standing WHERE id = ?", (alert.id,))
            self._database.execute("INSERT INTO history (alert) VALUES (?)", (text,))
        else:
            self._database.execute(
                "INSERT INTO standing VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET alert = excluded.alert",
                (alert.id, text),
            )
        for sink in sinks:
            self._database.execute("INSERT INTO outbox (sink, alert) VALUES (?, ?)", (sink, text))

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
