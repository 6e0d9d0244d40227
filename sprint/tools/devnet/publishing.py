"""A devnet node's ZMQ publisher on loopback. What it says is decided by `NumberedPublisher`."""

from __future__ import annotations

from collections.abc import Sequence

import zmq

from sprint.core.errors import ListenError
from sprint.core.protocols.zmq.publisher import NumberedPublisher, Parts

WAITING_MAX = 1_000  # messages for one slow subscriber, as in Bitcoin Core; more are dropped


class PublishingSocket:
    """Publishes to whoever subscribes, and waits for nobody."""

    def __init__(self, host: str, port: int) -> None:
        """Bind; port 0 takes a free one. ListenError if the port is taken."""
        self.numbered = NumberedPublisher()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, WAITING_MAX)
        try:
            self.port = port or self._socket.bind_to_random_port(f"tcp://{host}")
            if port:
                self._socket.bind(f"tcp://{host}:{port}")
        except zmq.ZMQError as error:
            self.close()
            raise ListenError(f"the devnet's ZMQ publisher cannot bind {host}:{port}: {error}") from error
        self.address = f"tcp://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"PublishingSocket({self.port}, {self.numbered!r})"

    def send(self, messages: Sequence[Parts]) -> None:
        for parts in messages:
            self._socket.send_multipart(parts, zmq.NOBLOCK)

    def close(self) -> None:
        """Stop publishing; what waits is dropped. May be called again."""
        self._context.destroy(linger=0)
