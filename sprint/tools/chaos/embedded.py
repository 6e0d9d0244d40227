"""The stack that is tried where no relay is named: devnet nodes, fault proxies before them, a relay on those.

    with EmbeddedStack(EmbeddedOptions()) as stack:
        stack.admin_url, stack.api_url, stack.wiring()

Each chain has three nodes in one process that learn each other's blocks, and four sources: one to each node
over P2P, and one over JSON-RPC to the first. All are children that end with this process however it ends.
The relay is started again on the same data and ports where somebody killed it, as a supervisor would.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import msgspec

from sprint.core.chaos.wiring import ProxyInTheWay, Wiring
from sprint.core.errors import ConfigError, SprintError
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.embedded.child import Child, ChildFailed
from sprint.tools.embedded.folder import OwnedFolder
from sprint.tools.embedded.relay import RelayChild, RelayPorts

CHAINS = ("litecoin-regtest", "bitcoin-regtest", "dogecoin-regtest")
NODE_NAMES = ("alice", "bob", "carol")
OVER_RPC = "dave"
RESTARTS_MAX = 100
RESTART_PAUSE_S = 0.5
READY_S_MAX = 30.0
READY_LOOK_S = 0.05
HOST = "127.0.0.1"


class EmbeddedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack is made of.

    `tier` is the relay's, whose policy its breakers begin with; `breakers` are figures over that of its
    sources, as under `[breakers.source]` of a config. With `shadow` breakers only say what they would do.
    """

    chains: tuple[str, ...] = CHAINS[:1]
    block_interval_ms: int = 500
    tier: str = "turbo"
    shadow: bool = False
    breakers: dict[str, Any] = {}
    seed: str = "0"


