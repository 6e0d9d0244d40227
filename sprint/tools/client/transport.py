"""What both faces know of the wire: addresses, options, and how a foreign exception becomes a `Loss`.

The rest of the client sees neither `websockets` nor `httpx` exceptions.
"""

from __future__ import annotations

import ipaddress
import ssl
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    SecurityError,
    WebSocketException,
)

from sprint import __version__
from sprint.core.errors import ConfigError
from sprint.tools.client.answers import parse_problem
from sprint.tools.client.resume import ClientSettings, Loss

EVENTS_PATH = "/ws/v1/events"
USER_AGENT = f"sprint-client/{__version__}"
FRAMES_QUEUED_MAX = 16

# What a connection may fail with; anything else is a mistake of this program and is not caught.
LOSSES = (OSError, WebSocketException)


class Address(msgspec.Struct, frozen=True):
    """A relay's address, without a slash at its end. `proxied`: the environment's proxies apply to it."""

    http: str
    websocket: str
    proxied: bool


def parse_address(url: str) -> Address:
    """Check a relay's URL: `http://` or `https://`, a host, no query. ConfigError names what is wrong."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError as error:
        raise ConfigError(f"relay URL {url!r}: {error}") from error
    schemes = {"http": "ws", "https": "wss"}
    if parts.scheme not in schemes or not host or parts.query or parts.fragment:
        raise ConfigError(f"relay URL {url!r}: give http:// or https://, host and port")
    base = f"{parts.netloc}{parts.path}".rstrip("/")
    return Address(
        http=f"{parts.scheme}://{base}",
        websocket=f"{schemes[parts.scheme]}://{base}{EVENTS_PATH}",
        proxied=not _is_loopback(host),
    )


def connect_options(address: Address, settings: ClientSettings) -> dict[str, Any]:
    """Return the options that both faces give to `connect`. Pings notice a connection that is dead."""
    return {
        "proxy": True if address.proxied else None,
        "compression": None,
        "user_agent_header": USER_AGENT,
        "open_timeout": settings.connect_timeout_s,
        "close_timeout": settings.close_timeout_s,
        "ping_interval": settings.ping_interval_s,
        "ping_timeout": settings.ping_timeout_s,
        "max_size": settings.message_size_max,
        "max_queue": FRAMES_QUEUED_MAX,
    }


def loss_of(error: Exception, address: Address) -> Loss:
    """Tell why a connection failed or ended, in the terms that `Resume` decides on."""
    if isinstance(error, ConnectionClosed):
        return _loss_of_close(error, address)
    if isinstance(error, InvalidStatus):
        return _loss_of_status(error, address)
    fatal = isinstance(error, ssl.SSLCertVerificationError | SecurityError | InvalidURI)
    return Loss(f"{address.http}: {str(error) or type(error).__name__}", fatal=fatal)


def _loss_of_close(error: ConnectionClosed, address: Address) -> Loss:
    # Where this side closed first, its own code says why: 1009 for a message above the limit.
    close = error.rcvd if error.rcvd_then_sent or error.sent is None else error.sent
    if close is None:
        return Loss(f"{address.http}: the connection was cut")
    return Loss(f"{address.http}: closed with {close.code} {close.reason}".rstrip(), close_code=close.code)


def _loss_of_status(error: InvalidStatus, address: Address) -> Loss:
    response = error.response
    problem = parse_problem(response.status_code, bytes(response.body or b""))
    wait = response.headers.get("Retry-After", "")
    return Loss(
        f"{address.http}: {problem}",
        status=response.status_code,
        code=problem.code,
        retry_after_s=float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 10 else 0.0,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
