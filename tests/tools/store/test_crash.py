"""What was reported as in is there after kill -9, and no commit is there by half."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.tools.store.commit_stream import firsts
from tests.tools.store.commits import hash_at
from tests.tools.store.homes import Home, PostgresHome, SqliteHome, begin_anew

KILLS = {"sqlite": 12, "postgres": 5}
KILLS_SOAK = 1_000
KILLS_A_LOG = 20
REPORTS_MAX = 60


def run_and_kill(place: str, seed: int, reports: int, folder: Path) -> int:
    """Kill the stream after so many reports, wherever it is by then. Returns the last position reported."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.tools.store.commit_stream", place, str(seed), str(folder)],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(reports)]
        finally:
            process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    # The kill may cut the last line; one that is whole was reported.
    return int([line for line in lines if line.endswith(b"\n")][-1])


def check_whole(home: Home, reported: int, log_id: str | None) -> str:
    store = home.opened()
    bounds = store.bounds()
    assert log_id in (None, store.log_id)
    assert bounds.latest >= reported
    events = store.read_events(0, bounds.latest, (), (), bounds.latest)
    assert [(event.position, event.seq) for event in events] == [(n, n) for n in range(1, bounds.latest + 1)]
    starts = firsts(bounds.latest)
    assert starts[-1] == bounds.latest + 1, "the log ends within a commit"
    snapshot = store.snapshot("bitcoin", bounds.latest)
    assert (snapshot.head, snapshot.seq) == (hash_at("bitcoin", bounds.latest), bounds.latest)
    assert [block.height for block in snapshot.blocks] == list(range(1, bounds.latest + 1))
    left = [block.height for block in snapshot.blocks if not block.canonical]
    assert left == starts[:-2]
    store.close()
    leave_unclean(home)
    return store.log_id


def leave_unclean(home: Home) -> None:
    """Take the mark of a clean stop away again, so that the next start finds what a kill leaves."""
    if isinstance(home, PostgresHome):
        with home.connect() as connection:
            connection.execute("UPDATE sprint_core.log SET clean_stop = false")
    elif isinstance(home, SqliteHome):
        with closing(sqlite3.connect(home.path)) as file:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            file.execute("UPDATE sprint_core_log SET clean_stop = 0")
            file.commit()


def place_of(home: Home) -> str:
    if isinstance(home, PostgresHome):
        return home.url
    assert isinstance(home, SqliteHome)
    return str(home.path)


def kill_again_and_again(home: Home, seed: int, kills: int, folder: Path) -> None:
    rng = random.Random(seed)
    log_id: str | None = None
    for number in range(kills):
        child_seed, reports = rng.getrandbits(32), rng.randint(1, REPORTS_MAX)
        reported = run_and_kill(place_of(home), child_seed, reports, folder)
        try:
            log_id = check_whole(home, reported, log_id)
        except AssertionError:
            print(
                f"kill {number} of seed {seed}: {reports} reports, position {reported}, process {os.getpid()}"
            )
            raise


def test_after_kill_9_everything_reported_is_there_and_nothing_by_half(
    home: Home, seed: int, tmp_path: Path
) -> None:
    kill_again_and_again(home, seed, KILLS[home.kind], tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_after_kill_9_a_thousand_times(home: Home, seed: int, tmp_path: Path) -> None:
    for round_number in range(KILLS_SOAK // KILLS_A_LOG):
        begin_anew(home)
        kill_again_and_again(home, seed + round_number, KILLS_A_LOG, tmp_path)
