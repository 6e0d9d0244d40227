"""The ZMQ stand-in as a process of its own, so that it can be stopped, killed and frozen as a node can.

    publisher = PublisherProcess(node)
    publisher.start()

It ends with its node, of which a real publisher is a part. Started again it has the same port.
"""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path

from tests.integration.child_process import ChildProcess
from tests.integration.real_servers import Litecoind, free_ports
from tests.integration.zmq_stand_in import ZmqStandIn

READY_TIMEOUT_S = 20.0
PUBLISHING = b"publishing\n"


class PublisherProcess(ChildProcess):
    """One publisher beside one node. `start` returns when it hears the node and can be subscribed to."""

    def __init__(self, node: Litecoind) -> None:
        super().__init__()
        self._node = node
        (self.port,) = free_ports(1)

    def __repr__(self) -> str:
        return f"PublisherProcess(port={self.port}, of={self._node!r})"

    def _spawn(self) -> subprocess.Popen[bytes]:
        ports = (str(self._node.p2p_port), str(self.port))
        command = [sys.executable, "-m", "tests.integration.publisher_process", *ports]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def _wait_until_ready(self) -> None:
        pipe = self.process.stdout
        if pipe is None or not select.select([pipe], [], [], READY_TIMEOUT_S)[0]:
            raise TimeoutError(f"{self!r} does not publish after {READY_TIMEOUT_S:g} s")
        said = pipe.readline()
        if said != PUBLISHING:
            raise RuntimeError(f"{self!r} does not publish: {said!r}")


def publish(node_port: int, port: int) -> None:
    """Publish until the node has gone."""
    node = Litecoind(Path())
    node.p2p_port = node_port
    with ZmqStandIn(node, port=port) as publisher:
        sys.stdout.buffer.write(PUBLISHING)
        sys.stdout.buffer.flush()
        publisher.wait()


if __name__ == "__main__":
    publish(*map(int, sys.argv[1:]))
