"""The ZMQ stand-in as a process of its own, so that it can be stopped, killed and frozen as a node can.

    publisher = PublisherProcess(node)
    publisher.start()

It ends with its node, of which a real publisher is a part. Started again it has the same port.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.integration.real_servers import Litecoind, free_ports
from tests.integration.zmq_stand_in import ZmqStandIn

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
PUBLISHING = "publishing"


class PublisherProcess:
    """One publisher beside one node. `start` returns when it hears the node and can be subscribed to."""

    def __init__(self, node: Litecoind) -> None:
        self._node = node
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"PublisherProcess(port={self.port}, of={self._node!r})"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self!r} does not run")
        return self._process.pid

    def start(self) -> None:
        if self._process is not None:
            raise RuntimeError(f"{self!r} runs already")
        ports = (str(self._node.p2p_port), str(self.port))
        command = [sys.executable, "-m", "tests.integration.publisher_process", *ports]
        self._process = process = subprocess.Popen(command, stdout=subprocess.PIPE)
        pipe = _pipe(process)
        said = pipe.readline() if select.select([pipe], [], [], READY_TIMEOUT_S)[0] else b""
        if said.strip() != PUBLISHING.encode():
            self.kill()
            raise RuntimeError(f"{self!r} does not publish: {said!r}")

    def stop(self) -> None:
        """End it, frozen or not, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
        _pipe(process).close()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
            _pipe(process).close()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def _pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        raise RuntimeError("standard output is a pipe from the start")
    return process.stdout


def publish(node_port: int, port: int) -> None:
    """Publish until the node has gone."""
    node = Litecoind(Path())
    node.p2p_port = node_port
    with ZmqStandIn(node, port=port) as publisher:
        sys.stdout.write(PUBLISHING + "\n")
        sys.stdout.flush()
        publisher.wait()


if __name__ == "__main__":
    publish(*map(int, sys.argv[1:]))
