"""What would be run, statement by statement, with what each does to those who use the database meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.migrate.danger import Impact, impact_of, table_made_by
from sprint.core.migrate.files import Direction, script_of
from sprint.core.migrate.order import Step
from sprint.core.migrate.tokens import Dialect


class PlannedStatement(msgspec.Struct, frozen=True):
    """A statement of a file; `line` is where it begins."""

    line: int
    sql: str
    impact: Impact


class PlannedFile(msgspec.Struct, frozen=True):
    """A file that would be run. `checks` are what its verify section is there to show."""

    file: str
    direction: Direction
    transactional: bool
    statements: tuple[PlannedStatement, ...]
    checks: tuple[str, ...]

    @property
    def dangerous(self) -> tuple[PlannedStatement, ...]:
        return tuple(each for each in self.statements if each.impact.dangers)


def plan(todo: Sequence[Step], dialect: Dialect) -> tuple[PlannedFile, ...]:
    """Take the files apart in the order they would be run; StoreMismatch where one cannot be."""
    made: set[str] = set()
    files = []
    for step in todo:
        script = script_of(step.migration, step.direction, dialect)
        statements = []
        for statement in script.statements:
            statements.append(
                PlannedStatement(statement.line, statement.text, impact_of(statement.text, dialect, made))
            )
            made.add(table_made_by(statement.text, dialect))
        files.append(
            PlannedFile(
                script.file,
                step.direction,
                script.transactional,
                tuple(statements),
                tuple(check.says for check in script.checks),
            )
        )
    return tuple(files)
