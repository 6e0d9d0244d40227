"""A gc-heavy relay under a level, its node and its subscriber; what bench_optimize reads of each round.

Blocks are due every 25 ms whatever becomes of the earlier ones, and a latency counts from when its block was
due: a pause of 100 ms is seen by four of them. What would hide the relay's own delay is out of the way on
both sides alike: the node and the subscriber run before the load (SCHED_FIFO; on other machines it would not
be theirs) and without their own collectors, and the log is in memory, as others write to the disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import psutil

from sprint.tools.optimize.bench.block_lines import BlockLines
from tests.integration.relay_process import RelayProcess

CHAIN = "bitcoin-regtest"
HOST = "127.0.0.1"
PACE_S = 0.025
WARM_UP_BLOCKS = 200
# Above what a level gives the relay, so that neither waits for it.
PRIORITY_OF_ENDS = 20
IN_MEMORY = Path("/dev") / "shm"
COMMAND = (sys.executable, "-m", "tests.bench.gc_heavy_relay")
NODE_PROGRAM = "import gc, sys; gc.disable(); from sprint.tools.devnet.__main__ import main; sys.exit(main())"


class HeapOf(NamedTuple):
    """Objects that the relay has before it starts, and those that come while it runs and stay."""

    at_start: int
    later: int = 0


HEAPS = {"churn": HeapOf(400_000), "million": HeapOf(1_000_000), "growing": HeapOf(100_000, 1_000_000)}


class Heard(NamedTuple):
    """One round: seconds from when each block was due to its event, and the collector's pauses in seconds."""

    latencies_s: list[float]
    pauses_s: list[float]


class Node:
    """A devnet node without a collector, told by lines over a pipe."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", NODE_PROGRAM, "--chain", CHAIN]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self.port: int = self._answer()["port"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def mine(self) -> str:
        """Mine a block and return its hash."""
        if self._process.stdin is not None:
            self._process.stdin.write(b"mine 1\n")
            self._process.stdin.flush()
        return str(self._answer()["hashes"][0])

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else b""
        return msgspec.json.decode(line, type=dict[str, Any])


class GcHeavyRelay:
    """One relay of a level with its node and subscriber."""

    def __init__(self, level: str, folder: Path, heap: HeapOf = HEAPS["churn"]) -> None:
        self.level = level
        folder.mkdir(parents=True)
        self._pauses = folder / "pauses"
        with ExitStack() as stack:
            self._node = stack.enter_context(Node())
            source = f"bitcoin:regtest=p2p://{HOST}:{self._node.port}"
            data = stack.enter_context(tempfile.TemporaryDirectory(prefix="sprint-bench-", dir=memory()))
            self.relay = stack.enter_context(
                RelayProcess(
                    folder,
                    *("--source", source, "--data-dir", data, "--quiet", "--optimize", level),
                    command=(*COMMAND, str(self._pauses), *map(str, heap), "relay"),
                )
            )
            self._blocks = stack.enter_context(BlockLines(self.relay.url, CHAIN))
            self._blocks.read_to(self._node.mine())
            for _ in range(WARM_UP_BLOCKS):
                self._echo()
            self.has_priority = go_first(self._node.pid)
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"GcHeavyRelay({self.level}, {self.relay!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hear(self, seconds: float) -> Heard:
        """Have a block mined every 25 ms, and note when each came."""
        began_ns = time.monotonic_ns()
        latencies = []
        due = time.monotonic() + PACE_S
        for _ in range(int(seconds / PACE_S)):
            time.sleep(max(0.0, due - time.monotonic()))
            self._echo()
            latencies.append(time.monotonic() - due)
            due += PACE_S
        lines = self._pauses.read_text().splitlines()
        pauses = [tuple(map(int, line.split())) for line in lines if line.count(" ") == 2]
        return Heard(latencies, [took / 1e9 for at, _, took in pauses if at >= began_ns])

    def resident_mb(self) -> float:
        return float(psutil.Process(self.relay.pid).memory_info().rss) / (1 << 20)

    def _echo(self) -> None:
        mined = self._node.mine()
        if self._blocks.next_hash() != mined:
            raise RuntimeError("the relay sent another block than was mined")


def memory() -> Path | None:
    """Return a folder in memory, if the system has one."""
    return IN_MEMORY if IN_MEMORY.is_dir() else None


def go_first(pid: int) -> bool:
    """Have a process and this one run before the load; tell whether the system let them."""
    with suppress(PermissionError):
        for each in (pid, 0):
            parameters = os.sched_param(PRIORITY_OF_ENDS)
            os.sched_setscheduler(each, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, parameters)
        return True
    return False
