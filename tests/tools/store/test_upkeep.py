"""Old events go in bounded steps from the oldest on; blocks near the head stay; the file stays small."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.core.chains import display_hash
from sprint.tools.store import LogBounds
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.sqlite import SqliteStore
from sprint.tools.store.upkeep import (
    CHECKPOINT_PAGES_FEW,
    CHECKPOINT_ROUNDS_MAX,
    RESTART_SLACK_BLOCKS,
    Upkeep,
    _checkpoint_most,
    delete_expired,
)
from tests.tools.store.commits import Answers, Clock, block_commit, hash_at, log_of, opened, status_commit

LIMITS = StoreSettings(history_s=100.0, blocks_keep=5, delete_rows_max=4)
START_S = 1_000_000.0
COMMITS_MAX = 20_000  # how many may come while three checkpoints run, on a slow disk


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Ten blocks at START_S and ten a minute later."""
    clock = Clock(START_S)
    store = opened(tmp_path / "sprint.db", LIMITS, wall_clock=clock)
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    for height in range(1, 21):
        clock.now_s = START_S + (60.0 if height > 10 else 0.0)
        store.submit(block_commit(log, "bitcoin", height))
        answers.wait_in(1)
    yield store
    store.close()


def expire(store: SqliteStore, now_s: float) -> int:
    with store._file.writing.borrow() as connection:
        return delete_expired(connection, LIMITS, now_s)


def test_nothing_goes_up_to_the_age_and_the_oldest_go_one_moment_later(store: SqliteStore) -> None:
    assert expire(store, START_S + 100.0) == 0
    assert store.bounds() == LogBounds(0, 20)
    assert expire(store, START_S + 100.01) == 4
    assert store.bounds() == LogBounds(4, 20)


def test_each_step_is_bounded_and_earliest_follows_to_the_end(store: SqliteStore) -> None:
    steps = [expire(store, START_S + 101.0) for _ in range(4)]
    assert steps == [4, 4, 2, 0]
    assert store.bounds() == LogBounds(10, 20)
    assert [event.position for event in store.read_events(0, 99, (), (), 99)] == list(range(11, 21))


def test_positions_and_seqs_go_on_when_every_event_has_gone(store: SqliteStore) -> None:
    while expire(store, START_S + 1_000.0):
        pass
    assert store.bounds() == LogBounds(20, 20)
    assert store.snapshot("bitcoin", 0).seq == 20
    assert log_of(store).position == 20


def test_blocks_near_the_head_stay_though_their_events_have_gone(store: SqliteStore) -> None:
    while expire(store, START_S + 1_000.0):
        pass
    assert [block.height for block in store.snapshot("bitcoin", 100).blocks] == [15, 16, 17, 18, 19, 20]
    assert store.block_by_hash(display_hash(hash_at("bitcoin", 20))) == []


def test_blocks_stay_as_long_as_their_events(store: SqliteStore) -> None:
    while expire(store, START_S + 101.0):
        pass
    assert [block.height for block in store.snapshot("bitcoin", 100).blocks] == list(range(11, 21))
    assert len(store.blocks_before("bitcoin", 99, 99)) == 10


def test_a_log_that_never_rests_is_deleted_from_too(tmp_path: Path) -> None:
    clock = Clock(START_S)
    settings = StoreSettings(history_s=100.0, retention_interval_s=60.0)
    store = opened(tmp_path / "sprint.db", settings, wall_clock=clock)
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    store.submit(status_commit(log, "bitcoin"))
    answers.wait_in(1)
    clock.now_s += 121.0
    # The turn after the second commit deletes; the report of the third comes after that turn.
    for _ in range(2):
        store.submit(status_commit(log, "bitcoin"))
        answers.wait_in(1)
    assert store.bounds() == LogBounds(1, 3)
    store.close()


