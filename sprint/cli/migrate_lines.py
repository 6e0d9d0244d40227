"""What `sprint migrate` prints: versions, a plan with what it locks, what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sprint.core.migrate.drift import Difference
    from sprint.core.migrate.plan import PlannedFile
    from sprint.core.migrate.tokens import Dialect
    from sprint.tools.migrate.verbs import Repair, Status, Validation

SQL_INDENT = "        "


def status_lines(status: Status) -> Iterator[str]:
    """Each version in a line, then what is wrong."""
    yield f"{status.database}: version {status.version:04d} of {status.newest:04d}"
    for each in status.applied:
        when = datetime.fromtimestamp(each.applied_at_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")
        state = f"running {each.running}" if each.running else "applied"
        yield f"  {each.name:32} {state:12} {when}"
    for name in status.pending:
        yield f"  {name:32} pending"
    for finding in status.findings:
        yield f"{finding.kind}: {finding.message}"


def plan_lines(files: Sequence[PlannedFile], dialect: Dialect, *, sql: bool) -> Iterator[str]:
    """Each statement in a line with what it locks, and beneath it why a person should look at it."""
    if not files:
        yield "nothing to do"
    elif dialect == "sqlite":
        yield "each holds the file's one lock to the end of its migration: writers wait, readers go on"
    for file in files:
        yield file.file + ("" if file.transactional else "  (without a transaction)")
        for statement in file.statements:
            first = statement.sql.splitlines()[0].rstrip(" (")
            impact = statement.impact
            on = f" on {impact.table}" if impact.table and impact.lock != "none" else ""
            yield f"  line {statement.line:<4} {first}"
            if dialect != "sqlite":
                yield f"{SQL_INDENT}locks: {impact.lock}{on}"
            yield from (f"{SQL_INDENT}DANGEROUS: {danger}" for danger in impact.dangers)
            if sql:
                yield from (f"{SQL_INDENT}{line}" for line in f"{statement.sql};".splitlines())
        yield from (f"  verify    {says}" for says in file.checks)
    dangerous = sum(len(file.dangerous) for file in files)
    if files:
        count = sum(len(file.statements) for file in files)
        yield f"{_counted(len(files), 'file')}, {_counted(count, 'statement')}, {dangerous} dangerous"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def validation_lines(validation: Validation) -> Iterator[str]:
    yield from (f"{finding.kind}: {finding.message}" for finding in validation.findings)
    yield from (f"pending: {name}" for name in validation.pending)
    yield from difference_lines(validation.differences)
    if validation.valid:
        yield f"{validation.database}: version {validation.version:04d}, as it should be"


def difference_lines(differences: Sequence[Difference]) -> Iterator[str]:
    yield from (f"drift: {each.text}" for each in differences)


def repair_lines(repair: Repair) -> Iterator[str]:
    yield from repair.mended
    yield from (f"{finding.kind}: {finding.message}" for finding in repair.left)
    if not repair.mended and not repair.left:
        yield f"{repair.database}: nothing to mend"
