"""What faults look like to somebody who put none on: on the way to each source, at the relay, in /proc.

    with OutsideView(admin_url) as view:
        …
        view.ways["alice-chaos"].worst_ms, view.breakers["source:litecoin-regtest:bob"]

It asks with sockets and files of its own, and never the tool, its journal or a proxy's control port.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

# A message whose checksum is wrong, which a node reads to its end and passes over, and then none of its
# protocol, at which it hangs up: on a thin line that takes its time.
# Node programs hang up before the end of a longer greeting.
PAYLOAD = b"x" * 800
GREETING = (
    bytes.fromhex("fabfb5da") + b"version".ljust(12, b"\0") + len(PAYLOAD).to_bytes(4, "little") + bytes(4)
    + PAYLOAD + b"none of its protocol\r\n\r\n"
)  # fmt: skip
ANSWER_S_MAX = 2.0
LOOK_S = 0.2
JOIN_S = 15.0
PROC = Path("/proc")
HOG = "sprint.tools.chaos.hogs"
TICKS_PER_S = 100
PAGE_SIZE = 4_096
MIB = 2**20


class Way:
    """How a source's address answered: a node hangs up at once on what is none of its protocol."""

    def __init__(self) -> None:
        self.answers_ms: list[float] = []
        self.ends: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Way(worst {self.worst_ms:.0f} ms of {len(self.answers_ms)}, {dict(self.ends)})"

    @property
    def worst_ms(self) -> float:
        return max(self.answers_ms, default=0.0)


class SeenHog(msgspec.Struct):
    """A process that holds something of the machine, and the most that it was seen to hold."""

    resource: str
    file: str
    descriptors: int = 0
    memory_mib: float = 0.0
    cpu_s: float = 0.0


class OutsideView:
    """Looks while it is open. `breakers` and `sources` by name are the states that were seen of them."""

    def __init__(self, admin_url: str) -> None:
        self._host = urlsplit(admin_url).netloc
        self.ways: dict[str, Way] = defaultdict(Way)
        self.breakers: dict[str, set[str]] = defaultdict(set)
        self.sources: dict[str, set[str]] = defaultdict(set)
        self.hogs: dict[int, SeenHog] = {}
        self.dropped: dict[str, int] = {}
        self.unanswered = 0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._look, name="outside view", daemon=True)]
        self._on_the_way: set[str] = set()
        self._listed: set[str] = set()

    def __repr__(self) -> str:
        return f"OutsideView({dict(self.ways)}, {dict(self.breakers)}, {len(self.hogs)} hogs)"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in self._threads:
            each.join(JOIN_S)
            if each.is_alive():
                raise RuntimeError(f"{each.name} did not end in {JOIN_S:g} s")

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                self._look_at_the_relay()
            except (OSError, http.client.HTTPException, ValueError):
                self.unanswered += 1
            self._look_at_hogs()
            for table in tables():
                self.dropped[table] = max(self.dropped.get(table, 0), dropped(table))

    def _look_at_the_relay(self) -> None:
        for row in asked(self._host, "/api/breakers")["breakers"]:
            self.breakers[row["name"]].add(row["state"])
        listed = asked(self._host, "/api/sources")["sources"].values()
        rows = [row for of_a_chain in listed for row in of_a_chain]
        self._listed = {row["name"] for row in rows}
        for row in rows:
            self.sources[row["name"]].add(row["state"])
            self._go_the_way(row["name"], row["url"].partition("://")[2])

    def _go_the_way(self, name: str, address: str) -> None:
        """Ask at an address from now on; one that is new while faults are on is a way round."""
        if address in self._on_the_way:
            return
        self._on_the_way.add(address)
        for target in (self._ask, self._hold):
            thread = threading.Thread(target=target, args=(name, address), name=f"way to {name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _ask(self, name: str, address: str) -> None:
        host, _, port = address.rpartition(":")
        while self._goes_on(name):
            began = time.perf_counter()
            try:
                with socket.create_connection((host, int(port)), timeout=ANSWER_S_MAX) as line:
                    line.sendall(GREETING)
                    line.recv(1)
            except TimeoutError:
                self.ways[name].ends["silent"] += 1
            except ConnectionRefusedError:
                self.ways[name].ends["refused"] += 1
                continue
            except OSError:
                # A node that hangs up on what it has not read resets the line; so it did answer.
                pass
            self.ways[name].answers_ms.append((time.perf_counter() - began) * 1_000)

    def _hold(self, name: str, address: str) -> None:
        """Hold a connection that says nothing: nobody ends it for seconds, unless somebody cuts lines."""
        host, _, port = address.rpartition(":")
        while self._goes_on(name):
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                try:
                    with socket.create_connection((host, int(port)), timeout=ANSWER_S_MAX) as line:
                        self.ways[name].ends["spoke" if line.recv(1) else "ended"] += 1
                except ConnectionResetError:
                    self.ways[name].ends["reset"] += 1

    def _goes_on(self, name: str) -> bool:
        """Tell whether a way is to be gone again: one that was taken back leads nowhere, rightly."""
        return not self._ended.wait(LOOK_S) and name in self._listed

    def _look_at_hogs(self) -> None:
        for pid, words in hogs():
            with contextlib.suppress(OSError, IndexError):
                folder = PROC / str(pid)
                seen = self.hogs.setdefault(pid, SeenHog(words[0], words[2]))
                seen.descriptors = max(seen.descriptors, len(list((folder / "fd").iterdir())))
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                seen.cpu_s = max(seen.cpu_s, (int(fields[11]) + int(fields[12])) / TICKS_PER_S)
                pages = int((folder / "statm").read_text().split()[1])
                seen.memory_mib = max(seen.memory_mib, pages * PAGE_SIZE / MIB)

    def hogs_of(self, run: str) -> dict[str, SeenHog]:
        """Return the hogs of a run by what they took: others may try faults on this machine too."""
        return {each.resource: each for each in self.hogs.values() if run in each.file}


def hogs(run: str = "") -> list[tuple[int, list[str]]]:
    """Return the processes that hold something of the machine, of one run or of all, with their words."""
    found = []
    for path in PROC.iterdir():
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes() if path.name.isdigit() else b""
            words = command.decode(errors="replace").split("\0")
            if HOG in words and run in command.decode(errors="replace"):
                found.append((int(path.name), words[words.index(HOG) + 1 :]))
    return found


def tables(run: str = "") -> list[str]:
    """Return the names of nft tables that a run's faults made; empty without nft, or the right to it."""
    try:
        done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return [
        line.split()[-1]
        for line in done.stdout.splitlines()
        if f"sprint_chaos_{run.replace('-', '_')}" in line
    ]


def dropped(table: str) -> int:
    """Return how many packets a table has dropped, by the kernel's counter; 0 where it is gone by now."""
    command = ["nft", "list", "table", "inet", table]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    counted = told.partition("counter packets ")[2].split()
    return int(counted[0]) if counted else 0


def asked(host: str, path: str) -> dict[str, Any]:
    """Return what a relay's admin listener says."""
    connection = http.client.HTTPConnection(host, timeout=ANSWER_S_MAX)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return dict(json.loads(connection.getresponse().read()))
    finally:
        connection.close()
