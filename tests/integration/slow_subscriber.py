"""A relay with 100 subscribers of which one may stop reading: rounds, and what was seen in each.

All are processes of their own: a devnet node that mines by its clock, the relay, 99 subscribers that read,
a bare socket on the node whose sightings are the zero of every latency, and the one that reads or stalls.
The relay keeps a short chain tree and its ring of recent events is filled first, so that its memory stands
still before anything is measured.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from sprint.core.chains.bitcoin import REGTEST
from sprint.tools.relay.ring import RING_EVENTS_MAX
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import HOST, wait_until
from tests.integration.relay_metrics import fetch, health, resident_bytes
from tests.integration.relay_process import RelayProcess
from tests.integration.watchers import Watcher

CHAIN = REGTEST.chain_id
SUBSCRIBERS = 100
RETAINED_BLOCKS = 288
WARM_UP_BLOCKS = RING_EVENTS_MAX + 200
WARM_UP_BLOCKS_AT_ONCE = 200
CLOSED_TIMEOUT_S = 60.0
HEALTH_POLL_S = 0.05
CONFIG = (
    f"[chains.{CHAIN}]\nretained_blocks_max = {RETAINED_BLOCKS}\ncatch_up_blocks_max = {RETAINED_BLOCKS}\n"
)


class Reading(NamedTuple):
    """One round: how late each block was with each of the 99, and what the relay's process then held."""

    latencies_s: list[float]
    faults: int
    resident_bytes: int


class Closed(NamedTuple):
    """How the one that did not read was closed.

    `held_…` is what lay in the relay's own memory by then; of a connection that was reset nobody can tell,
    as what was not yet read is gone with it.
    """

    after_s: float
    messages: int
    size_bytes: int
    held_messages: int | None
    held_bytes: int | None
    code: int | None
    reset: bool
    reset_after_s: float
    faults: int


class Scene:
    """The processes. `stack` ends them."""

    def __init__(self, stack: ExitStack, folder: Path, block_interval_ms: float) -> None:
        self.devnet = stack.enter_context(DevnetProcess(CHAIN, interval_ms=block_interval_ms))
        config = folder / "sprint.toml"
        config.write_text(CONFIG)
        data_dir = str(folder / "data")
        self.relay = stack.enter_context(
            RelayProcess(
                folder,
                *("--source", self.devnet.source_url),
                *("--config", str(config), "--data-dir", data_dir, "--quiet"),
            )
        )
        self._bare = stack.enter_context(Watcher("p2p", HOST, self.devnet.port, CHAIN))
        self._readers = stack.enter_context(Watcher("subscribers", self.relay.url, CHAIN, SUBSCRIBERS - 1))
        for _ in range(WARM_UP_BLOCKS // WARM_UP_BLOCKS_AT_ONCE):
            self._deliver(WARM_UP_BLOCKS_AT_ONCE)

    def read(self, duration_s: float) -> Reading:
        """Let all 100 read."""
        with Watcher("subscribers", self.relay.url, CHAIN, 1):
            self._begin()
            self._watch_until(time.monotonic() + duration_s)
            return self._end()

    def stall(self, duration_s: float, *, never_read: bool) -> tuple[Reading, Closed]:
        """Let one stop reading; read what it was sent once it is closed, or `never_read` until its reset."""
        with Watcher("stalled", self.relay.url, CHAIN) as stalled:
            self._begin()
            began = time.monotonic()
            while self._subscribers() == SUBSCRIBERS:
                if time.monotonic() > began + CLOSED_TIMEOUT_S:
                    raise TimeoutError(f"not closed after {CLOSED_TIMEOUT_S:g} s")
                time.sleep(HEALTH_POLL_S)
            closed = self._closed(stalled, time.monotonic(), began, never_read=never_read)
            self._watch_until(began + duration_s)
            return self._end(), closed

    def _closed(self, stalled: Watcher, closed_at: float, began: float, *, never_read: bool) -> Closed:
        where = stalled.ask("where")
        in_sockets = where["waiting_bytes"] + _unsent_bytes(self.relay.url, where["port"])
        reset_after_s = stalled.ask("hang_up")["at"] - closed_at if never_read else 0.0
        found = stalled.ask("finish")
        sizes: list[int] = found["sizes"]
        held = None if found["reset"] else sum(sizes) - in_sockets
        return Closed(
            after_s=closed_at - began,
            messages=len(sizes),
            size_bytes=found["bytes"],
            held_messages=None if held is None else _messages_in(sizes, held),
            held_bytes=held,
            code=found["code"],
            reset=found["reset"],
            reset_after_s=reset_after_s,
            faults=found["faults"],
        )

    def _watch_until(self, deadline: float) -> None:
        """Ask for the health as often in every kind of round."""
        while time.monotonic() < deadline:
            self._subscribers()
            time.sleep(HEALTH_POLL_S)

    def _begin(self) -> None:
        wait_until(lambda: self._subscribers() == SUBSCRIBERS, f"{SUBSCRIBERS} subscribers are live")
        self._bare.take()
        self._readers.take()

    def _end(self) -> Reading:
        readers, announced = self._readers.take(), self._bare.take()["seen"]
        latencies = [
            at - announced[block_hash]
            for block_hash, times in readers["seen"].get("block", {}).items()
            if block_hash in announced
            for at in times
        ]
        if readers["open"] != SUBSCRIBERS - 1:
            raise RuntimeError(f"{readers['open']} subscribers are left, wanted {SUBSCRIBERS - 1}")
        return Reading(latencies, readers["faults"], resident_bytes(self.relay.pid))

    def _subscribers(self) -> int:
        return int(health(str(self.relay.serving.admin))["subscribers"])

    def _deliver(self, count: int) -> None:
        """Mine blocks at once and wait until the relay has them."""
        newest = self.devnet.mine(count)[-1]
        address = f"{self.relay.url}/api/v1/blocks/{newest}"
        wait_until(lambda: b'"canonical"' in fetch(address), "the relay has the blocks of the warm-up")


def _messages_in(sizes: list[int], held_bytes: int) -> int:
    """Count the newest messages that `held_bytes` reach into."""
    count = 0
    while held_bytes > 0 and count < len(sizes):
        count += 1
        held_bytes -= sizes[-count]
    return count


def _unsent_bytes(relay_url: str, client_port: int) -> int:
    """Return what the kernel holds of the relay's side of a connection."""
    relay_port = int(relay_url.rpartition(":")[2])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (_port(fields[1]), _port(fields[2])) == (relay_port, client_port):
            return int(fields[4].partition(":")[0], 16)
    return 0


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
