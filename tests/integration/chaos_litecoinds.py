"""A user's relay on two real litecoinds that mine all the while.

Its sources: `alice` and `bob` over P2P, and `carol` over JSON-RPC with a login, by which she can't be led
through a proxy. A relay that ends is started again on its data and ports, as a supervisor would.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from tests.integration.chaos_stage import TYPES, ChaosStage
from tests.integration.real_servers import HOST, MWEB_HEIGHT, RPC_LOGIN, Litecoind, free_ports, wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener

BLOCK_INTERVAL_S = 0.5
JOIN_S = 30.0
LOOK_S = 0.05


class LitecoindStage(ChaosStage):
    """Two nodes, a miner, a supervised relay, a subscriber."""

    names = ("alice", "bob", "carol")

    def __init__(self, folder: Path, factory: Callable[[], Litecoind], *, data: Path | None = None) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.nodes = (factory(), factory())
        first, second = self.nodes
        second.connect_to(first)
        second.wait_for_tip(first.mine(3)[-1])
        self.pids: list[int] = []
        self._ports = free_ports(2)
        self._ends = contextlib.ExitStack()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._relay = self._started()
        self._ends.callback(self._end_relay)
        self.listener = Listener(self.api_url, types=TYPES, start="latest")

    def __enter__(self) -> Self:
        try:
            self._ends.enter_context(self.listener)
            for work in (self._mine, self._supervise):
                thread = threading.Thread(target=work, name=work.__name__, daemon=True)
                thread.start()
                self._ends.callback(thread.join, JOIN_S)
            self._ends.callback(self._ended.set)
            wait_until(self.are_ready, "all sources are ready")
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    @property
    def admin_url(self) -> str:
        return f"http://{HOST}:{self._ports[1]}"

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self._ports[0]}"

    @property
    def relay_pid(self) -> int:
        with self._lock:
            return self._relay.pid

    def tip(self) -> str:
        return self.nodes[0].tip

    def hashes(self, heights: Sequence[int]) -> list[str]:
        return [str(each) for each in self.nodes[0].rpc_batch([("getblockhash", at) for at in heights])]

    def _mine(self) -> None:
        """Have the nodes find blocks in turn; never so many that the chain's rules change."""
        miner, other = self.nodes
        while not self._ended.wait(BLOCK_INTERVAL_S) and miner.height < MWEB_HEIGHT - 1:
            other.wait_for_tip(miner.mine(1)[-1])
            miner, other = other, miner

    def _supervise(self) -> None:
        while not self._ended.wait(LOOK_S):
            if not self._relay.running:
                with self._lock:
                    self._relay.kill()
                    self._relay = self._started()

    def _started(self) -> RelayProcess:
        alice, bob = (f"{name}@{node.source_url}" for name, node in zip(self.names, self.nodes, strict=False))
        login = ":".join(RPC_LOGIN)
        carol = f"carol@litecoin:regtest=rpc://{login}@{HOST}:{self.nodes[0].rpc_port}"
        words = [word for source in (alice, bob, carol) for word in ("--source", source)]
        relay = RelayProcess(
            self.folder,
            *(*words, "--data-dir", str(self.data), "--admin-port", str(self._ports[1])),
            port=self._ports[0],
        )
        self.pids.append(relay.pid)
        return relay

    def _end_relay(self) -> None:
        with self._lock:
            self._relay.__exit__()
