"""The listening socket of a proxy: it takes connections, or refuses them and keeps its port.

While it refuses, a socket is bound to the port that doesn't listen, so that nobody else gets the port.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable

from sprint.core.errors import ListenError
from sprint.core.faultproxy.codec import Address
from sprint.core.faultproxy.targets import LOCALHOST, is_loopback
from sprint.tools.runtime import log_fields

BACKLOG = 1_024
ACCEPTS_PER_TURN_MAX = 64
# After the process ran out of descriptors.
ACCEPT_PAUSE_S = 0.1
log = logging.getLogger(__name__)


class ListeningSocket:
    """Gives `accepted` each connection's socket. `close` may be called again."""

    def __init__(self, address: Address, accepted: Callable[[socket.socket], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._accepted = accepted
        self._bound = _bind(address)
        self._pause: asyncio.TimerHandle | None = None
        self.is_refusing = True
        self.address = Address(*self._bound.getsockname()[:2])
        self.take()

    def __repr__(self) -> str:
        return f"ListeningSocket({self.address}, refusing={self.is_refusing})"

    def take(self) -> None:
        """Take connections from now on."""
        if self.is_refusing:
            try:
                self._bound.listen(BACKLOG)
            except OSError as error:
                raise ListenError(f"{self.address}: {error}; free the port or choose another") from error
            self._watch()
            self.is_refusing = False

    def refuse(self) -> None:
        """Refuse connections from now on; those that nobody took yet are reset."""
        if not self.is_refusing:
            self._ignore()
            self._bound.close()
            self._bound = _bind(self.address)
            self.is_refusing = True

    def close(self) -> None:
        """Let go of the port."""
        self._ignore()
        self._bound.close()

    def _watch(self) -> None:
        self._pause = None
        self._loop.add_reader(self._bound.fileno(), self._accept)

    def _ignore(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._bound.fileno() >= 0:
            self._loop.remove_reader(self._bound.fileno())

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_TURN_MAX):
            try:
                connected, _ = self._bound.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log_fields(
                    log, logging.ERROR, "no connection taken", listen=str(self.address), error=str(error)
                )
                self._ignore()
                self._pause = self._loop.call_later(ACCEPT_PAUSE_S, self._watch)
                return
            connected.settimeout(0)
            self._accepted(connected)


def _bind(address: Address) -> socket.socket:
    """Bind to an address without listening; ListenError names it."""
    if not is_loopback(address.host):
        raise ListenError(f"listen: {address} is not on loopback; use 127.0.0.1, ::1 or localhost")
    host = "127.0.0.1" if address.host == LOCALHOST else address.host
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, address.port))
        bound.settimeout(0)
    except (OSError, OverflowError) as error:
        bound.close()
        raise ListenError(f"listen: {address}: {error}; free the port or choose another") from error
    return bound
