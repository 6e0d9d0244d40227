"""The URL of a store: read, and shown without what is secret in it.

`postgresql://user@host:port/database?sslmode=verify-full` is libpq's own form, all of whose parameters hold
(https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS); `sqlite:///path` names a
file by its whole path.
"""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from sprint.core.errors import ConfigError

POSTGRES_SCHEMES = ("postgresql", "postgres")
SQLITE_SCHEME = "sqlite"
URL_LENGTH_MAX = 4_096
_WANTED = "want postgresql://user@host:port/database, or sqlite:///path"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
# As far as the last "@": a password with a "/" in it that should have been escaped is one all the same.
_USER_INFO = re.compile(r"(?<=://).*@", re.DOTALL)
_PARAMETER = re.compile(r"(?<=[?&])([^=&#]*)=[^&#]*")
# Whose values may be shown; what is not known, as a misspelt password, may not.
_SHOWN = frozenset(
    (
        *("host", "hostaddr", "port", "dbname", "user", "service", "target_session_attrs"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "gssencmode"),
        *("application_name", "fallback_application_name", "require_auth", "connect_timeout"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    )
)


class DatabaseUrl(msgspec.Struct, frozen=True):
    """A URL that was read. `secret` is the URL as given; `path` is the file's where the kind is `sqlite`."""

    kind: Literal["postgres", "sqlite"]
    secret: str
    path: str = ""

    def __repr__(self) -> str:
        return f"DatabaseUrl({without_password(self.secret)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", without_password(self.secret))]


def scheme_of(text: str) -> str:
    """Return the scheme that a text begins with, in lower case; empty where it has none."""
    found = _SCHEME.match(text.strip())
    return found[0].lower() if found else ""


def parse_database_url(text: str) -> DatabaseUrl:
    """Read a store's URL. ConfigError says what was wrong with it, and never repeats a password."""
    if len(text) > URL_LENGTH_MAX:
        raise ConfigError(f"a database URL of {len(text)} characters, limit {URL_LENGTH_MAX}")
    scheme = scheme_of(text)
    shown = repr(without_password(text))
    if scheme in POSTGRES_SCHEMES and text.startswith((f"{scheme}://",)):
        return DatabaseUrl("postgres", text)
    if scheme == SQLITE_SCHEME:
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise ConfigError(f"{shown}: {error}; {_WANTED}") from error
        if parts.netloc or not parts.path.startswith("/") or parts.query or len(parts.path) < 2:
            raise ConfigError(f"{shown}: want sqlite:///path, with the whole path of the file")
        return DatabaseUrl("sqlite", text, unquote(parts.path))
    if not scheme:
        raise ConfigError(f"a database URL without a scheme; {_WANTED}")
    raise ConfigError(f"{shown}: the scheme {scheme!r} is no store's; {_WANTED}")


def without_password(text: str) -> str:
    """Return a URL with `…` in the place of each password; the user stays, as it tells which role it is."""
    return _PARAMETER.sub(_if_shown, _USER_INFO.sub(_user_alone, text))


def _if_shown(found: re.Match[str]) -> str:
    return found[0] if found[1] in _SHOWN else f"{found[1]}=…"


def _user_alone(found: re.Match[str]) -> str:
    user, colon, _ = found[0].removesuffix("@").partition(":")
    return f"{user}:…@" if colon else f"{user}@"
