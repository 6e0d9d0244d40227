"""What may be set of a store, and every limit it works under."""

from __future__ import annotations

from typing import Literal

import msgspec

STORE_FILE = "sprint.db"  # the embedded store, within the data directory
Durability = Literal["process", "disk", "memory"]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a store, in SQLite or PostgreSQL.

    `process` survives the end of the process, also by kill -9: WAL without a sync per commit. It runs with
    SQLite's `synchronous=NORMAL`, not OFF: the commit costs the same, since only checkpoints sync, and a
    power loss then costs the newest commits but never leaves a damaged file, whose blocks and heads the
    next start goes on from. `disk` syncs every commit and survives power loss. `memory` keeps no file.

    On PostgreSQL `process` and `disk` are one: a commit is confirmed when the server has it on its disk.
    `memory` doesn't wait for that (`synchronous_commit=off`).
    """

    durability: Durability = "process"
    history_s: float = 86_400.0
    # Who ordered what is kept so long at least.
    audit_s: float = 90 * 86_400.0
    # Blocks at most so far below their chain's head are never deleted, nor those that a `snapshot` reaches.
    blocks_keep: int = 10_080
    # Commits that may wait for the writer; a relay stops its intake long before.
    in_flight_max: int = 16_384
    # One transaction takes commits until one of these is reached.
    group_commits_max: int = 256
    group_events_max: int = 4_000
    # Upkeep between commits waits for a moment without any, at most for so many.
    upkeep_commits_max: int = 64
    retry_ms_first: float = 10.0
    retry_ms_max: float = 1_000.0
    busy_timeout_ms: int = 1_000
    close_timeout_s: float = 5.0
    idle_wait_ms: float = 1_000.0
    wal_bytes_max: int = 16 * 1024 * 1024
    wal_bytes_kept: int = 1024 * 1024
    retention_interval_s: float = 60.0
    delete_rows_max: int = 1_000
    readers: int = 2
    # Of PostgreSQL: how long connecting may take, and an answer.
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 10.0
    # Bring an older schema up to date when opened; else it is refused.
    auto_migrate: bool = True
