"""What faults are put on in the tests that kill the tool, and how it looks from outside whether any stayed.

    with ChaosScene(tmp_path) as scene:
        fault = scene.fault("latency")
        …
        assert scene.left(run) == []

It asks the proxy, the relay, the devnet, /proc, the file system and nft: nothing of what put the faults on.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

from sprint.core.chaos.faults import (
    BreakerOrder,
    DescriptorLimit,
    DevnetFault,
    Fault,
    Freeze,
    Hog,
    Kill,
    PacketLoss,
    SourceDetour,
    SourcePause,
    Toxic,
)
from sprint.core.chaos.undo import StartProcess
from sprint.tools.chaos.processes import name_of
from tests.integration.devnet_process import DevnetProcess
from tests.integration.fault_proxy_process import NAME, FaultProxyProcess
from tests.integration.real_servers import HOST, free_ports, wait_until
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
WAIT_S = 10.0
LISTEN = "import socket,sys,time; s=socket.create_server(('127.0.0.1',int(sys.argv[1]))); time.sleep(3600)"
PROC = Path("/proc")


def has_nft() -> bool:
    """Tell whether packets can be dropped here."""
    if os.geteuid() != 0 or shutil.which("nft") is None:
        return False
    return subprocess.run(["nft", "list", "tables"], capture_output=True, check=False).returncode == 0


KINDS = (
    *("toxic", "breaker", "pause", "detour", "freeze", "kill", "devnet"),
    *("cpu", "memory", "descriptors", "disk", "limit"),
    *(("packets",) if has_nft() else ()),
)


class ChaosScene:
    """A relay of two sources, a proxy before its node, a process to stop and one to kill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends = contextlib.ExitStack()
        try:
            self._start()
        except BaseException:
            self._ends.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()
        for pid in pids_with(f"{LISTEN}\0{self._port}"):
            os.kill(pid, signal.SIGKILL)

    def _start(self) -> None:
        enter = self._ends.enter_context
        self._devnet = enter(DevnetProcess(CHAIN, beside=True, control=True))
        self._devnet_url = f"http://{HOST}:{self._devnet.addresses['control_port']}"
        self._proxy = enter(FaultProxyProcess(self._devnet.port))
        sources = (f"alice@{self._devnet.source_url}", f"bob@{self._devnet.url_of('rpc', 'rpc_port')}")
        words = [word for source in sources for word in ("--source", source)]
        self._relay = enter(RelayProcess(self._folder, *words, "--data-dir", str(self._folder / "data")))
        self.admin_url = str(self._relay.serving.admin)
        self._sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        self._descriptors = resource.prlimit(self._sleeper.pid, resource.RLIMIT_NOFILE)[0]
        self._ends.callback(self._sleeper.wait, WAIT_S)
        self._ends.callback(self._sleeper.kill)
        (self._port,) = free_ports(1)
        self._listen = (sys.executable, "-c", LISTEN, str(self._port))
        self._first: subprocess.Popen[bytes] | None = None
        wait_until(self._sources_are_ready, "the relay's sources are ready")

    def fault(self, kind: str) -> Fault:
        """Return a fault of a kind on this scene."""
        detour = f"p2p://{HOST}:{self._proxy.port}"
        makers: dict[str, Callable[[], Fault]] = {
            "toxic": lambda: Toxic(self._proxy.control_url, NAME, {"kind": "stall"}),
            "breaker": lambda: BreakerOrder(self.admin_url, f"source:{CHAIN}:alice", "force_open"),
            "pause": lambda: SourcePause(self.admin_url, CHAIN, "alice"),
            "detour": lambda: SourceDetour(self.admin_url, CHAIN, "alice", "alice-chaos", detour),
            "freeze": lambda: Freeze(name_of(self._sleeper.pid)),
            "kill": self._kill,
            "limit": lambda: DescriptorLimit(name_of(self._sleeper.pid), 8, self._descriptors),
            "devnet": lambda: DevnetFault(self._devnet_url, CHAIN, "stall", 1),
            "cpu": lambda: Hog("cpu", 0.1),
            "memory": lambda: Hog("memory", 4.0),
            "descriptors": lambda: Hog("descriptors", 16.0),
            "disk": lambda: Hog("disk", 1.0, str(self._folder)),
            "packets": lambda: PacketLoss(self._proxy.port, 0.1),
        }
        return makers[kind]()

    @property
    def relay_pid(self) -> int:
        return self._relay.pid

    @property
    def devnet_pid(self) -> int:
        return self._devnet.pid

    @property
    def control_url(self) -> str:
        """Where the fault proxy is told."""
        return self._proxy.control_url

    def breaker_state(self, breaker: str) -> str:
        """Return a breaker's state as the relay tells it."""
        rows = (self._asked(self.admin_url, "/api/breakers") or {})["breakers"]
        return next(str(row["state"]) for row in rows if row["name"] == breaker)

    def source_state(self, source: str) -> str | None:
        """Return a source's state as the relay tells it; None where there is none of that name."""
        return next((str(row["state"]) for row in self._sources() if row["name"] == source), None)

    def _sources_are_ready(self) -> bool:
        return all(row["state"] == "ready" for row in self._sources())

    def _sources(self) -> list[dict[str, Any]]:
        return list((self._asked(self.admin_url, "/api/sources") or {})["sources"][CHAIN])

    def _kill(self) -> Fault:
        """A process that listens, started anew where none does."""
        if self._listening() != "":
            self._first = subprocess.Popen(self._listen, start_new_session=True)
            self._ends.callback(self._first.wait, WAIT_S)
            self._ends.callback(self._first.kill)
            wait_until(lambda: self._listening() == "", "it listens")
        (pid,) = pids_with("\0".join(self._listen[1:]))
        address = f"{HOST}:{self._port}"
        return Kill(name_of(pid), StartProcess(self._listen, str(self._folder), address))

    def left(self, run: str, kind: str) -> list[str]:
        """Return what is there still of a run, each as a sentence; empty where all is as it was."""
        found = [f"toxic {each['name']}" for each in self._proxy.view()["toxics"]]
        found += self._left_on_relay()
        state = (PROC / str(self._sleeper.pid) / "stat").read_text().rpartition(")")[2].split()[0]
        found += [f"the sleeper's state is {state}"] if state == "T" else []
        limit = resource.prlimit(self._sleeper.pid, resource.RLIMIT_NOFILE)[0]
        found += [f"the sleeper may open {limit}"] if limit != self._descriptors else []
        found += [self._listening()] if kind == "kill" else []
        node = self._asked(self._devnet_url, f"/api/devnet/{CHAIN}") or {}
        found += [f"devnet: {each}" for each in node["faults"]]
        found += [f"process {pid} has {run} in its command" for pid in pids_with(run)]
        found += [f"file {path}" for path in self._folder.rglob("sprint-chaos-*")]
        if has_nft():
            tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
            found += [line for line in tables.stdout.splitlines() if "sprint_chaos_" in line]
        return [each for each in found if each]

    def _left_on_relay(self) -> list[str]:
        sources = self._sources()
        found = [f"source {row['name']} is there" for row in sources if row["name"] not in ("alice", "bob")]
        found += [f"source {row['name']}: {row['reason']}" for row in sources if row["state"] == "paused"]
        rows = (self._asked(self.admin_url, "/api/breakers") or {})["breakers"]
        return found + [f"{row['name']}: {row['reason']}" for row in rows if row["state"].startswith("force")]

    def _listening(self) -> str:
        with socket.socket() as made:
            taken = made.connect_ex((HOST, self._port)) == 0
        return "" if taken else "what was killed does not listen again"

    def _asked(self, url: str, path: str) -> dict[str, Any] | None:
        answer = httpx.get(url + path, timeout=WAIT_S, trust_env=False)
        return dict(json.loads(answer.content)) if answer.is_success else None


def pids_with(text: str) -> list[int]:
    """Return the running processes whose command holds a text."""
    found = []
    for path in PROC.iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit() and text.encode() in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found
