"""A database that was put back to an earlier state is known for it, and no other one is taken for such."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sprint.core.errors import StoreFailing
from sprint.tools.store import LogBounds, Store
from sprint.tools.store.high_water import FOLDER, LOGS_KEPT_MAX, HighWater, high_water_of
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import Answers, block_commit, hash_at, log_of, opened
from tests.tools.store.homes import SqliteHome
from tests.tools.store.test_crash import leave_unclean

ID = "00112233aabbccdd"
NOTICED = "the database was put back to an earlier state: a new log begins"


def commit(store: Store, blocks: int, *, then: Callable[[], None] = lambda: None, after: int = 0) -> str:
    """Have the next blocks given out, do something, have more given out, and stop; return the log's id."""
    with closing(store):
        answers = Answers()
        store.start(answers)
        log = log_of(store)
        for number in range(blocks + after):
            if number == blocks:
                then()
            store.submit(block_commit(log, "bitcoin", log.position + 1))
            answers.wait_in(1)
    return store.log_id


def back_up(path: Path, copy: Path) -> None:
    """Copy the database as a backup of a running one does."""
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy)) as target:
        live.backup(target)


def put_back(copy: Path, path: Path) -> None:
    """Put a copy of a database in its place, as the guide says."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(copy, path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sprint.db"


@pytest.mark.parametrize("clean", [True, False])
def test_cursors_of_a_log_that_was_put_back_were_given_to_other_events(
    path: Path, caplog: pytest.LogCaptureFixture, *, clean: bool
) -> None:
    copy = path.with_suffix(".copy")
    if clean:
        commit(opened(path), 2)
        shutil.copy(path, copy)
        old_id = commit(opened(path), 3)
    else:
        old_id = commit(opened(path), 2, then=lambda: back_up(path, copy), after=3)
    put_back(copy, path)
    with closing(opened(path)) as store:
        assert store.log_id != old_id
        assert store.bounds() == LogBounds(0, 0)
        snapshot = store.snapshot("bitcoin", 10)
        assert (snapshot.head, snapshot.seq) == (hash_at("bitcoin", 2), 0), "the chain goes on"
        new_id = store.log_id
    assert NOTICED in caplog.text
    (told,) = [record for record in caplog.records if NOTICED in record.getMessage()]
    assert told.__dict__["fields"]["reason"] == (
        f"log {old_id} is there up to position 2, and was given out up to 5"
    )
    with closing(opened(path)) as store:
        assert store.log_id == new_id, "once"


def test_a_log_that_was_put_back_whole_goes_on(path: Path) -> None:
    commit(opened(path), 3)
    shutil.copy(path, path.with_suffix(".copy"))
    with closing(opened(path)) as store:
        log_id = store.log_id
    put_back(path.with_suffix(".copy"), path)
    with closing(opened(path)) as store:
        assert (store.log_id, store.bounds()) == (log_id, LogBounds(0, 3))


@pytest.mark.parametrize("logged", [1, 30])
def test_a_copy_beside_the_write_ahead_log_of_another_file_was_taken_for_whole(
    path: Path, *, logged: int
) -> None:
    """SQLite takes that log for the copy's own, and the events between went missing without a word."""
    copy = path.with_suffix(".copy")
    commit(opened(path), 50)
    shutil.copy(path, copy)
    commit(opened(path), 200)
    with closing(opened(path)) as store:
        answers = Answers()
        store.start(answers)
        log = log_of(store)
        for height in range(251, 251 + logged):
            store.submit(block_commit(log, "bitcoin", height))
        answers.wait_in(logged)
        wal = path.with_name(path.name + "-wal").read_bytes()  # as a kill would leave it
    shutil.copy(copy, path)
    path.with_name(path.name + "-wal").write_bytes(wal)
    with (
        pytest.raises(StoreFailing, match=r"take away the -wal and -shm"),
        closing(opened(path)) as store,
    ):
        store.read_events(0, 1_000, (), (), 1_000)
    put_back(copy, path)
    with closing(opened(path)) as store:
        assert store.bounds() == LogBounds(0, 0), "the mark outlived that"


def move(folder: Path) -> Path:
    return folder.rename(folder.with_name("moved"))


def lose_marks(folder: Path) -> Path:
    shutil.rmtree(folder / FOLDER)
    return folder


def fall_behind(folder: Path) -> Path:
    """Leave the mark as an earlier relay left it, before another one, on another host, took its turn."""
    (mark,) = (folder / FOLDER).iterdir()
    mark.write_bytes(b"%019d\n" % 1)
    return folder


def leave_garbage(folder: Path) -> Path:
    (mark,) = (folder / FOLDER).iterdir()
    mark.write_bytes(b"\0" * 20)
    return folder


@pytest.mark.parametrize("happened", [move, lose_marks, fall_behind, leave_garbage])
def test_what_is_no_restore_ends_no_log(path: Path, happened: Callable[[Path], Path]) -> None:
    commit(opened(path), 3)
    leave_unclean(SqliteHome(path))
    with closing(opened(path)) as store:
        log_id = store.log_id
    path = happened(path.parent) / path.name
    with closing(opened(path)) as store:
        assert (store.log_id, store.bounds()) == (log_id, LogBounds(0, 3))
    assert high_water_of(path).may_go_on(log_id, 3)
    assert not high_water_of(path).may_go_on(log_id, 2), "from then on the mark is kept again"


def test_a_folder_that_takes_no_mark_fails_no_commit(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    (path.parent / FOLDER).write_text("in the way")
    commit(opened(path), 2)
    with closing(opened(path)) as store:
        assert store.bounds() == LogBounds(0, 2)
    assert "no high-water mark is kept" in caplog.text


def test_a_mark_that_cannot_be_written_any_more_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marks = HighWater(tmp_path)
    marks.follow(ID, 1)
    os.close(marks._descriptor)
    marks._descriptor = os.open("/dev/full", os.O_WRONLY)
    for position in (2, 3):
        marks.note(position)
    assert caplog.text.count("no high-water mark is kept") == 1
    assert (tmp_path / ID).read_bytes() == b"0000000000000000001\n", "the last that was written counts"


def test_no_more_marks_are_kept_than_the_limit_and_the_newest_are(tmp_path: Path) -> None:
    for number in range(LOGS_KEPT_MAX + 1):
        marks = HighWater(tmp_path)
        marks.follow(f"{number:016x}", number)
        marks.close()
        os.utime(tmp_path / f"{number:016x}", ns=(number, number))
    (tmp_path / "somebody's").touch()
    HighWater(tmp_path).follow(f"{0:016x}", 0)
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == [f"{number:016x}" for number in (0, *range(2, LOGS_KEPT_MAX + 1))] + ["somebody's"]


def test_in_memory_nothing_is_left_behind(tmp_path: Path) -> None:
    commit(opened(tmp_path / "sprint.db", StoreSettings(durability="memory")), 1)
    assert list(tmp_path.iterdir()) == []


def test_a_mark_is_written_before_anybody_is_told_of_the_commit(path: Path) -> None:
    """Killed right behind the answer, a relay leaves a mark that covers it."""
    told: list[bool] = []
    store = opened(path)
    answers = Answers()

    def done(commits: object, error: object) -> None:
        told.append(high_water_of(path).may_go_on(store.log_id, log.position - 1))
        answers((), None)

    log = log_of(store)
    store.submit(block_commit(log, "bitcoin", 1))
    store.start(done)
    answers.wait()
    store.close()
    assert told == [False], "the mark says that the whole was given out"
