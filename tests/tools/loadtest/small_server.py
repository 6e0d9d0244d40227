"""A server in the test's own loop, which answers as it is told: the target of load tests.

    async with SmallServer(ok) as server:
        url = server.url

A behaviour is called with each request's bytes and the transport, and answers when it likes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Self, cast

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
END = b"\r\n\r\n"

Behaviour = Callable[["SmallServer", asyncio.Transport, bytes], None]


class SmallServer:
    """Listens on a free port while within; keeps what it was asked."""

    def __init__(self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._server: asyncio.Server | None = None
        self.requests: list[bytes] = []
        self.connections_made = 0
        self.held: list[asyncio.Transport] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Peer(self), "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for transport in self.held:
            transport.abort()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/"

    def asked(self, transport: asyncio.Transport, request: bytes) -> None:
        self.requests.append(request)
        self._behaviour(self, transport, request)


class _Peer(asyncio.Protocol):
    def __init__(self, server: SmallServer) -> None:
        self._server = server
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections_made += 1
        self._server.held.append(self._transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while END in self._rest:
            head, _, self._rest = self._rest.partition(END)
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            body, self._rest = self._rest[:length], self._rest[length:]
            self._server.asked(self._transport, head + END + body)


def answering(data: bytes) -> Behaviour:
    """Give every request these bytes."""
    return lambda _, transport, __: transport.write(data)


def ok(_: SmallServer, transport: asyncio.Transport, __: bytes) -> None:
    transport.write(OK)


def never(_: SmallServer, __: asyncio.Transport, ___: bytes) -> None:
    """Say nothing."""


def resetting(_: SmallServer, transport: asyncio.Transport, __: bytes) -> None:
    transport.abort()


def closing(_: SmallServer, transport: asyncio.Transport, __: bytes) -> None:
    transport.close()