class EmbeddedStack:
    """Running, with all sources ready, from when it is made until `close`. ChildFailed where it can't be."""

    def __init__(self, options: EmbeddedOptions) -> None:
        self.options = options
        unknown = [chain for chain in options.chains if chain not in CHAINS]
        if unknown or not options.chains:
            raise ConfigError(f"chains {', '.join(unknown) or 'none'}; want of {', '.join(CHAINS)}")
        self._closing = False
        self._restarts = 0
        self._lock = threading.RLock()
        self._closed = threading.Condition(self._lock)
        with ExitStack() as stack:
            self._folder = stack.enter_context(OwnedFolder()).path
            self.devnets = {chain: stack.enter_context(self._devnet(chain)) for chain in options.chains}
            self._targets = dict(self._sources())
            self.proxy = stack.enter_context(self._proxy())
            self._write_config()
            self._relay = self._start_relay(None)
            stack.callback(self._end_relay)
            self._watch = threading.Thread(target=self._supervise, name="embedded relay", daemon=True)
            self._watch.start()
            stack.callback(self._stop_supervising)
            self._until_ready()
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"EmbeddedStack({self._relay!r}, {', '.join(self.options.chains)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def admin_url(self) -> str:
        return self._relay.admin_url

    @property
    def api_url(self) -> str:
        return self._relay.api_url

    @property
    def relay_pid(self) -> int:
        """The relay's process, another one after it was killed; a start that is under way is waited for."""
        with self._lock:
            return self._relay.child.pid

    @property
    def control_url(self) -> str:
        """Where the fault proxies are told."""
        return str(self.proxy.first_line["control"])

    @property
    def data_folder(self) -> Path:
        """Where the relay keeps its log."""
        return self._folder / "data"

    def node_controls(self, chain: str) -> list[str]:
        """Return the control URL of each devnet node of a chain."""
        nodes = self.devnets[chain].first_line["nodes"]
        return [f"http://{HOST}:{node['control_port']}" for node in nodes]

    def node_names(self, chain: str) -> list[str]:
        """Return the names of a chain's sources over P2P; a name is once in a relay, whatever the chain."""
        return [_prefix(chain, self.options.chains) + name for name in NODE_NAMES]

    def wiring(self) -> Wiring:
        """Return what faults can be put on."""
        controls = {
            f"{chain}:{name}": url
            for chain in self.options.chains
            for name, url in zip(self.node_names(chain), self.node_controls(chain), strict=True)
        }
        first = {self._over_rpc(chain): self.node_controls(chain)[0] for chain in self.options.chains}
        return Wiring(
            proxies={key: ProxyInTheWay(self.control_url, _proxy_name(key)) for key in self._targets},
            devnets=controls | first,
            relay_pid=self.relay_pid,
            relay_supervised=True,
            data_folder=str(self.data_folder),
            api_url=self.api_url,
        )

    def close(self) -> None:
        """End all of it and remove its data. May be called again."""
        self._stack.close()
        self._watch.join()

    def _stop_supervising(self) -> None:
        with self._lock:
            self._closing = True
            self._closed.notify_all()

    def _until_ready(self) -> None:
        """Wait until all sources are: a relay serves before, and an experiment would find none to hit."""
        deadline_s = time.monotonic() + READY_S_MAX
        with RelayAdmin(self.admin_url) as admin:
            while late := [f"{one.chain}:{one.name}" for one in admin.map().sources if not one.usable]:
                if time.monotonic() > deadline_s:
                    raise ChildFailed(f"{', '.join(late)}: not ready after {READY_S_MAX:g} s")
                time.sleep(READY_LOOK_S)

    def _devnet(self, chain: str) -> Child:
        interval_ms, nodes = str(self.options.block_interval_ms), str(len(NODE_NAMES))
        command = [sys.executable, "-m", "sprint.tools.devnet", "--chain", chain, "--nodes", nodes]
        command += ["--interval-ms", interval_ms, "--seed", self.options.seed]
        command += ["--rpc-port", "0", "--control-port", "0"]
        return Child(f"the devnet of {chain}", command, folder=self._folder)

    def _over_rpc(self, chain: str) -> str:
        return f"{chain}:{_prefix(chain, self.options.chains)}{OVER_RPC}"

    def _sources(self) -> list[tuple[str, str]]:
        """Return `CHAIN:NAME` and the address of each source's node."""
        found = []
        for chain, devnet in self.devnets.items():
            nodes = devnet.first_line["nodes"]
            names = self.node_names(chain)
            found += [(f"{chain}:{name}", node["port"]) for name, node in zip(names, nodes, strict=True)]
            found.append((self._over_rpc(chain), nodes[0]["rpc_port"]))
        return [(key, f"{HOST}:{port}") for key, port in found]

    def _proxy(self) -> Child:
        command = [
            sys.executable,
            "-m",
            "sprint.tools.faultproxy",
            "--until-eof",
            "--seed",
            self.options.seed,
        ]
        for key, address in self._targets.items():
            command += ["--proxy", f"{_proxy_name(key)}={address}"]
        return Child("the fault proxy", command, folder=self._folder)

    def _write_config(self) -> None:
        source = {**self.options.breakers, **({"shadow": True} if self.options.shadow else {})}
        config = {"relay": {"kernels": "reference"}, **({"breakers": {"source": source}} if source else {})}
        self._config.write_bytes(msgspec.toml.encode(config))

    @property
    def _config(self) -> Path:
        return self._folder / "sprint.toml"

    def _start_relay(self, ports: RelayPorts | None) -> RelayChild:
        arguments = ["--config", str(self._config), "--data-dir", str(self.data_folder)]
        for key in self._targets:
            arguments += ["--source", self._source(key)]
        return RelayChild(arguments, folder=self._folder, tier=self.options.tier, ports=ports)

    def _source(self, key: str) -> str:
        """Return what `--source` takes: the proxy's address, and the node as the provider."""
        chain, _, name = key.partition(":")
        over_rpc = key == self._over_rpc(chain)
        scheme, provider = ("rpc", self.node_names(chain)[0]) if over_rpc else ("p2p", name)
        address = self.proxy.first_line["proxies"][_proxy_name(key)]
        label, _, network = chain.partition("-")
        return f"{name}@{label}:{network}={scheme}://{address}?provider={provider}-node"

    def _end_relay(self) -> None:
        with self._lock:
            self._relay.child.end()

    def _supervise(self) -> None:
        """Start the relay again whenever it has ended and nobody here ended it."""
        while True:
            with self._lock:
                watched = self._relay
            watched.child.wait()
            with self._lock:
                if self._closing or not self._started_again(watched):
                    return

    def _started_again(self, ended: RelayChild) -> bool:
        """Start another relay in the place of one that has ended; False where that was tried too often."""
        self._restarts += 1
        if self._restarts > RESTARTS_MAX:
            return False
        try:
            self._relay = self._start_relay(ended.ports)
        except SprintError:
            self._closed.wait(RESTART_PAUSE_S)
        else:
            ended.child.end()
        return True


def source_keys(chains: Sequence[str]) -> list[str]:
    """Return `CHAIN:NAME` of each source that a stack of these chains has."""
    return [f"{chain}:{_prefix(chain, chains)}{name}" for chain in chains for name in (*NODE_NAMES, OVER_RPC)]


def _prefix(chain: str, chains: Sequence[str]) -> str:
    return "" if chain == chains[0] else f"{chain.partition('-')[0]}-"


def _proxy_name(key: str) -> str:
    """Return the name of a source's proxy: a colon is none that a proxy's name may have."""
    return key.replace(":", ".")
