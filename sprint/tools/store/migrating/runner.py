"""Applies migrations to any database: each file whole or not at all, its failing statement named.

`migrate_up` and `migrate_down` are one migrator at a time (`Database.held`), and each file looks again, in
its own transaction, at what is applied by then. A file without a transaction is noted as running first, so
that a migrator that was killed in between is known of; `repair_running` mends what it left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from sprint.core.errors import MigrationFailed, StoreMismatch
from sprint.core.migrate.files import Check, Direction, Migration, Script, script_of
from sprint.core.migrate.order import Applied, Step, check_applied, check_target, steps
from sprint.core.migrate.statements import Statement, place_of
from sprint.tools.runtime import clock
from sprint.tools.store.migrating import LOCK_WAIT_S, Database, Refused, Tell, tell_nobody


class Done(msgspec.Struct, frozen=True):
    """A file that was run: which, and how long it took."""

    name: str
    direction: Direction
    took_ms: float


def _tell_nobody(done: Done) -> None:
    """Stand in where nobody follows what is run."""


class Running(msgspec.Struct, frozen=True):
    """What a migrator works with: the database, the files, when it is, whom to tell, and of each file run."""

    database: Database
    known: tuple[Migration, ...]
    now_ms: int
    tell: Tell = tell_nobody
    lock_wait_s: float = LOCK_WAIT_S
    did: Callable[[Done], None] = _tell_nobody


def migrate_up(running: Running, *, to: int | None = None) -> list[Done]:
    """Apply what is not applied yet, up to version `to`; the newest by default."""
    check_target(running.known, to)
    return _migrate(running, lambda applied: _of_direction("up", running, applied, to))


def migrate_down(running: Running, *, to: int) -> list[Done]:
    """Undo applied versions above `to`, newest first."""
    check_target(running.known, to)
    return _migrate(running, lambda applied: _of_direction("down", running, applied, to))


def _of_direction(
    direction: Direction, running: Running, applied: Sequence[Applied], to: int | None
) -> tuple[Step, ...]:
    return tuple(step for step in steps(running.known, applied, to=to) if step.direction == direction)


def _migrate(running: Running, due: Callable[[Sequence[Applied]], tuple[Step, ...]]) -> list[Done]:
    database, known = running.database, running.known
    done: list[Done] = []
    with database.held(running.lock_wait_s, running.tell):
        applied = database.applied()
        check_applied(known, applied)
        todo = due(applied)
        scripts = [script_of(step.migration, step.direction, database.dialect) for step in todo]
        if todo and applied:
            _copy(running, todo[0])
        for step, script in zip(todo, scripts, strict=True):
            began_s = clock()
            run = _in_transaction if script.transactional else _alone
            run(running, step, script)
            done.append(Done(step.migration.name, step.direction, round((clock() - began_s) * 1000, 1)))
            running.did(done[-1])
    return done


def _copy(running: Running, first: Step) -> None:
    what = first.migration.name if first.direction == "up" else f"down-of-{first.migration.name}"
    copied = running.database.copy_before(what)
    if copied is not None:
        running.tell(f"copied to {copied} before the first change")


def _in_transaction(running: Running, step: Step, script: Script) -> None:
    database = running.database
    with database.transaction():
        database.prepare()
        _check_due(running, step)
        run_script(database, script)
        _note(running, step)


def _alone(running: Running, step: Step, script: Script) -> None:
    """Run the one statement of a file that cannot be in a transaction, noted as running meanwhile."""
    database = running.database
    with database.transaction():
        database.prepare()
        _check_due(running, step)
        database.record(_applied(running, step.migration, step.direction))
    try:
        run_script(database, script)
    except MigrationFailed as failure:
        raise failure.ended(_undo_alone(running, step)) from failure
    with database.transaction():
        _note(running, step)


def _undo_alone(running: Running, step: Step) -> str:
    """Bring a database back to where it was before a statement that failed; say what came of it.

    An index that PostgreSQL could not build concurrently stays behind as an invalid one: the down file takes
    it off. A down file that failed has left the version as it was.
    """
    database = running.database
    try:
        if step.direction == "up":
            run_script(database, script_of(step.migration, "down", database.dialect))
    except MigrationFailed as failure:
        return f"what is left of it could not be undone: {failure}; then `sprint migrate repair`"
    with database.transaction():
        if step.direction == "up":
            database.forget(step.migration.version)
        else:
            database.record(_applied(running, step.migration))
    return "what it had left was undone by its down file" if step.direction == "up" else "it is applied still"


def repair_running(running: Running, each: Applied) -> str:
    """Mend what a killed migrator left of a file without a transaction; say what was done.

    Where the file's own verify section holds, the statement had ended; else its down file takes off what is
    there of it, so that such files are written to bear that (`IF EXISTS`).
    """
    database = running.database
    migration = next(known for known in running.known if known.version == each.version)
    up = script_of(migration, "up", database.dialect)
    if each.running == "up" and up.checks and _holds(database, up):
        with database.transaction():
            database.record(_applied(running, migration))
        return f"{each.name}: it had ended, as its verify section shows; noted as applied"
    down = script_of(migration, "down", database.dialect)
    run_script(database, down)
    with database.transaction():
        database.forget(each.version)
    return f"{each.name}: what was left of it was undone by {down.file}; it is pending again"


def _holds(database: Database, script: Script) -> bool:
    try:
        for check in script.checks:
            _check(database, script, check)
    except MigrationFailed:
        return False
    return True


def run_script(database: Database, script: Script) -> None:
    """Run a file's statements, then its verify section. MigrationFailed names the place of what failed."""
    for number, statement in enumerate(script.statements, start=1):
        try:
            database.execute(statement.text)
        except Refused as refused:
            raise _failed(script, number, statement, refused) from refused
    for check in script.checks:
        _check(database, script, check)


