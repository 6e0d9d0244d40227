"""The source URL: `[NAME@]CHAIN[:NETWORK]=SCHEME://host:port`.

Examples: `litecoin:regtest=p2p://127.0.0.1:19444`, `core-1@bitcoin=p2p://127.0.0.1:8333?provider=own-rack`.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sprint.core.errors import ConfigError

SCHEMES = ("p2p",)
KEYS = ("provider",)
NAME_LENGTH_MAX = 64
_USER_INFO = re.compile("//[^/?#]*@")
_FORM = "[NAME@]CHAIN[:NETWORK]=p2p://host:port"


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream to connect to. `provider` groups sources that share a fate; `name` is unique."""

    name: str
    chain: str
    network: str | None
    scheme: str
    host: str
    port: int | None
    provider: str

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")


def parse_source(text: str) -> SourceSpec:
    """Parse the option's whole text. ConfigError says what is wrong and what would be right."""
    label, equals, url = text.partition("=")
    if not equals or "://" not in url:
        raise ConfigError(
            f"source {_shown(text)}: want {_FORM}, as in litecoin:regtest=p2p://127.0.0.1:19444"
        )
    name, at, target = label.rpartition("@")
    chain, colon, network = target.partition(":")
    if not chain or (at and not name) or (colon and not network):
        raise ConfigError(f"source {_shown(text)}: want {_FORM}; a name, chain or network is empty")
    return source_of(chain, network or None, url, name=name or None)


def source_of(
    chain: str, network: str | None, url: str, *, name: str | None = None, provider: str | None = None
) -> SourceSpec:
    """Build a spec from its parts. Without a name it is called `scheme:host:port`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"source url {_shown(url)}: {error}") from error
    if parts.scheme not in SCHEMES:
        raise ConfigError(
            f"source url {_shown(url)}: scheme {parts.scheme!r}; this version speaks {', '.join(SCHEMES)}"
        )
    if not host:
        raise ConfigError(f"source url {_shown(url)}: no host; want {parts.scheme}://host:port")
    if not _can_be_looked_up(host):
        raise ConfigError(
            f"source url {_shown(url)}: host {host!r} is no name or address that can be looked up"
        )
    if port == 0:
        raise ConfigError(f"source url {_shown(url)}: port 0; want 1 to 65535, or none for the chain's own")
    if parts.username or parts.password or parts.path not in ("", "/") or parts.fragment:
        raise ConfigError(
            f"source url {_shown(url)}: {parts.scheme} takes host and port, no user, path or fragment"
        )
    keys = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = [key for key in keys if key not in KEYS]
    if unknown:
        raise ConfigError(f"source url {_shown(url)}: unknown key {unknown[0]!r}; there is {', '.join(KEYS)}")
    chosen = name or f"{parts.scheme}:{host}" + ("" if port is None else f":{port}")
    if len(chosen) > NAME_LENGTH_MAX:
        raise ConfigError(f"source name of {len(chosen)} characters, limit {NAME_LENGTH_MAX}")
    return SourceSpec(
        name=chosen,
        chain=chain.lower(),
        network=network.lower() if network else None,
        scheme=parts.scheme,
        host=host,
        port=port,
        provider=provider or keys.get("provider") or chosen,
    )


def _can_be_looked_up(host: str) -> bool:
    """Tell whether a host is encodable as the resolver does it: no empty label, none too long."""
    try:
        return host.isprintable() and " " not in host and bool(host.encode("idna"))
    except UnicodeError:
        return False


def _shown(text: str) -> str:
    """Quote what was given, without a secret that may stand in it."""
    return repr(_USER_INFO.sub("//…@", text))
