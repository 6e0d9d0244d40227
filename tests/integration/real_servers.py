"""Real nodes that tests start, on 127.0.0.1 and free ports, in folders of their own, and stop by pid.

`Litecoind` is a regtest node. Its methods block: an async test that shares its thread with the code under
test calls them through `asyncio.to_thread`. The fixtures give started nodes and stop them after the test;
`require` decides what an absent server means: a skip, or a failure under SPRINT_REQUIRE_REAL=1.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from tests.integration.child_process import ChildProcess

LITECOIND_PATH = Path(os.environ.get("LITECOIND", "/usr/lib/litecoin/litecoind"))
PROMTOOL_PATH = Path(os.environ.get("PROMTOOL", "/usr/bin/promtool"))
CHROMIUM_PATH = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
# Debian keeps each version's programs apart; the newest is taken.
_INSTALLED = sorted(
    Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3])
) or [Path("/usr/lib/postgresql/15/bin/postgres")]
POSTGRES_PATH = Path(os.environ.get("POSTGRES", _INSTALLED[-1]))
HOST = "127.0.0.1"
RPC_LOGIN = ("sprint", "regtest-only")
READY_TIMEOUT_S = 30.0
RPC_TIMEOUT_S = 60.0
CONDITION_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.02
START_ATTEMPTS = 3
MWEB_HEIGHT = 432
# Below net.ipv4.ip_local_port_range, and off what the tests' servers have by default.
_PORTS = range(20_000, 32_000)

_BASIC_AUTH = "Basic " + base64.b64encode(":".join(RPC_LOGIN).encode()).decode()
_FIXED_FLAGS = (
    "-regtest -server -listen=1 -listenonion=0 -dnsseed=0 -dns=0 -discover=0 -upnp=0 -connect=0 "
    f"-rpcbind={HOST} -rpcallowip={HOST} -rpcuser={RPC_LOGIN[0]} -rpcpassword={RPC_LOGIN[1]} -rest -txindex "
    "-fallbackfee=0.0001 -printtoconsole=0"
).split()

_REAL = Path(__file__).resolve().parents[2] / ".real"
BCOIN_PATH = _REAL / "bcoin" / "node_modules" / "bcoin"
AXE_PATH = _REAL / "axe" / "node_modules" / "axe-core" / "axe.min.js"

# What each server needs; `real(server)` accepts these names.
SERVERS: dict[str, tuple[Path, str]] = {
    "litecoind": (LITECOIND_PATH, "apt-get install -y --no-install-recommends litecoind"),
    "bcoin": (BCOIN_PATH, "scripts/test, with node and npm installed"),
    "promtool": (PROMTOOL_PATH, "apt-get install -y --no-install-recommends prometheus"),
    "chromium": (CHROMIUM_PATH, "apt-get install -y --no-install-recommends chromium"),
    "postgres": (POSTGRES_PATH, "apt-get install -y --no-install-recommends postgresql"),
    "axe-core": (AXE_PATH, "scripts/test, with node and npm installed"),
}


class RpcError(Exception):
    """The node refused a call."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code


