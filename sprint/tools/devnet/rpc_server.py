"""A devnet node's JSON-RPC on loopback: HTTP/1.1, POST alone, one request at a time on each connection.

There is no login: it listens on loopback, and there is nothing to be had but the devnet's blocks.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from sprint.core.errors import ConfigError, ListenError
from sprint.tools.devnet.rpc import (
    HTTP_BAD_REQUEST,
    HTTP_FAILED,
    PARSE_ERROR,
    NodeRpc,
    awaited,
    parse_calls,
)

HEAD_SIZE_MAX = 16 * 1024
BODY_SIZE_MAX = 1 << 20
CONNECTIONS_MAX = 64
IDLE_S_MAX = 60.0
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 413: "Too Large"}


class RpcServer:
    """Serves one node's calls. `tip_moved` ends the waits whose height is reached."""

    def __init__(self, rpc: NodeRpc) -> None:
        self.port = 0
        self._rpc = rpc
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._height = 0
        self._truth_timer: asyncio.TimerHandle | None = None

    async def listen(self, host: str, port: int) -> None:
        """Listen; ListenError if the port is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=HEAD_SIZE_MAX)
        except OSError as error:
            raise ListenError(f"the devnet's RPC cannot listen on {host}:{port}: {error.strerror}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end all connections. May be called again."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def lie(self, seconds: float) -> None:
        """Give another block's bytes for a time; a later call takes the earlier one's place."""
        if self._truth_timer is not None:
            self._truth_timer.cancel()
        self._rpc.lying = True
        self._truth_timer = asyncio.get_running_loop().call_later(seconds, self.tell_the_truth)

    def tell_the_truth(self) -> None:
        """Give the bytes that are asked for again."""
        self._rpc.lying = False

    def tip_moved(self, height: int) -> None:
        self._height = height
        self._moved.set()
        self._moved = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            if len(self._tasks) <= CONNECTIONS_MAX:
                while await self._one_request(reader, writer):
                    pass
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client is gone, idle for too long, or speaks no HTTP
        except asyncio.CancelledError:
            pass  # the node stops
        finally:
            if task is not None:
                self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether the connection goes on."""
        async with asyncio.timeout(IDLE_S_MAX):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            length = _content_length(head)
            if not head[0].startswith("POST ") or length is None or length > BODY_SIZE_MAX:
                status = 413 if length is not None and length > BODY_SIZE_MAX else 405
                await _write(writer, status, b'"POST a JSON-RPC request with its Content-Length"')
                return False
            body = await reader.readexactly(length)
        status, answer = await self._answer(body)
        await _write(writer, status, answer)
        return not any(line.lower().replace(" ", "") == "connection:close" for line in head)

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        try:
            calls, batch = parse_calls(body)
        except ConfigError as error:
            refusal = {"result": None, "error": {"code": PARSE_ERROR, "message": str(error)}, "id": None}
            return HTTP_FAILED, msgspec.json.encode(refusal)
        if not calls:
            return HTTP_BAD_REQUEST, b"[]"
        wait = awaited(calls)
        if wait is not None:
            await self._wait(*wait)
        return self._rpc.answer(calls, batch=batch)

    async def _wait(self, height: int, wait_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while self._height < height:
                    await self._moved.wait()


def _content_length(head: list[str]) -> int | None:
    for line in head[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length" and value.strip().isdigit():
            return int(value)
    return None


async def _write(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    reason = _REASONS.get(status, "Internal Server Error")
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode("latin-1") + body)
    await writer.drain()
