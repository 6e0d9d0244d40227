"""A gc-heavy relay under a level, its node and its subscriber; what bench_optimize reads of each round.

The node and the subscriber run before the load on both sides alike (SCHED_FIFO), so that what is seen is the
relay's own delay: on other machines the load would not be theirs.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from sprint.core.model import BlockEvent
from sprint.tools.client.sync_client import Client
from tests.integration.devnet_process import DevnetProcess
from tests.integration.relay_process import RelayProcess

CHAIN = "bitcoin-regtest"
PACE_S = 0.01
WARM_UP_BLOCKS = 200
# Above what a level gives the relay, so that neither waits for it.
PRIORITY_OF_ENDS = 20
COMMAND = (sys.executable, "-m", "tests.bench.gc_heavy_relay")


class Heard(NamedTuple):
    """One round: seconds from the order to mine to the event, and the collector's pauses in seconds."""

    latencies_s: list[float]
    pauses_s: list[float]


class GcHeavyRelay:
    """One relay of a level with its node and subscriber."""

    def __init__(self, level: str, folder: Path) -> None:
        self.level = level
        with ExitStack() as stack:
            self._devnet = stack.enter_context(DevnetProcess(CHAIN))
            self._pauses = folder / "pauses"
            folder.mkdir(parents=True)
            self.relay = stack.enter_context(
                RelayProcess(
                    folder,
                    *("--source", self._devnet.source_url, "--data-dir", str(folder / "data")),
                    *("--quiet", "--optimize", level),
                    command=(*COMMAND, str(self._pauses), "relay"),
                )
            )
            client = stack.enter_context(Client(self.relay.url))
            self._events = stack.enter_context(client.events([CHAIN], ["block"], "earliest"))
            (mined,) = self._devnet.mine(1)
            while self._next_block() != mined:
                pass
            for _ in range(WARM_UP_BLOCKS):
                self._echo()
            self.has_priority = go_first(self._devnet.pid)
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"GcHeavyRelay({self.level}, {self.relay!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hear(self, seconds: float) -> Heard:
        """Mine a block every 10 ms, and note when each came."""
        began_ns = time.monotonic_ns()
        end = time.monotonic() + seconds
        latencies = []
        while time.monotonic() < end:
            latencies.append(self._echo())
            time.sleep(PACE_S)
        lines = self._pauses.read_text().splitlines()
        pauses = [tuple(map(int, line.split())) for line in lines if line.count(" ") == 2]
        return Heard(latencies, [took / 1e9 for at, _, took in pauses if at >= began_ns])

    def resident_mb(self) -> float:
        return float(psutil.Process(self.relay.pid).memory_info().rss) / (1 << 20)

    def _echo(self) -> float:
        began = time.monotonic()
        (mined,) = self._devnet.mine(1)
        if self._next_block() != mined:
            raise RuntimeError("the relay sent another block than was mined")
        return time.monotonic() - began

    def _next_block(self) -> str:
        event = next(self._events)
        if not isinstance(event, BlockEvent):
            raise TypeError(f"the relay sent {type(event).__name__} where a block was due")
        return event.data.hash


def go_first(pid: int) -> bool:
    """Have a process and this one run before the load; tell whether the system let them."""
    with suppress(PermissionError):
        for each in (pid, 0):
            parameters = os.sched_param(PRIORITY_OF_ENDS)
            os.sched_setscheduler(each, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, parameters)
        return True
    return False