def require(server: str) -> None:
    """Skip the test if `server` is absent; fail it under SPRINT_REQUIRE_REAL=1."""
    path, how = SERVERS[server]
    if path.exists():
        return
    reason = f"{server} is not at {path}; get it with: {how}"
    if os.environ.get("SPRINT_REQUIRE_REAL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class Litecoind(ChildProcess):
    """One litecoind on regtest. `start` returns when its RPC answers; `stop` when the process is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.p2p_port = 0
        self.rpc_port = 0
        super().__init__()

    def __repr__(self) -> str:
        return f"Litecoind(p2p_port={self.p2p_port}, folder={self.folder})"

    @property
    def source_url(self) -> str:
        """What `sprint relay --source` takes."""
        return f"litecoin:regtest=p2p://{HOST}:{self.p2p_port}"

    def start(self) -> Self:
        """Start, or start again on the same folder and ports. A port taken meanwhile costs an attempt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        keep_ports = bool(self.p2p_port)
        for attempts_left in reversed(range(START_ATTEMPTS)):
            if not keep_ports:
                self.p2p_port, self.rpc_port = free_ports(2)
            try:
                return super().start()
            except RuntimeError:
                if not attempts_left:
                    raise
        return self

    def rpc(self, method: str, *parameters: object) -> Any:
        """Call the node; RpcError where it refuses."""
        return _result(method, self._post({"id": 0, "method": method, "params": parameters}))

    def rpc_batch(self, calls: Sequence[tuple[object, ...]]) -> list[Any]:
        """Make several calls, each a method and its parameters, in one request."""
        requests = [{"id": n, "method": method, "params": rest} for n, (method, *rest) in enumerate(calls)]
        answers = sorted(self._post(requests), key=lambda answer: int(answer["id"]))
        return [_result(str(call[0]), answer) for call, answer in zip(calls, answers, strict=True)]

    def _post(self, request: object) -> Any:
        """Send on a connection of its own: an open keep-alive one delays the node's shutdown by 25 s."""
        connection = http.client.HTTPConnection(HOST, self.rpc_port, timeout=RPC_TIMEOUT_S)
        body = json.dumps(request)
        headers = {"Authorization": _BASIC_AUTH, "Connection": "close", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/", body, headers)
            text = connection.getresponse().read()
        finally:
            connection.close()
        return json.loads(text)

    @property
    def height(self) -> int:
        return int(self.rpc("getblockcount"))

    @property
    def tip(self) -> str:
        return str(self.rpc("getbestblockhash"))

    def mine(self, count: int, address: str | None = None) -> list[str]:
        """Mine `count` blocks and return their hashes, oldest first.

        Without an address each call pays a script of its own, so that a branch mined after
        `invalidateblock` never repeats the block it replaces.
        """
        return self.mine_to(f"addr({address})" if address else f"raw({_new_script()})", count)

    def mine_to(self, descriptor: str, count: int) -> list[str]:
        """Mine `count` blocks that pay to an output descriptor."""
        reached = self.height + count
        if reached >= MWEB_HEIGHT:
            raise ValueError(f"height {reached} would activate MWEB, limit {MWEB_HEIGHT - 1} in these tests")
        return [str(found) for found in self.rpc("generatetodescriptor", count, descriptor)]

    def connect_to(self, other: Litecoind) -> None:
        """Open a connection to `other` and return when both have shaken hands."""
        self.rpc("addnode", f"{HOST}:{other.p2p_port}", "onetry")
        wait_until(lambda: self._has_peer(other), f"{self!r} has a connection to {other!r}")

    def wait_for_tip(self, block_hash: str) -> None:
        """Return when `block_hash` is the tip."""
        self.rpc("waitforblock", block_hash, int(CONDITION_TIMEOUT_S * 1000))
        if self.tip != block_hash:
            raise TimeoutError(f"tip {self.tip} after {CONDITION_TIMEOUT_S:g} s, wanted {block_hash}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        (onion_port,) = free_ports(1)
        return subprocess.Popen(self._command(onion_port), stderr=subprocess.PIPE)

    def _command(self, onion_port: int) -> list[str]:
        return [
            str(LITECOIND_PATH),
            f"-datadir={self.folder}",
            f"-bind={HOST}:{self.p2p_port}",
            f"-bind={HOST}:{onion_port}=onion",
            f"-rpcport={self.rpc_port}",
            *_FIXED_FLAGS,
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                self.rpc("getblockcount")
            except (OSError, http.client.HTTPException, ValueError, RpcError):
                self._pass_time()
            else:
                return
        raise RuntimeError(f"{self!r} does not answer after {READY_TIMEOUT_S:g} s")

    def _pass_time(self) -> None:
        """Wait one poll interval; RuntimeError if the process ends meanwhile."""
        process = self.process
        try:
            code = process.wait(POLL_INTERVAL_S)
        except subprocess.TimeoutExpired:
            return
        said = process.stderr.read().decode(errors="replace") if process.stderr else ""
        raise RuntimeError(f"{self!r} ended with {code}: {said.strip()}")

    def _has_peer(self, other: Litecoind) -> bool:
        wanted = f"{HOST}:{other.p2p_port}"
        return any(peer["addr"] == wanted and peer["version"] for peer in self.rpc("getpeerinfo"))


def _result(method: str, answer: dict[str, Any]) -> Any:
    if answer["error"]:
        raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


def free_ports(count: int) -> list[int]:
    """Ports free a moment ago, all different.

    They lie below those that the kernel gives to whoever connects or binds to port 0: of these one that is
    free now is another's in no time on a busy machine, and a server that is started again wants its own back.
    """
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(_PORTS)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind((HOST, port))
            found += [port] if port not in found else []
    return found


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float = CONDITION_TIMEOUT_S) -> None:
    """Poll another process's state; TimeoutError naming `what` when it does not come about."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(POLL_INTERVAL_S)


def _new_script() -> str:
    """A script nobody else has: push 8 random bytes, drop them, true."""
    return f"08{secrets.token_hex(8)}7551"


@pytest.fixture
def litecoind_factory(tmp_path: Path) -> Iterator[Callable[[], Litecoind]]:
    """Make started nodes, each with one block so that it is out of initial download."""
    require("litecoind")
    with ExitStack() as started:

        def make() -> Litecoind:
            folder = tmp_path / f"litecoind-{secrets.token_hex(4)}"
            node = Litecoind(folder).start()
            started.callback(node.stop)
            node.mine(1)
            return node

        yield make


@pytest.fixture
def litecoind(litecoind_factory: Callable[[], Litecoind]) -> Litecoind:
    """One started litecoind-regtest with one block mined."""
    return litecoind_factory()
