"""How a store's schema is brought from version to version; what `sprint migrate` and the stores stand on.

`packaged` reads the SQL files, `runner` applies them to any `Database`, `sqlite_dialect` and
`postgres_dialect` are the two there are. What follows from what is applied is `sprint.core.migrate`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sprint.core.migrate.order import Applied
from sprint.core.migrate.schema import Schema
from sprint.core.migrate.tokens import Dialect

LOCK_WAIT_S = 30.0
LOCK_POLL_S = 0.05
STATEMENT_LOCK_WAIT_S = 5.0

# Takes a note for people, as whom a migrator waits for.
Tell = Callable[[str], None]


class Refused(Exception):
    """A database refuses a statement: why, and where in it, in characters from 0, where that is known."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


class Database(Protocol):
    """A database that is migrated. One thread uses it; StoreError where it cannot be reached or used."""

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks."""

    @property
    def address(self) -> str:
        """What messages call it; never with a password."""

    def held(self, wait_s: float, tell: Tell) -> AbstractContextManager[None]:
        """Be the one migrator; StoreError, naming who is, where that takes longer than `wait_s`."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what is done within, or leave no trace of it."""

    def execute(self, statement: str) -> None:
        """Run a statement; Refused where the database does."""

    def answer(self, query: str) -> Sequence[Sequence[object]]:
        """Return the first rows of a query, at most two; Refused where the database does."""

    def prepare(self) -> None:
        """Make the table of applied versions where it isn't; within a transaction."""

    def applied(self) -> tuple[Applied, ...]:
        """Return the versions that were applied, lowest first; none where nothing ever was."""

    def record(self, applied: Applied) -> None:
        """Note a version, in the place of what was noted of it."""

    def forget(self, version: int) -> None:
        """Take a version's note away."""

    def ask_for_new_log(self) -> str | None:
        """Have the next relay begin a new log, within `held`; return the old one's id, None where none is.

        StoreError where a relay has the database.
        """

    def schema(self) -> Schema:
        """Read the live schema, without the table of applied versions."""

    def shadow(self) -> AbstractContextManager[Database]:
        """Lend an empty database of the same kind, which is gone afterwards."""

    def copy_before(self, what: str) -> str | None:
        """Copy the database where that is ours to do; return where to, else None."""

    def close(self) -> None:
        """Let go of it; again is harmless."""


def tell_nobody(note: str) -> None:
    """Stand in where nobody listens."""