def test_the_write_ahead_log_starts_over_under_load_and_is_gone_after_close(tmp_path: Path) -> None:
    path, wal = tmp_path / "sprint.db", tmp_path / "sprint.db-wal"
    settings = StoreSettings(wal_bytes_max=200_000, wal_bytes_kept=50_000, idle_wait_ms=1e6)
    store = opened(path, settings)
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    longest, restarts = 0, 0
    for height in range(1, COMMITS_MAX + 1):
        store.submit(block_commit(log, "bitcoin", height))
        answers.wait_in(1)
        size = wal.stat().st_size
        if size < longest:
            assert longest >= settings.wal_bytes_max
            restarts += 1
            longest = 0
        longest = max(longest, size)
        if restarts == 3:
            break
    assert restarts == 3, f"no third restart in {COMMITS_MAX} commits, {longest} bytes"
    store.close()
    assert not wal.exists()


def test_a_write_ahead_log_that_cannot_be_looked_at_does_not_end_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError("not yours")

    store = opened(tmp_path / "sprint.db")
    monkeypatch.setattr(Upkeep, "_wal_bytes", refuse)
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    for height in (1, 2, 3):
        store.submit(block_commit(log, "bitcoin", height))
        answers.wait_in(1)
    store.close()
    assert [record.getMessage() for record in caplog.records] == [
        "upkeep of the store failed, it is tried again: not yours"
    ]


def test_a_retained_depth_over_the_settings_is_kept_for_the_next_start(tmp_path: Path) -> None:
    clock = Clock(START_S)
    settings = StoreSettings(history_s=100.0, blocks_keep=5, retention_interval_s=60.0)
    store = opened(tmp_path / "sprint.db", settings, wall_clock=clock)
    answers = Answers()
    store.snapshot("bitcoin", 15)
    store.start(answers)
    log = log_of(store)
    blocks = RESTART_SLACK_BLOCKS + 40
    for height in range(1, blocks + 1):
        store.submit(block_commit(log, "bitcoin", height))
    answers.wait_in(blocks)
    clock.now_s += 1_000.0
    with store._file.writing.borrow() as connection:
        store._upkeep.run(connection, idle=True)
        store._upkeep.run(connection, idle=True)
    assert store.bounds().earliest > 0
    heights = [block.height for block in store.snapshot("bitcoin", blocks).blocks]
    assert heights[0] == blocks - RESTART_SLACK_BLOCKS - 15
    store.close()


class LogThatGrows(sqlite3.Connection):
    """Tells of checkpoints that each found so many pages more in the file than the one before."""

    found: list[int]
    made = 0

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        self.made += 1
        done = sum(self.found[: self.made])
        return super().execute("SELECT 0, ?, ?", (done, done))


@pytest.mark.parametrize(
    ("found", "made"),
    [
        ([CHECKPOINT_PAGES_FEW], 1),
        ([9_000, 3_000, CHECKPOINT_PAGES_FEW, 9_000], 3),
        ([9_000] * 9, CHECKPOINT_ROUNDS_MAX),
        ([9_000, -8_000, 9_000], 2),  # the log has started over: all was in the file
    ],
)
def test_checkpoints_beside_the_writer_go_on_until_one_finds_little(found: list[int], made: int) -> None:
    connection = sqlite3.connect(":memory:", factory=LogThatGrows)
    connection.found = found
    _checkpoint_most(connection)
    assert connection.made == made
    connection.close()


def test_a_clock_that_was_far_ahead_put_retention_off_until_the_calendar_got_there(tmp_path: Path) -> None:
    clock = Clock(START_S)
    settings = StoreSettings(history_s=1e9, retention_interval_s=60.0)
    store = opened(tmp_path / "sprint.db", settings, wall_clock=clock)
    clock.now_s = START_S + 1e8
    with store._file.writing.borrow() as connection:
        store._upkeep._retain(connection)
    clock.now_s = START_S
    assert not store._upkeep._retention_is_due(idle=True)
    clock.now_s = START_S + 60.0
    assert store._upkeep._retention_is_due(idle=True)
    store.close()
