"""What the versions that a database says were applied and the files at hand say of each other.

A database may be used when its versions are the first ones of the files, unedited: then the rest is pending.
Whatever else is found is named, each with what would be right; nothing is applied over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from sprint.core.errors import ConfigError, StoreMismatch
from sprint.core.migrate.files import Direction, Migration

# `newer`: above all that is known. `unknown`: no file of that version has its name. `out_of_order`: a file
# that was left out below one that was applied. `running`: begun without a transaction and not ended.
Kind = Literal["newer", "unknown", "out_of_order", "edited", "running"]


class Applied(msgspec.Struct, frozen=True):
    """A version that a database says was applied to it; `running` where that was begun and not ended."""

    version: int
    name: str
    checksum: str
    applied_at_ms: int = 0
    running: Literal["", "up", "down"] = ""


class Finding(msgspec.Struct, frozen=True):
    """Something that a database and the files don't agree about."""

    kind: Kind
    version: int
    name: str
    message: str


class Step(msgspec.Struct, frozen=True):
    """A file to run."""

    migration: Migration
    direction: Direction


def findings(known: Sequence[Migration], applied: Sequence[Applied]) -> tuple[Finding, ...]:
    """Name every version that is not as it should be, lowest first."""
    by_version = {migration.version: migration for migration in known}
    there = {found.version for found in applied}
    highest = max(there, default=0)
    found = [
        Finding(
            "out_of_order",
            migration.version,
            migration.name,
            f"migration {migration.name} was not applied but {_name_of(highest, applied)} was; "
            "out of order, restore a copy of the database",
        )
        for migration in known
        if migration.version < highest and migration.version not in there
    ]
    for each in applied:
        found.extend(_of_applied(each, by_version.get(each.version), known))
    return tuple(sorted(found, key=lambda finding: finding.version))


def check_applied(known: Sequence[Migration], applied: Sequence[Applied]) -> None:
    """Refuse a database that the files don't explain; StoreMismatch names all that is wrong."""
    found = findings(known, applied)
    if found:
        raise StoreMismatch("\n".join(finding.message for finding in found))


def pending(known: Sequence[Migration], applied: Sequence[Applied]) -> tuple[Migration, ...]:
    """Return the versions that are still to be applied, lowest first."""
    there = {each.version for each in applied}
    return tuple(migration for migration in known if migration.version not in there)


def steps(
    known: Sequence[Migration], applied: Sequence[Applied], *, to: int | None = None
) -> tuple[Step, ...]:
    """Return what leads to version `to`, by default the newest known: files up, or down from the newest."""
    check_target(known, to)
    newest = known[-1].version if known else 0
    target = newest if to is None else to
    there = {each.version for each in applied}
    down = tuple(
        Step(each, "down") for each in reversed(known) if each.version in there and each.version > target
    )
    up = tuple(Step(each, "up") for each in known if each.version not in there and each.version <= target)
    return down + up


def check_target(known: Sequence[Migration], to: int | None) -> None:
    """Raise ConfigError for a version that there is not; 0 is that of an empty database."""
    newest = known[-1].version if known else 0
    if to is not None and not 0 <= to <= newest:
        raise ConfigError(f"there is no version {to}; want 0 to {newest}")


def _of_applied(each: Applied, migration: Migration | None, known: Sequence[Migration]) -> list[Finding]:
    newest = known[-1].version if known else 0
    if each.version > newest:
        message = (
            f"the schema has version {each.name}, this version of Sprint knows up to {newest:04d}; "
            "use a newer Sprint or another data directory"
        )
        return [Finding("newer", each.version, each.name, message)]
    if migration is None or migration.name != each.name:
        instead = "no file" if migration is None else migration.name
        message = f"the schema has version {each.name}, the files have {instead}: no such file is known here"
        return [Finding("unknown", each.version, each.name, message)]
    found = []
    if each.running:
        message = (
            f"{each.name}.{each.running}.sql was begun without a transaction and has not ended: a migrator "
            "is at it, or was ended; `sprint migrate repair` tells which, and mends"
        )
        found.append(Finding("running", each.version, each.name, message))
    if migration.checksum != each.checksum:
        message = (
            f"{migration.name}.up.sql was edited after it was applied: checksum {migration.checksum[:12]}, "
            f"applied {each.checksum[:12]}; restore the file, make the change in a new one"
        )
        found.append(Finding("edited", each.version, each.name, message))
    return found


def _name_of(version: int, applied: Sequence[Applied]) -> str:
    return next(each.name for each in applied if each.version == version)
