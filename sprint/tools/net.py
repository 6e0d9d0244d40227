"""Sockets that are listened on: loopback only until keys exist, and a port that is taken is named."""

from __future__ import annotations

import errno
import ipaddress
import socket

from sprint.core.errors import ListenError

BACKLOG = 4096


def require_loopback(host: str) -> str:
    """Return the address that `host` stands for; ListenError if it is not on loopback."""
    name = "127.0.0.1" if host == "localhost" else host
    try:
        address = ipaddress.ip_address(name)
    except ValueError as error:
        raise ListenError(f"--host {host!r}: want an address, as 127.0.0.1 or ::1") from error
    if not address.is_loopback:
        raise ListenError(
            f"--host {host}: this version listens on loopback only, as it has no keys yet; use 127.0.0.1 "
            "and a tunnel or a proxy that authenticates"
        )
    return name


def bind(host: str, port: int, option: str) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. ListenError names port and option."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.settimeout(0.0)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = (
            "is taken" if getattr(error, "errno", None) == errno.EADDRINUSE else f"cannot be had: {error}"
        )
        raise ListenError(
            f"port {port} on {host} {reason}; choose another with {option} (0 takes a free one)"
        ) from error
    return listener


def bind_or_free(host: str, port: int, option: str) -> tuple[socket.socket, bool]:
    """Return a socket on `port`, or on a free one where it is taken, and whether it was taken."""
    try:
        return bind(host, port, option), False
    except ListenError:
        return bind(host, 0, option), True


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
