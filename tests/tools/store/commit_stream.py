"""A process that commits without end and says what is in: the one that `test_crash` kills.

    python -m tests.tools.store.commit_stream PATH-OR-URL SEED FOLDER

It goes on where the store left off. A commit delivers 1 to 5 blocks, as its first height tells, and takes
the first block of the commit before off the best branch, so that every table shows which commits are in.
It submits in bursts of random length and prints the last position of each report.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sprint.core.errors import StoreError
from sprint.core.relay.event_log import Commit, EventLog
from sprint.tools.store.opening import open_store
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import block_data, hash_at, log_of, row

BURST_MAX = 40
WIDTH_MAX = 5


def width(first: int) -> int:
    """Blocks in the commit that begins at height `first`."""
    return 1 + first * 7 % WIDTH_MAX


def firsts(upto: int) -> list[int]:
    """Return the first heights of the commits that end at or below `upto`, and of the one after."""
    found = [1]
    while found[-1] + width(found[-1]) - 1 <= upto:
        found.append(found[-1] + width(found[-1]))
    return found


def next_commit(log: EventLog, before: int | None) -> Commit:
    """Deliver the next blocks; the commit before began at height `before`."""
    first = log.position + 1
    rows = tuple(row("bitcoin", first + step) for step in range(width(first)))
    events = tuple(log.append("bitcoin", block_data(block)) for block in rows)
    flags = () if before is None else ((hash_at("bitcoin", before), False),)
    return Commit("bitcoin", events, rows, canonical=flags, head=rows[-1].hash)


def main(place: str, seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    # Small limits, so that checkpoints run between the kills too.
    settings = StoreSettings(wal_bytes_max=128 * 1024, wal_bytes_kept=64 * 1024, idle_wait_ms=1.0)
    url = place if "://" in place else None
    # Beside this file the marks lie also where a database elsewhere has the log.
    file = Path(place) if url is None else folder / "sprint.db"
    store = open_store(file, url, settings, wall_clock=time.time, random_bytes=os.urandom)
    told = threading.Semaphore(0)

    def done(commits: Sequence[Commit], error: StoreError | None) -> None:
        if error is not None:
            raise error
        os.write(1, f"{commits[-1].events[-1].position}\n".encode())
        for _ in commits:
            told.release()

    store.start(done)
    log = log_of(store)
    starts = firsts(log.position)
    before = starts[-2] if len(starts) > 1 else None
    while True:
        burst = rng.randint(1, BURST_MAX)
        for _ in range(burst):
            first = log.position + 1
            store.submit(next_commit(log, before))
            before = first
        for _ in range(burst):
            told.acquire()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
