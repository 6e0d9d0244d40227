"""What a migration is: a numbered pair of SQL files, up and down, and what may stand in one.

    -- transaction:false            before the first statement: the file is one statement, run without one
    CREATE TABLE …;                 the statements
    -- verify: every block has a height
    SELECT count(*) = 0 FROM …;     queries that must each give one true value, else all is rolled back

The checksum is over the up file with its line ends normalised, so that a checkout's own don't count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from sprint.core.errors import ConfigError, StoreMismatch
from sprint.core.migrate.statements import Statement, normalised, place_of, split, words_of
from sprint.core.migrate.tokens import Dialect

Direction = Literal["up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
NAME_LENGTH_MAX = 64
VERSION_MAX = 9_999
FILE_BYTES_MAX = 1 << 20
OPEN_COMMENT = "/*"
TITLE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.(up|down)\.sql")
_WITHOUT_TRANSACTION = re.compile(r"^[ \t]*--[ \t]*transaction[ \t]*:[ \t]*false[ \t]*$", re.MULTILINE)
_VERIFY = re.compile(r"^[ \t]*--[ \t]*verify[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
# A file that ends the transaction it runs in could no longer be rolled back whole.
_TRANSACTION_WORDS = frozenset(
    {"BEGIN", "COMMIT", "END", "ROLLBACK", "ABORT", "START", "SAVEPOINT", "RELEASE"}
)
_QUERY_WORDS = frozenset({"SELECT", "VALUES", "WITH", "TABLE"})


class Migration(msgspec.Struct, frozen=True):
    """One version. `name` is the files', without `.up.sql`; `up` and `down` are their texts."""

    version: int
    name: str
    up: str
    down: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the up file, the same whatever line ends a checkout gave it."""
        return hashlib.sha256(normalised(self.up).encode()).hexdigest()


class Check(msgspec.Struct, frozen=True):
    """A query of a verify section, and what it is there to show."""

    says: str
    query: Statement


class Script(msgspec.Struct, frozen=True):
    """A file taken apart. Without a transaction it has exactly one statement."""

    file: str
    text: str
    transactional: bool
    statements: tuple[Statement, ...]
    checks: tuple[Check, ...]


def migrations_of(texts: Mapping[str, str]) -> tuple[Migration, ...]:
    """Pair files by name: numbered from 1 without a hole, each up with its down; StoreMismatch where not."""
    pairs: dict[tuple[int, str], dict[str, str]] = {}
    for file, text in texts.items():
        match = _FILE_NAME.fullmatch(file)
        if match is None:
            raise StoreMismatch(f"migration {file}: name it NNNN_what_it_does.up.sql or .down.sql")
        version, title, direction = match.groups()
        pairs.setdefault((int(version), f"{version}_{title}"), {})[direction] = text
    found = []
    for expected, ((version, name), pair) in enumerate(sorted(pairs.items()), start=1):
        if version != expected:
            raise StoreMismatch(f"migration {name}: version {expected:04d} was expected in its place")
        for direction in DIRECTIONS:
            if direction not in pair:
                raise StoreMismatch(f"migration {name}: {name}.{direction}.sql is missing")
        found.append(Migration(version, name, pair["up"], pair["down"]))
    return tuple(found)


def script_of(migration: Migration, direction: Direction, dialect: Dialect) -> Script:
    """Take a migration's file apart. StoreMismatch names the file and line of what cannot stand in one."""
    file = f"{migration.name}.{direction}.sql"
    text = normalised(migration.up if direction == "up" else migration.down)
    statements: list[Statement] = []
    checks: list[Check] = []
    says: str | None = None
    end = 0
    transactional = True
    for statement in split(text, dialect):
        before = text[end : statement.start]
        if end == 0:
            transactional = _WITHOUT_TRANSACTION.search(before) is None
        verify = _VERIFY.findall(before)
        says = verify[-1] if verify else says
        if says is None:
            statements.append(statement)
        else:
            checks.append(Check(says, statement))
        end = statement.start + len(statement.text)
    if _VERIFY.search(text, end):
        raise StoreMismatch(
            f"{file}: a verify section without a query; put one below it that gives one true value"
        )
    if direction == "up" and not (statements or checks):
        raise StoreMismatch(
            f"{file}: no statement; fill it in before it is applied. Where {dialect} has nothing to do, "
            "write SELECT 1;"
        )
    script = Script(file, text, transactional, tuple(statements), tuple(checks))
    _refuse_what_cannot_be(script, dialect)
    return script


def new_files(known: Sequence[Migration], title: str) -> dict[str, str]:
    """Return the two files of the next version by name, to be filled in; ConfigError for a bad title."""
    name = re.sub(r"[ -]", "_", title.strip().lower())
    if not TITLE.fullmatch(name) or len(name) > NAME_LENGTH_MAX:
        raise ConfigError(
            f"{title!r} is no name for a migration: want at most {NAME_LENGTH_MAX} of a-z, 0-9 and _, "
            "as add_peer_notes"
        )
    version = known[-1].version + 1 if known else 1
    if version > VERSION_MAX:
        raise StoreMismatch(f"there are {version - 1} migrations, limit {VERSION_MAX}")
    taken = next((each.name for each in known if each.name[5:] == name), None)
    if taken is not None:
        raise ConfigError(f"there is {taken} already; name this one by what it does beyond that")
    stem = f"{version:04d}_{name}"
    return {
        f"{stem}.up.sql": f"-- {name.replace('_', ' ').capitalize()}: say here what for.\n",
        f"{stem}.down.sql": f"-- Undoes {stem}.up.sql; say here what is lost by it.\n",
    }


def _refuse_what_cannot_be(script: Script, dialect: Dialect) -> None:
    if not script.transactional and len(script.statements) != 1:
        raise StoreMismatch(
            f"{script.file}: {len(script.statements)} statements without a transaction, limit 1: "
            "put each into a file of its own"
        )
    for statement in script.statements:
        words = words_of(statement.text, dialect)
        first = next(iter(words), "")
        if words[-1:] and words[-1].startswith(OPEN_COMMENT):
            line, column = place_of(script.text, statement.start + statement.text.rindex(words[-1]))
            raise StoreMismatch(f"{script.file}: line {line}, column {column}: a comment that is not closed")
        if first in _TRANSACTION_WORDS:
            raise StoreMismatch(
                f"{script.file}: line {statement.line}: {first} is not for a migration: each runs in a "
                "transaction of its own; leave it out"
            )
    for check in script.checks:
        first = next(iter(words_of(check.query.text, dialect)), "")
        if first not in _QUERY_WORDS:
            raise StoreMismatch(
                f"{script.file}: line {check.query.line}: {first} in a verify section, which is queries only"
            )
