"""What a statement does to those who use the database meanwhile: what it locks, rewrites and loses.

PostgreSQL: manual, chapter 13.3 "Explicit Locking" and the notes of ALTER TABLE, CREATE INDEX and VACUUM.
SQLite: https://www.sqlite.org/lockingv3.html and lang_altertable.html. There every statement of a migration
holds the file's one lock to the end; who reads goes on (in WAL, which the relay uses), who writes waits.

A table that the same plan makes is used by nobody yet, so nothing about it is dangerous.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from sprint.core.migrate.statements import words_of
from sprint.core.migrate.tokens import Dialect

UNKNOWN = "unknown"
SQLITE_LOCK = "the file, for writers"


class Impact(msgspec.Struct, frozen=True):
    """`lock` is what is held until the end of the migration, on `table` where it is one.

    `dangers` is why a person should look at the statement before it runs where others work; often none.
    """

    lock: str
    table: str = ""
    dangers: tuple[str, ...] = ()


class _Rule(NamedTuple):
    """A form of a statement: the lock it takes, and what is dangerous about it, or nothing."""

    form: re.Pattern[str]
    lock: str
    danger: str = ""


def _rule(form: str, lock: str, danger: str = "") -> _Rule:
    return _Rule(re.compile(form), lock, danger)


_EXCLUSIVE = "ACCESS EXCLUSIVE"
_NO_ONE = "nobody reads or writes it meanwhile"
_ALTER = r"^ALTER TABLE .*\b"
# The first that fits counts. Of an ALTER TABLE all do, as it may have several actions: the strongest lock of
# them stands first.
_POSTGRES_RULES = (
    _rule(
        _ALTER + r"ALTER (COLUMN )?\S+ (SET DATA )?TYPE\b", _EXCLUSIVE, f"may rewrite the table; {_NO_ONE}"
    ),
    _rule(_ALTER + r"SET NOT NULL\b", _EXCLUSIVE, f"reads the whole table; {_NO_ONE}"),
    _rule(
        _ALTER + r"ADD (COLUMN )?(?!CONSTRAINT|CHECK|PRIMARY|UNIQUE|FOREIGN|EXCLUDE).*"
        r"\b(GENERATED|(BIG|SMALL)?SERIAL|(RANDOM|NEXTVAL|CLOCK_TIMESTAMP|GEN_RANDOM_UUID) \()",
        _EXCLUSIVE,
        f"rewrites the table, a value for each row; {_NO_ONE}",
    ),
    _rule(
        _ALTER + r"SET (LOGGED|UNLOGGED|TABLESPACE|ACCESS METHOD)\b",
        _EXCLUSIVE,
        f"rewrites the table; {_NO_ONE}",
    ),
    _rule(
        _ALTER + r"DROP (COLUMN )?(?!CONSTRAINT|DEFAULT|NOT|IDENTITY|EXPRESSION)",
        _EXCLUSIVE,
        "the column's data is lost",
    ),
    _rule(
        _ALTER + r"ADD (CONSTRAINT \S+ )?FOREIGN KEY\b(?!.*NOT VALID)",
        "SHARE ROW EXCLUSIVE",
        "reads the whole table, nobody writes either meanwhile: add it NOT VALID, validate it later",
    ),
    _rule(_ALTER + r"ADD (CONSTRAINT \S+ )?FOREIGN KEY\b", "SHARE ROW EXCLUSIVE"),
    _rule(
        _ALTER + r"ADD (CONSTRAINT \S+ )?CHECK\b(?!.*NOT VALID)",
        _EXCLUSIVE,
        f"reads the whole table; {_NO_ONE}: add it NOT VALID, validate it later",
    ),
    _rule(
        _ALTER + r"ADD (CONSTRAINT \S+ )?(PRIMARY KEY|UNIQUE|EXCLUDE)\b(?!.*USING INDEX)",
        _EXCLUSIVE,
        f"builds an index; {_NO_ONE}: build it concurrently, add the constraint USING INDEX",
    ),
    _rule(_ALTER + r"RENAME\b", _EXCLUSIVE, "a relay that runs still asks for the old name"),
    _rule(_ALTER + r"VALIDATE CONSTRAINT\b", "SHARE UPDATE EXCLUSIVE"),
    _rule(_ALTER + r"ATTACH PARTITION\b", "SHARE UPDATE EXCLUSIVE"),
    _rule(_ALTER + r"DETACH PARTITION (?!.*CONCURRENTLY)", _EXCLUSIVE, f"{_NO_ONE}: detach it concurrently"),
    _rule(_ALTER + r"DETACH PARTITION\b", "SHARE UPDATE EXCLUSIVE"),
    _rule(_ALTER + r"(SET STATISTICS|SET \( (FILLFACTOR|AUTOVACUUM))", "SHARE UPDATE EXCLUSIVE"),
    _rule(r"^ALTER TABLE ", _EXCLUSIVE),
    _rule(r"^DROP TABLE ", _EXCLUSIVE, "the table's data is lost"),
    _rule(r"^DROP SCHEMA .*CASCADE", _EXCLUSIVE, "all that is in it is lost"),
    _rule(r"^DROP INDEX CONCURRENTLY ", "SHARE UPDATE EXCLUSIVE"),
    _rule(r"^DROP (INDEX|VIEW|MATERIALIZED VIEW|SEQUENCE|TRIGGER|TYPE) ", _EXCLUSIVE),
    _rule(r"^DROP ", "none"),
    _rule(r"^TRUNCATE ", _EXCLUSIVE, "the table's data is lost"),
    _rule(r"^CREATE (UNIQUE )?INDEX CONCURRENTLY ", "SHARE UPDATE EXCLUSIVE"),
    _rule(
        r"^CREATE (UNIQUE )?INDEX ",
        "SHARE",
        "nobody writes to the table until it is built: build it CONCURRENTLY, with transaction:false",
    ),
    _rule(r"^CREATE (OR REPLACE )?(CONSTRAINT )?TRIGGER ", "SHARE ROW EXCLUSIVE"),
    _rule(
        r"^CREATE (UNLOGGED |TEMP |TEMPORARY )?TABLE .*\b(REFERENCES|PARTITION OF)\b", "SHARE ROW EXCLUSIVE"
    ),
    _rule(r"^CREATE ", "none"),
    _rule(
        r"^(UPDATE (?!.*\bWHERE\b)|DELETE FROM (?!.*\bWHERE\b))",
        "ROW EXCLUSIVE",
        "touches every row in one transaction, which nobody else can change meanwhile",
    ),
    _rule(r"^(INSERT|UPDATE|DELETE|MERGE|COPY) ", "ROW EXCLUSIVE"),
    _rule(r"^(VACUUM .*\bFULL\b|CLUSTER\b)", _EXCLUSIVE, f"rewrites the table; {_NO_ONE}"),
    _rule(r"^(VACUUM|ANALYZE)\b", "SHARE UPDATE EXCLUSIVE"),
    _rule(
        r"^REINDEX (?!.*CONCURRENTLY)",
        "SHARE",
        "nobody writes to the table meanwhile: REINDEX … CONCURRENTLY",
    ),
    _rule(r"^REINDEX ", "SHARE UPDATE EXCLUSIVE"),
    _rule(r"^REFRESH MATERIALIZED VIEW CONCURRENTLY ", "EXCLUSIVE"),
    _rule(r"^REFRESH ", _EXCLUSIVE, f"computes the whole view; {_NO_ONE}"),
    _rule(r"^LOCK ", _EXCLUSIVE, "locks a table as it says"),
    _rule(r"^COMMENT ON ", "SHARE UPDATE EXCLUSIVE"),
    _rule(r"^(DO|CALL)\b", UNKNOWN),  # as what it does
    _rule(r"^(SELECT|WITH|VALUES|SET|GRANT|REVOKE|ALTER (?!TABLE))", "none"),
)
_SQLITE_RULES = (
    _rule(r"^DROP TABLE ", SQLITE_LOCK, "the table's data is lost"),
    _rule(_ALTER + r"DROP ", SQLITE_LOCK, "the column's data is lost; rewrites the table, all writers wait"),
    _rule(_ALTER + r"RENAME\b", SQLITE_LOCK, "a program of an older version still asks for the old name"),
    _rule(r"^ALTER TABLE ", SQLITE_LOCK),
    _rule(r"^CREATE (UNIQUE )?INDEX ", SQLITE_LOCK, "reads the whole table to build it, all writers wait"),
    _rule(
        r"^CREATE (TEMP |TEMPORARY )?TABLE .*\bAS SELECT\b",
        SQLITE_LOCK,
        "copies what it selects, all writers wait",
    ),
    _rule(r"^(CREATE|DROP) ", SQLITE_LOCK),
    _rule(r"^DELETE FROM (?!.*\bWHERE\b)", SQLITE_LOCK, "the table's data is lost"),
    _rule(r"^UPDATE (?!.*\bWHERE\b)", SQLITE_LOCK, "touches every row, all writers wait"),
    _rule(r"^(INSERT|REPLACE) .*\bSELECT\b", SQLITE_LOCK, "copies what it selects, all writers wait"),
    _rule(r"^(INSERT|UPDATE|DELETE|REPLACE|WITH|ANALYZE)\b", SQLITE_LOCK),
    _rule(r"^VACUUM\b", SQLITE_LOCK, "rewrites the whole file, and wants room for a second one"),
    _rule(r"^REINDEX\b", SQLITE_LOCK, "builds indexes anew, all writers wait"),
    _rule(r"^(SELECT|VALUES|PRAGMA)\b", SQLITE_LOCK),
)
_RULES: dict[Dialect, tuple[_Rule, ...]] = {"postgres": _POSTGRES_RULES, "sqlite": _SQLITE_RULES}
_VALUE = re.compile(r"[eE]?'|\$\D")
_NAME = r'((?:"[^"]*"|\w+)(?: \. (?:"[^"]*"|\w+))*)'
_OPTIONAL = r"(?:IF NOT EXISTS |IF EXISTS |ONLY |CONCURRENTLY )*"
_TABLES = tuple(
    re.compile(form.replace("NAME", _NAME).replace("MAYBE ", _OPTIONAL))
    for form in (
        # What a new table refers to is locked, not what nobody else sees yet.
        r"^CREATE (?:\w+ )?TABLE .*?\b(?:REFERENCES|PARTITION OF) NAME",
        r"^(?:ALTER|DROP|CREATE|CREATE TEMP|CREATE TEMPORARY|CREATE UNLOGGED|TRUNCATE|LOCK) TABLE MAYBE NAME",
        r"^CREATE (?:UNIQUE )?INDEX MAYBE .*?\bON MAYBE NAME",
        r"^(?:CREATE|DROP) .*?TRIGGER .*?\bON NAME",
        r"^(?:INSERT INTO|REPLACE INTO|DELETE FROM|UPDATE) MAYBE NAME",
        r"^(?:TRUNCATE|CLUSTER|REINDEX TABLE|VACUUM FULL|COPY|LOCK) MAYBE NAME",
    )
)
_MADE = re.compile(r"^CREATE (?:\w+ )?TABLE MAYBE NAME".replace("NAME", _NAME).replace("MAYBE ", _OPTIONAL))


def impact_of(sql: str, dialect: Dialect, made: Collection[str] = ()) -> Impact:
    """Return what a statement does; `made` are the tables that earlier ones of the plan have made."""
    line = _line_of(sql, dialect)
    table = next((_plain(match[1]) for form in _TABLES if (match := form.match(line))), "")
    fitting = [rule for rule in _RULES[dialect] if rule.form.search(line)]
    if not fitting:
        return Impact(UNKNOWN, table, ("what it locks is not known here; look it up",))
    counting = fitting if line.startswith("ALTER TABLE ") else fitting[:1]
    dangers = tuple(dict.fromkeys(rule.danger for rule in counting if rule.danger))
    return Impact(fitting[0].lock, table, () if table in made else dangers)


def table_made_by(sql: str, dialect: Dialect) -> str:
    """Return the table that a statement makes, empty for any other."""
    match = _MADE.match(_line_of(sql, dialect))
    return _plain(match[1]) if match else ""


def _line_of(sql: str, dialect: Dialect) -> str:
    """Return a statement in a line: words in capitals, values as ''."""
    return " ".join(
        "''" if word[:1] in "'$eE" and "'" in word[:2] else word for word in words_of(sql, dialect)
    )


def _plain(name: str) -> str:
    """Return a name as it is looked up: in small letters where it isn't quoted."""
    parts = name.split(" . ")
    return ".".join(part.strip('"') if part.startswith('"') else part.lower() for part in parts)
