"""A process whose files may not grow past a limit, which the kernel enforces: a disk that is full.

    python -m tests.tools.store.narrow_disk PATH

It commits until the store reports a failure, shows that nothing half is there, lifts the limit, and expects
every commit to come in, in order. Then it narrows the limit again and closes. Prints what it saw as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from sprint.core.errors import StoreError, StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import WAIT_S, block_commit, log_of, opened

COMMITS = 400
LATE_COMMITS = 5
ROOM_BYTES = 300_000


def main(path: Path) -> None:
    # No checkpoints: they would move the room from one file to the other.
    settings = StoreSettings(retry_ms_first=1.0, retry_ms_max=4.0, wal_bytes_max=1 << 40, idle_wait_ms=1e6)
    store = opened(path, settings)
    failed, everything_in = threading.Event(), threading.Event()
    positions: list[int] = []
    errors: list[StoreError] = []

    def done(commits: Sequence[Commit], error: StoreError | None) -> None:
        if error is not None:
            errors.append(error)
            failed.set()
            return
        positions.extend(event.position for commit in commits for event in commit.events)
        if len(positions) == COMMITS:
            everything_in.set()

    narrow(ROOM_BYTES)
    store.start(done)
    log = log_of(store)
    for height in range(1, COMMITS + 1):
        store.submit(block_commit(log, "bitcoin", height))
    found: dict[str, object] = {"failed": failed.wait(WAIT_S)}
    while_failing = len(positions)
    found["stored_while_failing"] = store.bounds().latest
    found["reported_while_failing"] = while_failing
    narrow(resource.RLIM_INFINITY)
    found["everything_in"] = everything_in.wait(WAIT_S)
    found["in_order"] = positions == list(range(1, COMMITS + 1))
    found["error"] = str(errors[0])
    narrow(1)
    for height in range(COMMITS + 1, COMMITS + LATE_COMMITS + 1):
        store.submit(block_commit(log, "bitcoin", height))
    try:
        store.close()
    except StoreFailing as error:
        found["closed"] = str(error)
    print(json.dumps(found))


def narrow(limit: int) -> None:
    """Let no file grow past `limit` bytes; writing further is refused by the kernel."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
