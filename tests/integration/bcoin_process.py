"""A bcoin node that keeps its chain in a folder, so that it can be stopped and started again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.integration.bcoin_node import API_KEY, LAUNCHER, Bcoin
from tests.integration.child_process import ChildProcess
from tests.integration.real_servers import BCOIN_PATH, free_ports, wait_until


class BcoinProcess(ChildProcess, Bcoin):
    """One node. `start` returns when its RPC answers."""

    def __init__(self, folder: Path) -> None:
        ChildProcess.__init__(self)
        Bcoin.__init__(self, *free_ports(2))
        self.folder = folder

    @property
    def tip(self) -> str:
        return str(self.rpc("getbestblockhash"))

    @property
    def height(self) -> int:
        return int(self.rpc("getblockcount"))

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = (str(self.p2p_port), str(self.rpc_port), API_KEY, str(self.folder))
        environment = {**os.environ, "NODE_PATH": str(BCOIN_PATH.parent), "NODE_BACKEND": "js"}
        return subprocess.Popen(
            ["node", str(LAUNCHER), *arguments], env=environment, stderr=subprocess.DEVNULL
        )

    def _wait_until_ready(self) -> None:
        wait_until(self.answers, f"{self!r} answers")
