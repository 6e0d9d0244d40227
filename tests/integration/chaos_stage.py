"""A relay that `sprint cb-chaos --target` is tried on, and all that is looked at from outside.

    with EmbeddedStage(tmp_path) as stage:
        outcome = stage.run_experiment("errors", "--duration", "6s")
        assert (stage.left(outcome.result.run), stage.stream_faults()) == ([], [])

The embedded stage is the tool's own stack, told to the tool as a user tells of one: proxies, devnet nodes,
the relay's process and folder.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx
import msgspec

from sprint.core.chaos.result import Result, decode_result
from sprint.core.model import BlockEvent, GapEvent
from sprint.tools.chaos.embedded import EmbeddedStack
from tests.integration.chaos_view import OutsideView, asked, hogs, tables
from tests.integration.real_servers import HOST, wait_until
from tests.integration.subscribers import Listener

CHAIN = "litecoin-regtest"
COMMAND = (sys.executable, "-m", "sprint.cli.main", "cb-chaos")
RUN_S_MAX = 300.0
TYPES = ("block", "reorg", "gap")


class Outcome(msgspec.Struct, frozen=True):
    """What a run of the tool said, its exit code, and what was seen of it from outside."""

    code: int
    result: Result
    stderr: str
    view: OutsideView

    @property
    def hit(self) -> set[str]:
        """The sources that the faults were aimed at, by their names."""
        return {key.rpartition(":")[2] for fault in self.result.faults for key in fault.sources}


class ChaosStage(ABC):
    """A relay with a subscriber. `names` are its sources; `data` is where it keeps its log."""

    folder: Path
    data: Path
    names: tuple[str, ...]
    listener: Listener

    @property
    @abstractmethod
    def admin_url(self) -> str: ...

    @property
    @abstractmethod
    def relay_pid(self) -> int: ...

    @abstractmethod
    def tip(self) -> str:
        """Return the newest block of a node."""

    @abstractmethod
    def hashes(self, heights: Sequence[int]) -> list[str]:
        """Return the blocks that a node has at these heights."""

    def told(self) -> list[str]:
        """Return the options by which the tool is told what stands around the relay."""
        return ["--relay-pid", str(self.relay_pid), "--data-dir", str(self.data)]

    def states(self) -> dict[str, str]:
        """Return the state of each source as the relay tells it; empty where it gives no answer."""
        with contextlib.suppress(OSError, ValueError):
            rows = asked(self.admin_url.partition("://")[2], "/api/sources")["sources"][CHAIN]
            return {row["name"]: row["state"] for row in rows}
        return {}

    def breaker_states(self, name: str) -> set[str]:
        """Return the state of a breaker; of a relay that gives no answer, none."""
        with contextlib.suppress(OSError, ValueError):
            rows = asked(self.admin_url.partition("://")[2], "/api/breakers")["breakers"]
            return {row["state"] for row in rows if row["name"] == name}
        return set()

    def are_ready(self) -> bool:
        return self.states() == dict.fromkeys(self.names, "ready")

    def run_experiment(self, name: str, *options: str) -> Outcome:
        """Run one experiment by the command line against this relay, and look at it from outside."""
        command = [*COMMAND, "--target", self.admin_url, "--experiment", name, "--json", "--quiet"]
        command += ["--journal-dir", str(self.folder / "journal"), *self.told(), *options]
        with OutsideView(self.admin_url) as view:
            done = subprocess.run(command, capture_output=True, timeout=RUN_S_MAX, check=False)
        assert done.stdout, done.stderr.decode()
        return Outcome(done.returncode, decode_result(done.stdout), done.stderr.decode(), view)

    def left(self, run: str) -> list[str]:
        """Return what is not as it was before a run, by what the relay, /proc, files and nft say."""
        wait_until(self.are_ready, f"the sources are {', '.join(self.names)} and ready")
        rows = asked(self.admin_url.partition("://")[2], "/api/breakers")["breakers"]
        found = [f"{row['name']} is {row['state']}" for row in rows if row["state"] != "closed"]
        found += [f"a hog: process {pid}" for pid, _ in hogs(run)]
        found += [f"file {path}" for path in self.data.rglob("sprint-chaos-*")]
        soft, hard = descriptor_limits(self.relay_pid)
        return found + ([f"the relay may open {soft} of {hard}"] if soft != hard else []) + tables(run)

    def stream_faults(self) -> list[str]:
        """Return what the subscriber was not given as the node has it: each block once, in order."""
        target = self.tip()
        self.listener.wait_for_block(target)
        events = list(self.listener.events)
        blocks = [event.data for event in events if isinstance(event, BlockEvent)]
        given = [block.hash for block in blocks][: [block.hash for block in blocks].index(target) + 1]
        truth = self.hashes(range(blocks[0].height, blocks[0].height + len(given)))
        found = [f"a gap: {event}" for event in events if isinstance(event, GapEvent)]
        return found + ([] if given == truth else [f"given {given}, and the node has {truth}"])


class EmbeddedStage(ChaosStage):
    """The devnet's three nodes with a proxy before each of four sources."""

    names = ("alice", "bob", "carol", "dave")

    def __init__(self, folder: Path, stack: EmbeddedStack) -> None:
        self.folder = folder
        self._stack = stack
        self.data = stack.data_folder
        self.listener = Listener(stack.api_url, types=TYPES, start="latest")
        wait_until(self.are_ready, "all sources are ready")

    def __enter__(self) -> Self:
        self.listener.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.__exit__()

    @property
    def admin_url(self) -> str:
        return self._stack.admin_url

    @property
    def relay_pid(self) -> int:
        return self._stack.relay_pid

    def told(self) -> list[str]:
        wiring = self._stack.wiring()
        words = super().told()
        for key, proxy in wiring.proxies.items():
            words += ["--proxy", f"{key}={proxy.control_url}/{proxy.proxy}"]
        for key, url in wiring.devnets.items():
            words += ["--devnet", f"{key}={url}"]
        return words

    def tip(self) -> str:
        return str(self._asked("getbestblockhash"))

    def hashes(self, heights: Sequence[int]) -> list[str]:
        return [str(self._asked("getblockhash", height)) for height in heights]

    def _asked(self, method: str, *parameters: object) -> object:
        port = self._stack.devnets[CHAIN].first_line["nodes"][0]["rpc_port"]
        call = {"jsonrpc": "1.0", "id": 0, "method": method, "params": parameters}
        return httpx.post(f"http://{HOST}:{port}", json=call, trust_env=False).json()["result"]


def descriptor_limits(pid: int) -> tuple[str, str]:
    """Return a process's soft and hard limit of descriptors, as proc(5) shows them."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    words = next(line for line in lines if line.startswith("Max open files")).split()
    return words[3], words[4]
