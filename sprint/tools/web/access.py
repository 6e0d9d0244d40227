"""Where a tool is served and to whom: on loopback to anybody, elsewhere over TLS to who has its key."""

from __future__ import annotations

import hmac
from typing import NamedTuple

from sprint.core.errors import ConfigError
from sprint.tools.net import is_loopback
from sprint.tools.web.router import Request
from sprint.tools.web.server import TlsFiles

KEY_LENGTH_MIN = 32
EVERY_ADDRESS = ("0.0.0.0", "::")


class Access(NamedTuple):
    """An empty `key` asks for none, which only loopback may do."""

    host: str = "127.0.0.1"
    key: str = ""
    tls: TlsFiles | None = None


def access_of(host: str, key: str, certificate: str, certificate_key: str, *, variable: str) -> Access:
    """Check them; ConfigError says what is missing. Off loopback a key and a certificate are needed.

    The key comes from the environment's `variable`: a command line is seen by every user of the machine.
    """
    if key and len(key) < KEY_LENGTH_MIN:
        raise ConfigError(f"{variable}: {len(key)} characters; want {KEY_LENGTH_MIN} or more")
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{variable}: want printable ASCII, as it is sent in a header")
    if certificate_key and not certificate:
        raise ConfigError(f"--tls-key {certificate_key}: name its certificate too, by --tls-cert")
    if host in EVERY_ADDRESS:  # before it asks for what would not help
        raise ConfigError(f"--host {host}: name one address or name, which requests are then to be sent to")
    if not is_loopback(host):
        lacks = [] if key else [f"a key of {KEY_LENGTH_MIN} characters or more in {variable}"]
        lacks += [] if certificate else ["a certificate by --tls-cert and --tls-key"]
        if lacks:
            raise ConfigError(f"--host {host}: off loopback it wants {' and '.join(lacks)}")
    return Access(host.lower(), key, TlsFiles(certificate, certificate_key) if certificate else None)


def has_key(request: Request, key: str) -> bool:
    """Tell whether a request brings the key, as `Authorization: Bearer KEY`; in constant time."""
    given = [value for name, value in request.scope["headers"] if name == b"authorization"]
    return len(given) == 1 and hmac.compare_digest(given[0], b"Bearer " + key.encode())
