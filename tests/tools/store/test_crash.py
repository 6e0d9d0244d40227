"""What was reported as in is there after kill -9, and no commit is there by half."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.store.commit_stream import firsts
from tests.tools.store.commits import hash_at, opened

KILLS = 20
KILLS_SOAK = 1_000
REPORTS_MAX = 60


def run_and_kill(path: Path, seed: int, reports: int) -> int:
    """Kill the stream after so many reports, wherever it is by then. Returns the last position reported."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.tools.store.commit_stream", str(path), str(seed)],
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


def check_whole(path: Path, reported: int, log_id: str | None) -> str:
    store = opened(path, boot_id=boot_id())
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
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.execute("UPDATE sprint_core_log SET clean_stop = 0")
    connection.commit()
    connection.close()
    return store.log_id


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def kill_again_and_again(path: Path, seed: int, kills: int) -> None:
    rng = random.Random(seed)
    log_id: str | None = None
    for number in range(kills):
        child_seed, reports = rng.getrandbits(32), rng.randint(1, REPORTS_MAX)
        reported = run_and_kill(path, child_seed, reports)
        try:
            log_id = check_whole(path, reported, log_id)
        except AssertionError:
            print(
                f"kill {number} of seed {seed}: {reports} reports, position {reported}, process {os.getpid()}"
            )
            raise


def test_after_kill_9_everything_reported_is_there_and_nothing_by_half(tmp_path: Path, seed: int) -> None:
    kill_again_and_again(tmp_path / "sprint.db", seed, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_after_kill_9_a_thousand_times(tmp_path: Path, seed: int) -> None:
    for round_number in range(KILLS_SOAK // KILLS):
        kill_again_and_again(tmp_path / f"{round_number}.db", seed + round_number, KILLS)
