"""A loopback forwarder that can be cut as a cable can: nothing passes and nobody is told, until it heals.

While it is cut, connections stay open, what was sent waits where it is, new connections are taken by the
system and go no further. An end that closes is noticed by the other end after the cut.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

from tests.integration.real_servers import HOST

READ_SIZE = 1 << 16
CONNECTIONS_MAX = 1_000
JOIN_TIMEOUT_S = 10.0


class CuttableLine:
    """Forwards connections to a port. `port` is its own.

    `buffer_size` bounds what the line holds of what the far end sends, about; None leaves it to the system.
    """

    def __init__(self, target_port: int, *, buffer_size: int | None = None) -> None:
        self._target_port = target_port
        self._buffer_size = buffer_size
        self._passing = threading.Event()
        self._passing.set()
        self._closing = False
        self._sockets: list[socket.socket] = []
        self._carriers: list[threading.Thread] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="CuttableLine", daemon=True)

    def __repr__(self) -> str:
        state = "passing" if self._passing.is_set() else "cut"
        return f"CuttableLine({self.port} to {self._target_port}, {state}, {len(self._sockets)} sockets)"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._passing.set()
        _end(self._listener)
        self._thread.join(JOIN_TIMEOUT_S)
        for each in self._sockets:
            _end(each)
        for carrier in self._carriers:
            carrier.join(JOIN_TIMEOUT_S)
        self._listener.close()

    def cut(self) -> None:
        self._passing.clear()

    def heal(self) -> None:
        self._passing.set()

    def _accept(self) -> None:
        while not self._closing and len(self._sockets) < 2 * CONNECTIONS_MAX:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            carrier = threading.Thread(target=self._carry, args=(near,), name="CuttableLine", daemon=True)
            self._carriers.append(carrier)
            carrier.start()

    def _carry(self, near: socket.socket) -> None:
        """Connect through and carry both ways until both ends have closed."""
        self._passing.wait()
        far = socket.socket()
        if self._buffer_size is not None:  # before it connects, or the window is agreed on already
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer_size)
        self._sockets.append(far)
        try:
            far.connect((HOST, self._target_port))
        except OSError:
            near.close()
            far.close()
            return
        back = threading.Thread(target=self._pass, args=(far, near), name="CuttableLine", daemon=True)
        back.start()
        self._pass(near, far)
        back.join()
        near.close()
        far.close()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        read_size = self._buffer_size or READ_SIZE
        with suppress(OSError):
            while data := source.recv(read_size):
                self._passing.wait()
                sink.sendall(data)
        self._passing.wait()
        _end(sink)


def _end(connected: socket.socket) -> None:
    """Wake whoever reads from or writes to a socket; closing alone would leave them there."""
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
