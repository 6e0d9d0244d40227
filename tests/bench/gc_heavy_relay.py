"""`sprint relay` with a heavy heap and a churn of objects, as a program of its own for bench_optimize.

    python -m tests.bench.gc_heavy_relay PAUSES_FILE OBJECTS LATER relay --source … --optimize turbo

A heap of so many objects is made before the relay is, as what a start-up leaves, and one of as many as LATER
while it runs, as caches that fill. A thread makes objects with cycles all the time, some of which survive, so
that full rounds of the collector come. Each round of the collector is a line
in PAUSES_FILE: the monotonic time of its end in ns, its generation, and how long it took in ns.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from sprint.cli.main import run
from sprint.tools.optimize.bench.pauses import Heap

SURVIVORS = 5_000
MADE_AT_ONCE = 100
KEPT_AT_ONCE = 100
PAUSE_S = 0.002


def main() -> None:
    """Become the relay, with each round of the collector written down as it ends."""
    # Line by line, so that none is lost with a relay that is killed.
    with Path(sys.argv.pop(1)).open("w", buffering=1, encoding="ascii") as file:
        watch(file)
        heap, later = Heap(int(sys.argv.pop(1))), int(sys.argv.pop(1))
        threading.Thread(target=churn, args=(later,), name="churn", daemon=True).start()
        run()
        del heap


def watch(file: TextIO) -> None:
    began = 0

    def seen(phase: str, told: Mapping[str, Any]) -> None:
        nonlocal began
        now = time.monotonic_ns()
        if phase == "start":
            began = now
        else:
            file.write(f"{now} {told['generation']} {now - began}\n")

    gc.callbacks.append(seen)


def churn(later: int) -> None:
    """Make objects that refer to themselves: only the collector frees them. Keep `later` others for good."""
    kept: deque[dict[str, Any]] = deque(maxlen=SURVIVORS)
    stays: list[list[int]] = []
    while True:
        if len(stays) < later:
            stays += ([number] for number in range(KEPT_AT_ONCE))
        for number in range(MADE_AT_ONCE):
            cycle: dict[str, Any] = {"number": number}
            cycle["self"] = cycle
            kept.append(cycle)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
