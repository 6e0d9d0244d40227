"""A process that applies settings to itself as it is told on its stdin; tests look at it from outside.

    python -m tests.tools.optimize.optimized_child JOURNAL_FOLDER

Orders are lines: `plan LEVEL` and `settings JSON` apply, `drift`, `restore`, `thread` makes one more, `spin`
and `spin in C` for ever. Each is answered by a line of outcomes as JSON; `spin` when it begins.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sprint.core.optimize.levels import LEVELS
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Outcome, Setting
from sprint.tools.optimize.applying import Applied, Target, apply
from sprint.tools.optimize.facts import read_facts

THREADS = 2
FOR_EVER = 10**15


def answer(outcomes: Sequence[Outcome]) -> None:
    sys.stdout.write(msgspec.json.encode(outcomes).decode() + "\n")
    sys.stdout.flush()


def start_thread() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def spin() -> None:
    while True:
        pass


def main() -> None:
    folder = Path(sys.argv[1])
    for _ in range(THREADS):
        start_thread()
    answer([])
    applied: Applied | None = None
    for line in sys.stdin:
        order, _, rest = line.strip().partition(" ")
        if order in {"plan", "settings"}:
            chosen = LEVELS[rest].fields if order == "plan" else None  # type: ignore[index]
            settings = plan(chosen, read_facts()) if chosen else msgspec.json.decode(rest, type=list[Setting])
            applied = apply(settings, target=Target.of_self(), journal_folder=folder, clock=time.perf_counter)
            answer(applied.outcomes)
        elif order == "thread":
            start_thread()
            answer([])
        elif order == "spin":
            answer([])
            # In C no handler of a signal ever runs: Python runs them between its own instructions.
            sum(range(FOR_EVER)) if rest else spin()
        elif applied is not None:
            answer(applied.drift() if order == "drift" else applied.restore())


if __name__ == "__main__":
    main()
