"""Migrators that are killed at each statement in turn, and what each left: the processes of `test_killed`.

    python -m tests.tools.store.migrating.killed_migrators DIALECT ADDRESS (packaged | alone) STRIDE

A process of its own, with one thread, so that it may fork. Each child is a migrator that kills itself with
SIGKILL before or after one of its statements, before or after its commit. Printed is a line for each: where
it was killed and whether the database is as before, whole, or neither. STRIDE is how many moments of a file
in a transaction lie between two kills; the last two are always among them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from sprint.core.migrate.files import DIRECTIONS, Direction, Migration, script_of
from sprint.core.migrate.tokens import DIALECTS
from sprint.tools.migrate.verbs import repair
from sprint.tools.store.migrating import Database
from sprint.tools.store.migrating.packaged import packaged_migrations
from sprint.tools.store.migrating.runner import Running, migrate_down, migrate_up
from tests.tools.store.migrating.places import WAIT_S, Place


class Told(msgspec.Struct, frozen=True):
    """What one kill left; `repaired` where a note of something running was mended first."""

    name: str
    direction: Direction
    point: int
    left: str
    repaired: bool


class Killing:
    """A `Database` that counts the moments of a migrator and kills the process at one of them."""

    def __init__(self, database: Database, at: int) -> None:
        self._database = database
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def moment(self) -> None:
        if self._at == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._at -= 1

    def execute(self, statement: str) -> None:
        self.moment()
        self._database.execute(statement)
        self.moment()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._database.transaction():
            yield
            self.moment()
        self.moment()


def migrate(place: Place, known: tuple[Migration, ...], direction: Direction, version: int, at: int) -> bool:
    """Run a migrator that is killed at a moment; False where it ended before."""
    child = os.fork()
    if child == 0:
        with place.opened() as database:
            killing: Any = Killing(database, at)
            running = Running(killing, known, 1, lock_wait_s=WAIT_S)
            if direction == "up":
                migrate_up(running, to=version)
            else:
                migrate_down(running, to=version - 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def after_kill(place: Place, known: tuple[Migration, ...]) -> tuple[tuple[str, Any], bool]:
    """Return the names of what is applied and the schema, after a repair where one is called for."""
    repaired = False
    with place.opened() as database:
        # Whoever was killed may still be rolled back by the server: that has ended once the lock is free.
        with database.held(WAIT_S, print):
            begun = any(each.running for each in database.applied())
        if begun:
            assert repair(Running(database, known, 1, lock_wait_s=WAIT_S), ()).left == ()
            repaired = True
        names = " ".join(each.name for each in database.applied())
        return (names, database.schema()), repaired


def moments(place: Place, migration: Migration, direction: Direction, stride: int) -> list[int]:
    """Return when to kill: before and after a statement, before and after a commit."""
    script = script_of(migration, direction, place.dialect)
    if not script.transactional:
        return list(range(6))
    count = 2 * len(script.statements) + 2
    return sorted({*range(0, count, stride), count - 2, count - 1})


def run(place: Place, known: tuple[Migration, ...], stride: int) -> Iterator[Told]:
    """Kill at the moments of every file, up and then down."""
    for direction in DIRECTIONS:
        for migration in known if direction == "up" else reversed(known):
            before, _ = after_kill(place, known)
            kills = []
            for point in moments(place, migration, direction, stride):
                assert migrate(place, known, direction, migration.version, point)
                kills.append((point, *after_kill(place, known)))
                if kills[-1][1] != before:
                    back: Direction = "down" if direction == "up" else "up"
                    assert not migrate(place, known, back, migration.version, -1)
            assert not migrate(place, known, direction, migration.version, -1)
            after, _ = after_kill(place, known)
            for point, state, repaired in kills:
                left = "before" if state == before else "whole" if state == after else "neither"
                yield Told(migration.name, direction, point, left, repaired)


def main(dialect: str, address: str, which: str, stride: str) -> None:
    place = Place(next(each for each in DIALECTS if each == dialect), address)
    known = packaged_migrations(place.dialect)
    if which == "alone":
        known = place.migrations_alone()
    for told in run(place, known, int(stride)):
        print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
