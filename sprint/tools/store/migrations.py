"""Schema versions: numbered SQL files with up and down, applied in order, each in one transaction.

`packaged_migrations` reads the files of a dialect, `migrate_up` and `migrate_down` apply them under an
exclusive lock, so that two runners are safe, and `check_applied` refuses a database that these files do
not explain: an applied file that was edited, a version that is newer, missing or out of order. A failure
rolls its file back whole and names file, statement and line.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from sprint.core.errors import StoreError, StoreMismatch

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.(up|down)\.sql")
_APPLIED_TABLE = """
CREATE TABLE IF NOT EXISTS sprint_migrations_applied (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL
)"""


class Migration(msgspec.Struct, frozen=True):
    """One version. `name` is the file's, without `.up.sql`."""

    version: int
    name: str
    up: str
    down: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the up file; the same whatever line ends a checkout gave it."""
        return hashlib.sha256(_normalised(self.up).encode()).hexdigest()


class Applied(msgspec.Struct, frozen=True):
    """A version that a database says was applied to it."""

    version: int
    name: str
    checksum: str


def packaged_migrations(dialect: str) -> tuple[Migration, ...]:
    """Read the migrations of `sqlite` (other dialects come with their store)."""
    return read_migrations(resources.files("sprint.tools.store") / "sql" / dialect)


def read_migrations(folder: Traversable) -> tuple[Migration, ...]:
    """Read a folder of `NNNN_name.up.sql` and `.down.sql`: numbered from 1 without a hole, each a pair."""
    texts: dict[tuple[int, str], dict[str, str]] = {}
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _FILE_NAME.fullmatch(file.name)
        if match is None:
            raise StoreMismatch(f"migration {file.name}: name it NNNN_what_it_does.up.sql or .down.sql")
        version, title, direction = match.groups()
        texts.setdefault((int(version), f"{version}_{title}"), {})[direction] = file.read_text("utf-8")
    found = []
    for expected, ((version, name), pair) in enumerate(sorted(texts.items()), start=1):
        if version != expected:
            raise StoreMismatch(f"migration {name}: version {expected:04d} was expected in its place")
        for direction in ("up", "down"):
            if direction not in pair:
                raise StoreMismatch(f"migration {name}: {name}.{direction}.sql is missing")
        found.append(Migration(version, name, pair["up"], pair["down"]))
    return tuple(found)


def migrate_up(
    connection: sqlite3.Connection, known: Sequence[Migration], *, now_ms: int, to: int | None = None
) -> list[str]:
    """Apply what is not applied yet, up to version `to`. Returns the names."""
    done: list[str] = []
    for migration in known:
        if to is not None and migration.version > to:
            break
        with _exclusive(connection):
            applied = read_applied(connection)
            check_applied(known, applied)
            if migration.version <= len(applied):
                continue
            connection.execute(_APPLIED_TABLE)
            _run_file(connection, f"{migration.name}.up.sql", migration.up)
            connection.execute(
                "INSERT INTO sprint_migrations_applied VALUES (?, ?, ?, ?)",
                (migration.version, migration.name, migration.checksum, now_ms),
            )
        done.append(migration.name)
    return done


def migrate_down(connection: sqlite3.Connection, known: Sequence[Migration], *, to: int) -> list[str]:
    """Undo applied versions above `to`, newest first. Returns the names."""
    done: list[str] = []
    for migration in reversed(known):
        if migration.version <= to:
            break
        with _exclusive(connection):
            applied = read_applied(connection)
            check_applied(known, applied)
            if migration.version > len(applied):
                continue
            _run_file(connection, f"{migration.name}.down.sql", migration.down)
            connection.execute(
                "DELETE FROM sprint_migrations_applied WHERE version = ?", (migration.version,)
            )
        done.append(migration.name)
    return done


def read_applied(connection: sqlite3.Connection) -> tuple[Applied, ...]:
    """Return the versions applied to a database, lowest first; none if it was never migrated."""
    present = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sprint_migrations_applied'"
    ).fetchone()
    if present is None:
        return ()
    rows = connection.execute(
        "SELECT version, name, checksum FROM sprint_migrations_applied ORDER BY version"
    )
    return tuple(Applied(*row) for row in rows)


def check_applied(known: Sequence[Migration], applied: Sequence[Applied]) -> None:
    """Refuse a database whose applied versions are not the first ones of `known`, unedited."""
    by_version = {migration.version: migration for migration in known}
    newest = known[-1].version if known else 0
    for expected, found in enumerate(applied, start=1):
        if found.version > newest:
            raise StoreMismatch(
                f"the schema has version {found.name}, this version of Sprint knows up to {newest:04d}; "
                "use a newer Sprint or another data directory"
            )
        if found.version != expected:
            raise StoreMismatch(
                f"migration {by_version[expected].name} was not applied but {found.name} was; "
                "out of order, restore a copy of the database"
            )
        migration = by_version[found.version]
        if migration.name != found.name:
            raise StoreMismatch(f"the schema has version {found.name}, the package {migration.name}")
        if migration.checksum != found.checksum:
            raise StoreMismatch(
                f"{migration.name}.up.sql was edited after it was applied: checksum "
                f"{migration.checksum[:12]}, applied {found.checksum[:12]}; restore the file, "
                "make the change in a new one"
            )


def copy_before_migration(
    connection: sqlite3.Connection, path: Path, known: Sequence[Migration]
) -> Path | None:
    """Copy an existing database that is about to be migrated; None where there is nothing to save."""
    applied = read_applied(connection)
    if not applied or len(applied) >= len(known):
        return None
    target = path.with_name(f"{path.name}.before-{known[len(applied)].name}")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial)) as copy:
        connection.backup(copy)
    partial.replace(target)
    return target


@contextmanager
def _exclusive(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _run_file(connection: sqlite3.Connection, file_name: str, text: str) -> None:
    for number, (line, statement) in enumerate(_statements(text), start=1):
        try:
            connection.execute(statement)
        except sqlite3.Error as error:
            raise StoreError(
                f"{file_name}: statement {number} at line {line}: {error}; nothing of this file was applied"
            ) from error


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Split a file into its statements, each with the line it starts on."""
    gathered: list[str] = []
    start = 1
    for number, line in enumerate(_normalised(text).splitlines(), start=1):
        bare = line.strip()
        if not gathered and (not bare or bare.startswith("--")):
            continue
        if not gathered:
            start = number
        gathered.append(line)
        statement = "\n".join(gathered)
        if sqlite3.complete_statement(statement):
            yield start, statement
            gathered = []
    if gathered:
        yield start, "\n".join(gathered)


def _normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
