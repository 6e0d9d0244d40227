"""A full disk stops the store from acknowledging, is said, and loses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sprint.core.errors import StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import Answers, block_commit, log_of, opened
from tests.tools.store.narrow_disk import COMMITS, LATE_COMMITS

CHILD_S = 120.0


def test_a_disk_that_the_kernel_calls_full_stops_commits_until_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    run = subprocess.run(
        [sys.executable, "-m", "tests.tools.store.narrow_disk", str(path)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=CHILD_S,
    )
    found = json.loads(run.stdout)
    assert found["failed"]
    assert found["reported_while_failing"] == found["stored_while_failing"] < COMMITS
    assert found["everything_in"]
    assert found["in_order"]
    assert "sprint.db: " in found["error"]
    assert f"{LATE_COMMITS} commits not in (positions {COMMITS + 1} to" in found["closed"]
    store = opened(path)
    assert store.bounds().latest == COMMITS
    assert len(store.read_events(0, COMMITS, (), ("block",), COMMITS)) == COMMITS
    store.close()


def test_a_database_at_its_page_limit_fails_and_recovers_in_order(tmp_path: Path) -> None:
    store = opened(tmp_path / "sprint.db", StoreSettings(retry_ms_first=0.1, retry_ms_max=0.5))
    with store._file.writing.borrow() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    commits = [block_commit(log, "bitcoin", height) for height in range(1, 101)]
    for commit in commits:
        store.submit(commit)
    found: list[Commit] = []
    while True:
        told, error = answers.wait()
        if error is not None:
            break
        found.extend(told)
    assert isinstance(error, StoreFailing)
    assert "full (SQLITE_FULL)" in str(error)
    assert store.in_flight > 0
    with store._file.writing.borrow() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    found.extend(answers.wait_in(len(commits) - len(found)))
    assert found == commits
    store.close()


def test_a_commit_that_can_never_go_in_is_told_and_holds_what_follows(tmp_path: Path) -> None:
    store = opened(tmp_path / "sprint.db", StoreSettings(retry_ms_first=0.1, retry_ms_max=0.5))
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    good = block_commit(log, "bitcoin", 1)
    again = block_commit(log, "bitcoin", 1)
    store.submit(good)
    assert answers.wait_in(1) == [good]
    store.submit(again)
    told, error = answers.wait()
    assert told == (again,)
    assert error is not None
    assert "UNIQUE constraint failed: sprint_core_events.chain" in str(error)
    assert store.bounds().latest == 1
    with pytest.raises(StoreFailing, match=r"1 commits not in \(positions 2 to 2\)"):
        store.close()
