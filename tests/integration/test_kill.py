"""kill -9 of the relay on a block's way: a subscriber that resumes sees every block once, in order.

A devnet process mines all the while. The relay under test writes each stage that it reaches to a shared
page; the harness polls the page, waits a fraction of the whole way after a body was read, and kills. The
fractions are evenly spread, so the kills fall where a block really spends its time; the stages that are too
short to be hit so are hit by stopping the relay in them first. Printed: how many kills hit which stage.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

from sprint.core.errors import CursorError
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import free_ports, wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.stage_board import STAGES, Field, StageBoard
from tests.integration.subscribers import Listener, blocks_of, kinds_of

CHAIN = "litecoin-regtest"
BLOCK_INTERVAL_MS = 50.0
KILLS = 10
KILLS_SOAK = 200
BLOCKS_MEASURED = 20
BLOCKS_BEFORE_KILL = 2
POLL_TIMEOUT_S = 15.0
LATE_NS_MAX = 20_000
ATTEMPTS_MAX = 100
MUTANT_KILLS_MAX = 3
BLOCK_STAGES = STAGES[1:]
# Without headers: an event that came just before the kill would make the harness late for it.
TYPES = ("block", "reorg", "gap")
ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "tests.integration.observed_relay")


class KilledRelay:
    """One relay after the other on the same data and port, each killed where it is told."""

    def __init__(self, folder: Path, devnet: DevnetProcess, *options: str) -> None:
        (self._port,) = free_ports(1)
        self._folder = folder
        self._options = (
            *("--source", devnet.source_url, "--data-dir", str(folder / "data")),
            *("--board", str(folder / "board"), *options),
        )
        self.board = StageBoard(folder / "board")
        self.moments_missed = 0
        self.relay = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.relay.kill()
        self.board.__exit__()

    def measure_way_ns(self) -> int:
        """Return the median time from reading a body to handing it over."""
        ways: list[int] = []
        while len(ways) < BLOCKS_MEASURED:
            self._wait_for_blocks(1)
            ways.append(self.board[Field.WAY_NS])
        return int(statistics.median(ways))

    def kill_after(self, wait_ns: int) -> str:
        """Kill so long after a body was read; start again; return the stage that was hit."""
        self._wait_for_blocks(BLOCKS_BEFORE_KILL)
        for _ in range(ATTEMPTS_MAX):
            if self._is_moment(wait_ns):
                return self._kill()
            self.moments_missed += 1
        raise TimeoutError(
            f"the moment was missed {ATTEMPTS_MAX} times: the machine is too busy for this proof"
        )

    def _is_moment(self, wait_ns: int) -> bool:
        """Wait for a body and then so long; False if the harness was put aside and the moment has passed."""
        board, before = self.board, self.board[Field.BODY_AT_NS]
        poll(lambda: board[Field.BODY_AT_NS] != before, "a body is read")
        due = board[Field.BODY_AT_NS] + wait_ns
        while (now := time.monotonic_ns()) < due:
            pass
        return now - due < LATE_NS_MAX

    def kill_held_in(self, stage: str) -> str:
        """Let the relay stop itself in a stage, kill it there, start again; return the stage."""
        self._wait_for_blocks(BLOCKS_BEFORE_KILL)
        self.board[Field.HOLD_AT] = STAGES.index(stage)
        wait_until(lambda: bool(self.board[Field.HELD]), f"the relay stops in {stage}")
        return self._kill()

    def kill_while_catching_up(self, wait_s: float) -> str:
        """Kill so long after it serves, before it has caught up; start again; return the stage."""
        time.sleep(wait_s)
        return self._kill()

    def _kill(self) -> str:
        os.kill(self.relay.pid, signal.SIGKILL)
        self.relay.kill()
        stage = self.board.stage
        self.relay = self._start()
        return stage

    def _start(self) -> RelayProcess:
        self.board.clear()
        environment = {"PYTHONPATH": str(ROOT)}
        return RelayProcess(
            self._folder, *self._options, port=self._port, environment=environment, command=COMMAND
        )

    def _wait_for_blocks(self, count: int) -> None:
        """Return when so many more blocks went their way alone: announced, read, handed over."""
        for _ in range(count):
            due = self.board[Field.DELIVERED] + 1
            wait_until(partial(self._has_delivered, due), "a block is handed over")

    def _has_delivered(self, count: int) -> bool:
        return self.board[Field.DELIVERED] >= count


def poll(condition: Callable[[], bool], what: str) -> None:
    """Wait without giving the processor away: what is waited for lasts less than a millisecond."""
    deadline = time.monotonic() + POLL_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {POLL_TIMEOUT_S:g} s: {what}")


def disagreement(listener: Listener, relay_url: str, devnet: DevnetProcess) -> str | None:
    """Compare what the subscriber was given, what the log holds, and what the devnet mined."""
    target = devnet.tip
    try:
        listener.wait_for_block(target)
    except AssertionError as error:
        if isinstance(listener.error, CursorError):
            return f"the subscriber's place is not in the log: {listener.error}"
        return str(error)
    # The listener's thread goes on; every comparison is of the same events.
    events = list(listener.events)
    seen = blocks_of(events)
    mined = devnet.hashes()
    begin = mined.index(seen[0])
    if seen != mined[begin : begin + len(seen)]:
        return f"the subscriber was given {len(seen)} blocks, {len(set(seen))} different ones"
    if kinds_of(events) != [f"block {block_hash}" for block_hash in seen]:
        return "the subscriber was told of a reorg or a gap that there was not"
    with Listener(relay_url, types=TYPES) as fresh:
        fresh.wait_for_block(target)
        count = min(len(fresh.events), len(events))
        if fresh.events[:count] != events[:count]:
            return "the log holds other events than the subscriber was given"
    return None


def print_table(timed: Counter[str], held: Counter[str], early: Counter[str]) -> None:
    print(f"{'stage':12} {'timed':>6} {'held':>6} {'catching up':>12}")
    for stage in STAGES:
        print(f"{stage:12} {timed[stage]:6} {held[stage]:6} {early[stage]:12}")


def test_every_block_is_seen_once_in_order_across_kills_at_every_stage(tmp_path: Path) -> None:
    kills = KILLS_SOAK if os.environ.get("SPRINT_SOAK") == "1" else KILLS
    timed, held, early = Counter[str](), Counter[str](), Counter[str]()
    began = time.monotonic()
    with (
        DevnetProcess(CHAIN, interval_ms=BLOCK_INTERVAL_MS) as devnet,
        KilledRelay(tmp_path, devnet) as killed,
        Listener(killed.relay.url, types=TYPES) as listener,
    ):
        way_ns = killed.measure_way_ns()
        for number in range(kills):
            timed[killed.kill_after(way_ns * (2 * number + 1) // (2 * kills))] += 1
        for stage in BLOCK_STAGES:
            if not timed[stage]:
                held[killed.kill_held_in(stage)] += 1
        for number in range(max(2, kills // 10)):
            early[killed.kill_while_catching_up(0.1 * number / max(2, kills // 10))] += 1
        found = disagreement(listener, killed.relay.url, devnet)
        count = timed.total() + held.total() + early.total()
        print(f"\n{count} kills in {time.monotonic() - began:.0f} s, a block every {BLOCK_INTERVAL_MS:g} ms")
        print(f"way of a block, read to handed over: {way_ns / 1e6:.3f} ms (median)")
        print(f"{killed.moments_missed} moments missed and waited for again")
        print(f"{len(blocks_of(listener.events))} blocks seen, {len(listener.events)} events")
        print_table(timed, held, early)
        assert found is None
        assert all(timed[stage] + held[stage] for stage in BLOCK_STAGES)


def test_a_relay_that_delivers_before_it_commits_is_caught(tmp_path: Path) -> None:
    with (
        DevnetProcess(CHAIN, interval_ms=BLOCK_INTERVAL_MS) as devnet,
        KilledRelay(tmp_path, devnet, "--deliver-first") as killed,
        Listener(killed.relay.url, types=TYPES) as listener,
    ):
        listener.wait_for_block(devnet.tip)
        found, kills = None, 0
        while found is None and kills < MUTANT_KILLS_MAX:
            killed.kill_held_in("handed_over")
            kills += 1
            found = disagreement(listener, killed.relay.url, devnet)
        print(f"caught after {kills} kills: {found}")
        assert found is not None
