"""Runs uvicorn inside our own event loop, on sockets that are bound before anything is promised.

`serve` starts one listener on a socket that `net.bind` gave; several run at once, each with its own
site. `Listener.stop` ends it within `STOP_TIMEOUT_S`: no new connections, WebSockets closed with 1001,
answers finished, whatever is left then is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Iterator
from typing import NamedTuple

import uvicorn

from sprint.core.errors import ConfigError, ListenError
from sprint.tools.net import BACKLOG
from sprint.tools.web.http import HttpConnection
from sprint.tools.web.router import Site
from sprint.tools.web.websocket import WebSocketConnection

if sys.platform != "win32":
    import resource

KEEP_ALIVE_S = 15
STOP_TIMEOUT_S = 5.0
DRAIN_TIMEOUT_S = 4
START_TIMEOUT_S = 5.0
TICK_S = 1.0
# Descriptors left for the store, the sources and the logs.
DESCRIPTORS_RESERVED = 128
DESCRIPTORS_DEFAULT = 1024


class TlsFiles(NamedTuple):
    """A certificate with its chain, and its key; both in PEM. An empty `key` is in the certificate's file."""

    certificate: str
    key: str = ""


class Listener:
    """One running server. `url` is where it is."""

    def __init__(self, bound: socket.socket, server: _Server, task: asyncio.Task[None]) -> None:
        host, port = bound.getsockname()[:2]
        scheme = "https" if server.config.is_ssl else "http"
        self.host: str = host
        self.port: int = port
        self.url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        self._server = server
        self._task = task

    def __repr__(self) -> str:
        return f"Listener({self.url}, connections={self.connection_count})"

    @property
    def connection_count(self) -> int:
        return len(self._server.server_state.connections)

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop accepting, close what is open, drop what does not end in time."""
        self._server.should_exit = True
        self._server.stopping.set()
        await asyncio.wait((self._task,), timeout=timeout_s)
        for connection in list(self._server.server_state.connections):
            transport = getattr(connection, "transport", None) or getattr(connection, "_transport", None)
            if transport is not None:
                transport.abort()
        if not self._task.done():
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def serve(site: Site, bound: socket.socket, tls: TlsFiles | None = None) -> Listener:
    """Serve `site` on a bound socket until stopped; with `tls` over TLS 1.3 alone.

    ConfigError where its files are no certificate and key that belong together.
    """
    config = uvicorn.Config(
        site,
        http=HttpConnection,
        ws=WebSocketConnection,
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_TIMEOUT_S,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=(tls.key or None) if tls else None,
    )
    if tls:
        try:
            _load_tls(config, tls)
        except ConfigError:
            bound.close()
            raise
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="web listener")
    listener = Listener(bound, server, task)
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait((task, ready), timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        ready.cancel()
        task.cancel()
        reason = task.exception() if task.done() else f"not serving within {START_TIMEOUT_S} s"
        raise ListenError(f"{listener.url}: {reason}")
    return listener


def _load_tls(config: uvicorn.Config, tls: TlsFiles) -> None:
    try:
        config.load()
    except (OSError, ValueError) as error:
        files = " and ".join(file for file in tls if file)
        raise ConfigError(
            f"--tls-cert, --tls-key: {files}: {error}; want PEM files that belong together"
        ) from error
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3


class _Server(uvicorn.Server):
    """uvicorn's server, left to end by `stopping`, and told to leave signals alone.

    Its own `serve` raises the signals it caught again, so that code after it never runs.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self.stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def connections_limit(tier_connections_max: int) -> int:
    """Return the connections to allow: the tier's, or what the descriptor limit leaves where that is less."""
    possible = max(1, _descriptor_limit() - DESCRIPTORS_RESERVED)
    return min(tier_connections_max or possible, possible)


def _descriptor_limit() -> int:
    if sys.platform == "win32":
        return DESCRIPTORS_DEFAULT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS_DEFAULT if soft == resource.RLIM_INFINITY else soft
