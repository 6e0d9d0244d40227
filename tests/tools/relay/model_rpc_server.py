"""A `ModelNode` behind HTTP on loopback, as a node serves its RPC: login, keep-alive, waits that wait.

`status` and `raw` put something else in the place of every answer; `closes` ends the connection after each.
While it is `silent` it takes requests and answers none.
Only `path` is served.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from types import TracebackType
from typing import Self

from tests.core.protocols.json_rpc.model_node import ModelNode

LOGIN = "user:word"


class ModelRpcServer:
    """Serves until the `async with` block ends. `connections` counts those that were opened."""

    def __init__(self, node: ModelNode, *, login: str = LOGIN, tls: ssl.SSLContext | None = None) -> None:
        self.node = node
        self.login = login
        self.status = 200
        self.raw: bytes | None = None
        self.closes = False
        self.silent = False
        self.path = "/"
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        await self.drop_connections()

    async def drop_connections(self) -> None:
        """End every open connection, as a node does with those that were idle for long."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def mine(self, count: int = 1) -> list[bytes]:
        """Mine, and let the waits that wait for it be answered."""
        hashes = self.node.mine(count)
        self._changed.set()
        self._changed = asyncio.Event()
        return hashes

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._answer_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields["Content-Length"]))
        if self.silent:
            await asyncio.Event().wait()
        if self.raw is not None:
            writer.write(self.raw)
            return True
        status, answer = self.status, b""
        if fields.get("Authorization") != "Basic " + base64.b64encode(self.login.encode()).decode():
            status = 401
        if head.split(" ")[1] != self.path:
            status = 404
        if status == 200:
            asked = json.loads(body)
            await self._wait([asked] if isinstance(asked, dict) else asked)
            status, answer = self.node.respond(body)
        writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n" % (status, len(answer)))
        writer.write(b"Connection: close\r\n\r\n" if self.closes else b"\r\n")
        writer.write(answer)
        await writer.drain()
        return not self.closes

    async def _wait(self, requests: list[dict[str, list[int]]]) -> None:
        for each in requests:
            if str(each["method"]) != "waitforblockheight" or "waitforblockheight" in self.node.refuse:
                continue
            height, timeout_ms = each["params"]
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    while len(self.node.branch) - 1 < height:
                        await self._changed.wait()
            except TimeoutError:
                pass
