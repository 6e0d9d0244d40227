"""Commits as a pipeline makes them, and the settings and clock that tests of the store share."""

from __future__ import annotations

import hashlib
import os
import queue
from collections.abc import Callable, Sequence
from pathlib import Path

from sprint.core.chains import display_hash
from sprint.core.errors import StoreError
from sprint.core.model import BlockData, ChainStatusData, CheckSlip, ReorgData
from sprint.core.relay.event_log import BlockRow, Commit, EventLog
from sprint.tools.store import Store
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.sqlite import SqliteStore, open_store

WAIT_S = 20.0
GENESIS = bytes(32)


class Clock:
    """A wall clock that a test moves."""

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class Answers:
    """Collects what the writer thread reports; `wait` is the barrier that tests stand at."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[tuple[Commit, ...], StoreError | None]] = queue.SimpleQueue()

    def __call__(self, commits: Sequence[Commit], error: StoreError | None) -> None:
        self._queue.put((tuple(commits), error))

    def wait(self) -> tuple[tuple[Commit, ...], StoreError | None]:
        return self._queue.get(timeout=WAIT_S)

    def wait_in(self, count: int) -> list[Commit]:
        """Wait for so many commits to be in; failures on the way are passed over."""
        found: list[Commit] = []
        while len(found) < count:
            commits, error = self.wait()
            if error is None:
                found.extend(commits)
        return found


def opened(
    path: Path | None,
    settings: StoreSettings | None = None,
    *,
    wall_clock: Callable[[], float] | None = None,
    boot_id: str = "boot-a",
) -> SqliteStore:
    return open_store(
        path,
        settings or StoreSettings(),
        wall_clock=wall_clock or Clock(),
        random_bytes=os.urandom,
        boot_id=boot_id,
    )


def log_of(store: Store, chains: Sequence[str] = ("bitcoin",)) -> EventLog:
    """Go on numbering where the store left off, as the relay does at its start."""
    seqs = {chain: store.snapshot(chain, 0).seq for chain in chains}
    return EventLog(store.log_id, store.bounds().latest, seqs)


def hash_at(chain: str, height: int, branch: str = "") -> bytes:
    return hashlib.sha256(f"{chain}/{height}/{branch}".encode()).digest()


def row(
    chain: str, height: int, branch: str = "", *, state: str = "delivered", canonical: bool = True
) -> BlockRow:
    return BlockRow(
        chain=chain,
        hash=hash_at(chain, height, branch),
        parent=hash_at(chain, height - 1, branch),
        height=height,
        work=(height + 1) << 70,
        header=bytes(80),
        state=state,
        canonical=canonical,
        record=b"record" if state == "held" else b"",
    )


def block_data(block: BlockRow) -> BlockData:
    return BlockData(
        hash=display_hash(block.hash),
        height=block.height,
        parent=display_hash(block.parent),
        timestamp="2025-09-05T18:55:07Z",
        tx_count=2500,
        size=1_234_567,
        validation="full",
        source="core-1",
        sources_seen=3,
        agreed_by=3,
        relay_time_ms=0.85,
        proof=CheckSlip(checks=("proof_of_work", "merkle_root", "parent"), sources=("core-1", "core-2")),
        native={"bits": "170331db", "nonce": 123456, "version": 536870912},
    )


def block_commit(log: EventLog, chain: str, height: int, branch: str = "") -> Commit:
    """Deliver one block on top of the best branch."""
    block = row(chain, height, branch)
    return Commit(chain, (log.append(chain, block_data(block)),), (block,), head=block.hash)


def status_commit(log: EventLog, chain: str) -> Commit:
    return Commit(chain, (log.append(chain, ChainStatusData("stalled", "no block for an hour")),))


def reorg_commit(log: EventLog, chain: str, fork: int, old_tip: int, new_tip: int, branch: str) -> Commit:
    """Leave the blocks above `fork` for a longer branch, whose blocks are delivered with it."""
    removed = [hash_at(chain, height) for height in range(old_tip, fork, -1)]
    added = [row(chain, height, branch) for height in range(fork + 1, new_tip + 1)]
    data = ReorgData(
        fork,
        tuple(display_hash(block_hash) for block_hash in removed),
        tuple(display_hash(block.hash) for block in added),
        len(removed),
    )
    events = [log.append(chain, data), *(log.append(chain, block_data(block)) for block in added)]
    return Commit(
        chain,
        tuple(events),
        tuple(added),
        canonical=tuple((block_hash, False) for block_hash in removed),
        head=added[-1].hash,
    )
