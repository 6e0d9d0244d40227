"""A tool that puts one fault on and stands still at a named moment, so that it can be killed just there.

    python -m tests.integration.faulty_tool FOLDER MOMENT FAULT

`FAULT` is JSON of `sprint.core.chaos.faults.Fault`. It says `{"at": MOMENT, "run": …, "keeper": PID}` when it
has come so far, and waits. The moment `any` says so at once and goes on, putting the fault on and taking it
off again and again: where a kill falls then is left to chance.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec

from sprint.core.chaos.faults import Fault
from sprint.core.chaos.journal import Injected, Line, Planned, Undone
from sprint.core.errors import SprintError
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.journal_file import JournalFile

MOMENTS = ("before_journal", "planned", "injected_unwritten", "injected", "undone_unwritten", "undone", "any")
TTL_S = 120.0


def main(words: list[str]) -> None:
    """Run until killed."""
    folder, moment, told = words
    keeper = FaultKeeper(Path(folder))
    arrive = _arrival(moment, keeper)
    _stand_still_at(moment, arrive)
    fault: Any = msgspec.json.decode(told, type=Fault)
    if moment == "any":
        _say(moment, keeper)
    # What was killed once is another process afterwards: the second time it is refused.
    with contextlib.suppress(SprintError):
        _put_on_again_and_again(keeper, fault, moment, arrive)
    threading.Event().wait()


def _put_on_again_and_again(
    keeper: FaultKeeper, fault: Fault, moment: str, arrive: Callable[[], None]
) -> None:
    while True:
        number = keeper.inject(fault, "fault", "target", "for the test", ttl_s=TTL_S)
        if moment == "injected":
            arrive()
        keeper.undo(number)
        if moment == "undone":
            arrive()


def _say(moment: str, keeper: FaultKeeper) -> None:
    print(json.dumps({"at": moment, "run": keeper.run, "keeper": keeper.keeper_pid}), flush=True)


def _arrival(moment: str, keeper: FaultKeeper) -> Callable[[], None]:
    def arrive() -> None:
        _say(moment, keeper)
        threading.Event().wait()

    return arrive


def _stand_still_at(moment: str, arrive: Callable[[], None]) -> None:
    """Lay a stop before or behind what leads to a moment."""
    add = JournalFile.add
    lines = {"before_journal": Planned, "injected_unwritten": Injected, "undone_unwritten": Undone}
    stops_before: Any = lines.get(moment, ())

    def adding(journal: JournalFile, line: Line) -> None:
        if isinstance(line, stops_before):
            arrive()
        add(journal, line)

    def arrive_at(*_: object) -> None:
        arrive()

    mock.patch.object(JournalFile, "add", adding).start()
    if moment == "planned":
        mock.patch("sprint.tools.chaos.faults.inject", side_effect=arrive_at).start()


if __name__ == "__main__":
    main(sys.argv[1:])