def _check(database: Database, script: Script, check: Check) -> None:
    number = len(script.statements) + script.checks.index(check) + 1
    try:
        rows = database.answer(check.query.text)
    except Refused as refused:
        raise _failed(script, number, check.query, refused) from refused
    if len(rows) == 1 and len(rows[0]) == 1 and _is_true(rows[0][0]):
        return
    shown = f"{rows[0][0]!r}" if len(rows) == 1 and len(rows[0]) == 1 else f"{len(rows)} rows"
    reason = f"what must hold after it does not: {check.says or 'verify'}; got {shown}, want one true value"
    raise _failed(script, number, check.query, Refused(reason))


def _is_true(value: object) -> bool:
    """Tell a true value of either database; SQLite's is a 1."""
    return isinstance(value, int) and value == 1


def _failed(script: Script, number: int, statement: Statement, refused: Refused) -> MigrationFailed:
    line, column = place_of(script.text, statement.start + (refused.offset or 0))
    rolled = "nothing of this file was applied" if script.transactional else ""
    return MigrationFailed(script.file, refused.reason, (number, line, column), rolled)


def _check_due(running: Running, step: Step) -> None:
    """Refuse to go on where somebody has changed what is applied since it was looked at under the lock."""
    applied = running.database.applied()
    check_applied(running.known, applied)
    there = any(each.version == step.migration.version for each in applied)
    if there != (step.direction == "down"):
        raise StoreMismatch(
            f"{step.migration.name} was {'applied' if there else 'undone'} by somebody else meanwhile; "
            "start again"
        )


def _note(running: Running, step: Step) -> None:
    if step.direction == "up":
        running.database.record(_applied(running, step.migration))
    else:
        running.database.forget(step.migration.version)


def _applied(running: Running, migration: Migration, begun: Literal["", "up", "down"] = "") -> Applied:
    return Applied(migration.version, migration.name, migration.checksum, running.now_ms, begun)
