"""Where a load goes: a URL, taken apart once, so that no request has to look at it again."""

from __future__ import annotations

import base64
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from sprint.core.errors import ConfigError

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
URL_LENGTH_MAX = 8_192


class TargetUrl(msgspec.Struct, frozen=True, kw_only=True):
    """One target. `path` is with its query; `authorization` is the value of that header, or empty."""

    scheme: str
    host: str
    port: int
    path: str
    authorization: str = ""

    @property
    def is_tls(self) -> bool:
        return self.scheme in {"https", "wss"}

    @property
    def is_websocket(self) -> bool:
        return self.scheme in {"ws", "wss"}

    @property
    def host_header(self) -> str:
        """What stands in the header `Host`: with the port unless it is the scheme's own (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def text(self) -> str:
        """The URL as it is shown: without a login."""
        return f"{self.scheme}://{self.host_header}{self.path}"

    def at(self, host: str, port: int) -> TargetUrl:
        """Return the same target behind another address, as that of a proxy."""
        return msgspec.structs.replace(self, host=host, port=port)


def parse_url(text: str) -> TargetUrl:
    """Take a URL apart; ConfigError says what a target looks like."""
    if len(text) > URL_LENGTH_MAX:
        raise ConfigError(f"--target of {len(text)} characters, limit {URL_LENGTH_MAX}")
    if any(character.isspace() or not character.isprintable() for character in text) or not text.isascii():
        raise ConfigError(f"--target {text!r}: a URL is of ASCII characters without spaces; use %20 for one")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"--target {text!r}: {error}") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise ConfigError(
            f"--target {text!r}: want http://host:port/path, https://, ws:// or wss://; "
            "`demo` is an embedded relay, and without --target a breaker in process is loaded"
        )
    if port == 0:
        raise ConfigError(f"--target {text!r}: port 0 cannot be connected to; want 1 to 65535")
    return TargetUrl(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        authorization=_basic(parts),
    )


def _basic(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(login.encode()).decode()
