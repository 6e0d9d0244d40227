"""The two ends of a proxy in tests: a target whose connections are handed to the test, and clients of it.

Both are plain sockets on the running loop, so that a test sees each read, each half-close and each reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import pytest
import uvloop

from sprint.core.faultproxy.codec import Address, proxy_of
from sprint.tools.faultproxy.proxy import FaultProxy

WAIT_S = 20.0
READ_SIZE = 65_536
Loop = Callable[[], asyncio.AbstractEventLoop]
T = TypeVar("T")

both_loops = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


def run_on(loop: Loop, main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


class Peer:
    """One end of a connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        connected.settimeout(0)

    async def send(self, data: bytes) -> None:
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.socket, data), WAIT_S)

    async def read(self, size: int = READ_SIZE) -> bytes:
        """Read what is there; empty at the end, ConnectionResetError on a reset."""
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, size), WAIT_S)

    async def read_exactly(self, size: int) -> bytes:
        received = bytearray()
        while len(received) < size:
            part = await self.read(min(READ_SIZE, size - len(received)))
            assert part, f"the stream ended after {len(received)} of {size} bytes"
            received += part
        return bytes(received)

    async def read_to_end(self) -> tuple[bytes, bool]:
        """Read all there is; the second is whether it ended by a reset."""
        received = bytearray()
        try:
            while part := await self.read():
                received += part
        except ConnectionResetError:
            return bytes(received), True
        return bytes(received), False

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()


class Target:
    """A listening socket; `accept` gives the next connection's end."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._bound.bind((host, 0))
        self._bound.listen(1_024)
        self._bound.settimeout(0)
        self.address = Address(*self._bound.getsockname()[:2])
        self.accepted: list[Peer] = []

    async def accept(self) -> Peer:
        connected, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(self._bound), WAIT_S)
        self.accepted.append(Peer(connected))
        return self.accepted[-1]

    def close(self) -> None:
        self._bound.close()
        for peer in self.accepted:
            peer.close()


class Bench:
    """A proxy with its target, and clients made as they are wanted."""

    def __init__(self, proxy: FaultProxy, target: Target) -> None:
        self.proxy = proxy
        self.target = target
        self._clients: list[Peer] = []

    def client(self) -> Peer:
        """Connect to the proxy."""
        host, port = self.proxy.address.host, self.proxy.address.port
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        # The backlog answers at once; on the loop a reset that follows might be taken for a refusal.
        self._clients.append(Peer(made))
        made.settimeout(WAIT_S)
        made.connect((host, port))
        made.settimeout(0)
        return self._clients[-1]

    async def pair(self) -> tuple[Peer, Peer]:
        """Connect through the proxy; both ends, when the proxy has them too."""
        client = self.client()
        target = await self.target.accept()
        # From Python 3.12 on the target's end is here some turns before the proxy hears that it was reached.
        await until(lambda: not self.proxy._openings)
        return client, target

    def close(self) -> None:
        self.target.close()
        for client in self._clients:
            client.close()


@contextlib.asynccontextmanager
async def proxied(host: str = "127.0.0.1", **fields: Any) -> AsyncIterator[Bench]:
    """Give a proxy in front of a target that a test accepts connections of."""
    target = Target(host)
    listen = str(Address(host, 0))
    settings = proxy_of({"name": "node", "target": str(target.address), "listen": listen, **fields})
    async with FaultProxy(settings) as proxy:
        bench = Bench(proxy, target)
        try:
            yield bench
        finally:
            bench.close()


async def until(condition: Callable[[], bool]) -> None:
    """Return when a condition holds; the loop is given its turns meanwhile."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        await asyncio.sleep(0.001)
