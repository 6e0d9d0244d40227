"""The verbs of `sprint migrate`, each on an open database: what is so, and what was done about it.

Those that change something hold the migrators' lock; those that only look (`status`, `plan`, `validate`,
`drift`) take none, so that they can be asked while a migrator is at work.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sprint.core.errors import StoreMismatch
from sprint.core.migrate.drift import Difference, differences
from sprint.core.migrate.files import Direction, Migration, script_of
from sprint.core.migrate.order import Applied, Finding, check_target, findings, pending, steps
from sprint.core.migrate.plan import PlannedFile, plan
from sprint.tools.store.migrating import Database
from sprint.tools.store.migrating.runner import (
    Done,
    Running,
    migrate_down,
    migrate_up,
    repair_running,
    run_script,
)


class Status(msgspec.Struct, frozen=True):
    """Where a database is. `version` is the highest applied one, 0 for none; `newest` that of the files."""

    database: str
    dialect: str
    version: int
    newest: int
    applied: tuple[Applied, ...]
    pending: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def up_to_date(self) -> bool:
        return not self.pending and not self.findings


class Validation(msgspec.Struct, frozen=True):
    """Whether a database is what the files say: in their versions, and in its schema."""

    database: str
    version: int
    findings: tuple[Finding, ...]
    pending: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def valid(self) -> bool:
        return not (self.findings or self.pending or self.differences)


class Repair(msgspec.Struct, frozen=True):
    """What was mended, and what is still not as it should be."""

    database: str
    mended: tuple[str, ...]
    left: tuple[Finding, ...]


def status(database: Database, known: tuple[Migration, ...]) -> Status:
    """Return which versions are applied, which are pending, and what is wrong with them."""
    applied = database.applied()
    found = findings(known, applied)
    left_out = {finding.version for finding in found if finding.kind == "out_of_order"}
    return Status(
        database.address,
        database.dialect,
        max((each.version for each in applied), default=0),
        known[-1].version if known else 0,
        applied,
        tuple(each.name for each in pending(known, applied) if each.version not in left_out),
        found,
    )


def planned(database: Database, known: tuple[Migration, ...], to: int | None) -> tuple[PlannedFile, ...]:
    """Return what leads to version `to`; StoreMismatch where the files don't explain the database."""
    applied = database.applied()
    found = findings(known, applied)
    if found:
        raise StoreMismatch("\n".join(finding.message for finding in found))
    return plan(steps(known, applied, to=to), database.dialect)


def move(running: Running, direction: Direction, to: int | None, did: Callable[[Done], None]) -> None:
    """Apply what is pending up to version `to`, or undo what is above it; tell each file as it is done."""
    running = msgspec.structs.replace(running, did=did)
    if direction == "up":
        migrate_up(running, to=to)
    else:
        migrate_down(running, to=to or 0)


def drift(database: Database, known: tuple[Migration, ...]) -> tuple[Difference, ...]:
    """Return how the live schema differs from that of the applied versions, replayed into a shadow."""
    there = {each.version for each in database.applied() if not each.running}
    return _replayed(database, tuple(each for each in known if each.version in there))


def validate(database: Database, known: tuple[Migration, ...]) -> Validation:
    """Return all that keeps a relay of this version from using a database as it is."""
    now = status(database, known)
    return Validation(database.address, now.version, now.findings, now.pending, drift(database, known))


def baseline(running: Running, to: int | None) -> tuple[str, ...]:
    """Note versions up to `to` as applied in a database whose schema is there already; return their names.

    StoreMismatch where something is noted already, or where the schema is not that of those versions.
    """
    database, known = running.database, running.known
    check_target(known, to)
    wanted = known if to is None else tuple(each for each in known if each.version <= to)
    with database.held(running.lock_wait_s, running.tell):
        applied = database.applied()
        if applied:
            raise StoreMismatch(
                f"{database.address}: {applied[-1].name} is noted as applied already; `sprint migrate status`"
            )
        different = _replayed(database, wanted)
        if different:
            raise StoreMismatch(
                f"{database.address}: its schema is not that of version {len(wanted):04d}; "
                "nothing was noted:\n" + "\n".join(each.text for each in different)
            )
        with database.transaction():
            database.prepare()
            for each in wanted:
                database.record(Applied(each.version, each.name, each.checksum, running.now_ms))
    return tuple(each.name for each in wanted)


def repair(running: Running, accepted: tuple[str, ...], *, new_log: bool = False) -> Repair:
    """Mend what killed migrators left, and take the checksums of the edited files that are `accepted`.

    Under the lock a note of something running is that of a migrator that is gone. With `new_log` the next
    relay begins a new log; StoreError where one has the database.
    """
    database, known = running.database, running.known
    mended: list[str] = []
    with database.held(running.lock_wait_s, running.tell):
        applied = database.applied()
        found = findings(known, applied)
        _refuse_unedited(accepted, found)
        if new_log:
            mended.append(_end_log(database))
        # The newest first, as each may stand on those before.
        mended += [
            repair_running(running, each)
            for each in reversed(applied)
            if each.running and any(migration.name == each.name for migration in known)
        ]
        mended += [
            _take_checksum(running, each, by_name)
            for each in database.applied()
            for by_name in known
            if each.name in accepted and by_name.name == each.name
        ]
        left = findings(known, database.applied())
    return Repair(database.address, tuple(mended), left)


def _end_log(database: Database) -> str:
    ended = database.ask_for_new_log()
    if ended is None:
        return "no log is there yet; the first relay begins one"
    return f"log {ended} has ended; the next relay begins a new one, and its cursors are told cursor_foreign"


def _refuse_unedited(accepted: tuple[str, ...], found: tuple[Finding, ...]) -> None:
    edited = sorted(finding.name for finding in found if finding.kind == "edited")
    for name in accepted:
        if name not in edited:
            there = f"those that were are {', '.join(edited)}" if edited else "none was"
            raise StoreMismatch(f"--accept-edited {name}: it was not edited after it was applied; {there}")


def _take_checksum(running: Running, each: Applied, migration: Migration) -> str:
    with running.database.transaction():
        running.database.record(msgspec.structs.replace(each, checksum=migration.checksum))
    return f"{each.name}: its file as it is now is noted, checksum {migration.checksum[:12]}"


def _replayed(database: Database, known: tuple[Migration, ...]) -> tuple[Difference, ...]:
    found = database.schema()
    with database.shadow() as shadow:
        for migration in known:
            run_script(shadow, script_of(migration, "up", database.dialect))
        return differences(shadow.schema(), found)
