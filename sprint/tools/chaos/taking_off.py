"""Takes faults off and writes that down: what the tool, its keeper and `--rollback` all do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

from sprint.core.chaos.journal import Ended, Planned, Stuck, Undone
from sprint.core.chaos.undo import Undo
from sprint.core.errors import SprintError, UndoFailed
from sprint.tools.chaos.journal_file import JournalFile
from sprint.tools.chaos.undoing import undo

# What a tool had sent as it died may arrive after its undo: a fault that is not known to have been on is
# taken off twice, with so long between.
IN_FLIGHT_S = 0.5
PASSES_MAX = 3
PASS_PAUSE_S = 0.3

Undoer = Callable[[Undo], str]


class Remaining(NamedTuple):
    """A fault that could not be taken off, and what remains of it."""

    number: int
    kind: str
    target: str
    says: str


def take_off(journal: JournalFile, number: int, by: str, undoer: Undoer = undo) -> None:
    """Take one fault off, unless it is; UndoFailed says what remains.

    Where the lock cannot be had, its holder stands still: the fault comes off all the same, but it is not
    written down, as the holder may still be about to put it on. Whoever asks tries again.
    """
    with journal.locked() as held:
        known = journal.read()
        planned = known.planned.get(number)
        if planned is None or number in known.undone:
            return
        says = _undo_all_of(planned, undoer)
        if number not in known.injected:
            time.sleep(IN_FLIGHT_S)
            says = _undo_all_of(planned, undoer)
        if not held:
            raise UndoFailed(f"fault {number} was taken off while another held the journal")
        journal.add(Undone(number, time.time(), by, says))


def take_all_off(
    journal: JournalFile,
    by: str,
    *,
    passes: int = PASSES_MAX,
    undoer: Undoer = undo,
) -> list[Remaining]:
    """Take all faults off, the newest first; return those that could not be.

    Several passes, as one fault may stand in the way of another's undo: a stopped relay answers no order.
    """
    remaining: list[Remaining] = []
    for turn in range(passes):
        if turn:
            time.sleep(PASS_PAUSE_S * 2**turn)
        remaining = []
        for planned in journal.read().open():
            try:
                take_off(journal, planned.fault, by, undoer)
            except (SprintError, OSError) as error:
                remaining.append(Remaining(planned.fault, planned.kind, planned.target, str(error)))
        if not remaining:
            break
    return remaining


def write_ended(journal: JournalFile) -> bool:
    """Write the last line if nothing is on any more; tell whether the journal has ended."""
    with journal.locked():
        known = journal.read()
        if known.ended:
            return True
        if known.open():
            return False
        journal.add(Ended(time.time()))
        return True


def write_stuck(journal: JournalFile, by: str, remaining: list[Remaining]) -> None:
    """Write down what nobody tries to take off any more; a journal that takes no line says it by itself."""
    for each in remaining:
        with contextlib.suppress(SprintError):
            journal.add(Stuck(each.number, time.time(), by, each.says))


def _undo_all_of(planned: Planned, undoer: Undoer) -> str:
    """Do all undos of a fault, also behind one that fails; return what was found, UndoFailed what remains."""
    found: list[str] = []
    failed: list[str] = []
    for one in planned.undo:
        try:
            found.append(undoer(one))
        except UndoFailed as error:
            failed.append(str(error))
    if failed:
        raise UndoFailed("; ".join(failed))
    return "; ".join(filter(None, found))
