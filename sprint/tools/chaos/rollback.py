"""Takes off what runs before left on: `--rollback` after a crash, `halt_all` for runs that still live."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import msgspec

from sprint.core.errors import ConfigError, StoreFailing
from sprint.tools.chaos.journal_file import JournalFile, journals_in
from sprint.tools.chaos.processes import lives
from sprint.tools.chaos.taking_off import Undoer, take_all_off, write_ended, write_stuck
from sprint.tools.chaos.undoing import undo

BY = "rollback"
HALT_WAIT_S_MAX = 20.0
HALT_LOOK_S = 0.1


class RolledBack(msgspec.Struct, frozen=True):
    """What became of a run that had not ended.

    `running`: its tool lives and was left alone. `ended`: nothing of it is on. `remains`: something may be,
    as `remains` says. `unreadable`: the journal itself cannot be read.
    """

    run: str
    state: Literal["running", "ended", "remains", "unreadable"]
    undone: tuple[str, ...] = ()
    remains: tuple[str, ...] = ()


def rollback(folder: Path, *, halt: bool = False, undoer: Undoer = undo) -> list[RolledBack]:
    """Take off all that the journals of a folder say is on; return what became of each run not ended.

    A run whose tool lives is left, unless `halt`: then it is told to end first, and what it doesn't take off
    in HALT_WAIT_S_MAX seconds is taken off here.
    """
    if halt:
        _wait_until_ended(folder, halt_all(folder))
        return [found for path in journals_in(folder) if (found := _rolled_back(path, undoer, forced=True))]
    return [found for path in journals_in(folder) if (found := _rolled_back(path, undoer, forced=False))]


def halt_all(folder: Path) -> list[str]:
    """Tell all runs whose tool lives to end; return their names.

    A run that sees the file puts nothing on any more; its keeper takes off what is on.
    """
    told = []
    for path in journals_in(folder):
        try:
            with JournalFile(path) as journal:
                known = journal.read()
                if not known.ended and known.run is not None and lives(known.run.tool):
                    journal.halt_path.touch()
                    told.append(path.stem)
        except (ConfigError, StoreFailing):
            # A journal that cannot be read names no tool: `rollback` tells of it.
            continue
    return told


def _wait_until_ended(folder: Path, runs: list[str]) -> None:
    """Give runs that were told to end the time to do so in their own order."""
    deadline = time.monotonic() + HALT_WAIT_S_MAX
    waited_for = [path for path in journals_in(folder) if path.stem in runs]
    while waited_for and time.monotonic() < deadline:
        time.sleep(HALT_LOOK_S)
        waited_for = [path for path in waited_for if not _is_off(path)]


def _is_off(path: Path) -> bool:
    try:
        with JournalFile(path) as journal:
            known = journal.read()
            return known.ended or not known.open()
    except (ConfigError, StoreFailing):
        # It went as its run ended, or cannot be read, and then no waiting helps.
        return True


def _rolled_back(path: Path, undoer: Undoer, *, forced: bool) -> RolledBack | None:
    try:
        with JournalFile(path) as journal:
            return _end(journal, undoer, forced=forced)
    except (ConfigError, StoreFailing) as error:
        if not path.exists():
            # Its campaign ended a moment ago, and took it along.
            return None
        return RolledBack(path.stem, "unreadable", remains=(str(error),))


def _end(journal: JournalFile, undoer: Undoer, *, forced: bool) -> RolledBack | None:
    """Take off what a journal says is on; None where it has ended already."""
    name = journal.path.stem
    before = journal.read()
    if before.ended:
        return None
    running = before.run is not None and lives(before.run.tool)
    if running and not forced:
        on = tuple(f"fault {each.fault}: {each.kind} on {each.target}" for each in before.open())
        return RolledBack(name, "running", remains=on)
    remaining = take_all_off(journal, BY, undoer=undoer)
    write_stuck(journal, BY, remaining)
    left = {each.number for each in remaining}
    undone = tuple(
        f"fault {each.fault}: {each.kind} on {each.target}"
        for each in before.open()
        if each.fault not in left
    )
    if not running and write_ended(journal):
        journal.halt_path.unlink(missing_ok=True)
    says = tuple(f"fault {each.number}: {each.kind} on {each.target}: {each.says}" for each in remaining)
    return RolledBack(name, "remains" if remaining else "ended", undone, says)
