"""Sockets to listen on: loopback only, but for who has key and TLS; a taken port is named with its option."""

from __future__ import annotations

import ipaddress
import socket
import sys

from sprint.core.errors import ListenError

BACKLOG = 2048
SEND_BUFFER_SIZE = 64 * 1024


def bind(host: str, port: int, *, option: str = "--port", off_loopback: bool = False) -> socket.socket:
    """Bind and listen; port 0 takes a free one. ListenError names the address and the option.

    `off_loopback`: the caller asks for a key and serves TLS, so any address will do.
    """
    if not (off_loopback or is_loopback(host)):
        raise ListenError(
            f"host {host!r} (--host): only loopback addresses are served, since there are no API keys yet; "
            "use 127.0.0.1, ::1 or localhost"
        )
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it. The default takes megabytes before a slow reader is noticed.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_SIZE)
        bound.bind((address, port))
        bound.listen(BACKLOG)
        bound.settimeout(0)
    except (OSError, OverflowError) as error:
        bound.close()
        raise ListenError(f"{host}:{port} ({option}): {error}; free the port or choose another") from error
    return bound


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
