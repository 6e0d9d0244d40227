"""The source URL: `[NAME@]CHAIN[:NETWORK]=SCHEME://[user:password@]host:port[/path][?key=value&…]`.

Examples: `litecoin:regtest=p2p://127.0.0.1:19444`, `core-1@bitcoin=p2p://127.0.0.1:8333?provider=own-rack`,
`bitcoin=rpc://127.0.0.1:8332?cookie_file=~/.bitcoin/.cookie`,
`bitcoin=zmq://127.0.0.1:28332?topics=hashblock,sequence`. What a scheme takes stands in `SCHEMES`.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.protocols.zmq.frames import TOPICS


class SchemeRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a source of one scheme says: its keys beside `provider`, a login and path, if it needs a port."""

    keys: tuple[str, ...] = ()
    asked: bool = False  # over HTTP: it may have a login and a path
    port_needed: bool = False
    seeds: bool = False  # whether it may stand without a host: then it is one of the chain's known nodes
    example: str


_RPC_KEYS = ("cookie_file", "user_env", "password_env")
SCHEMES: dict[str, SchemeRules] = {
    "p2p": SchemeRules(keys=("mempool",), seeds=True, example="p2p://127.0.0.1:8333"),
    "rpc": SchemeRules(keys=_RPC_KEYS, asked=True, port_needed=True, example="rpc://127.0.0.1:8332"),
    "rpcs": SchemeRules(keys=_RPC_KEYS, asked=True, example="rpcs://node.example"),
    "zmq": SchemeRules(keys=("topics",), port_needed=True, example="zmq://127.0.0.1:28332"),
}
KEYS = ("provider",)
NAME_LENGTH_MAX = 64
PATH_LENGTH_MAX = 1_024
# A password may have characters in it that should have been written `%..`, so all up to the last @ is hidden.
_USER_INFO = re.compile("(//|=(?!.*//)).*@", re.DOTALL)
_PATH = re.compile("(//[^/?#]*)/[^?]+")
_VALUE = re.compile("([?&#])([^=&#]*)(=[^&#]*)?")
_FORM = "[NAME@]CHAIN[:NETWORK]=SCHEME://host:port"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is logged in to: words of the URL itself, names of variables, or a node's cookie file.

    It is never shown, as a password may be in it.
    """

    user: str = ""
    password: str = ""
    user_env: str = ""
    password_env: str = ""
    cookie_file: str = ""

    def __repr__(self) -> str:
        return "Login(…)"


class RequestPath(msgspec.Struct, frozen=True):
    """Where behind a host JSON-RPC is served. It is never shown: a provider's path has its key in it."""

    text: str = "/"

    def __repr__(self) -> str:
        return "RequestPath(…)"


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream to connect to. `provider` groups sources that share a fate; `name` is unique.

    `login` is None where the URL says nothing of one. `topics` are what a publisher is subscribed to.
    `host` is empty where it is to be one of the nodes that the chain's DNS seeds know.
    With `mempool` a P2P node is asked to relay transactions, which blocks are then rebuilt from.
    """

    name: str
    chain: str
    network: str | None
    scheme: str
    host: str
    port: int | None
    provider: str
    login: Login | None = None
    path: RequestPath = RequestPath()
    topics: tuple[str, ...] = ()
    mempool: bool = False

    @property
    def url(self) -> str:
        """Where it is; without login, path and keys, so that it may be shown."""
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
        raise ConfigError(f"source url {_shown(url)}: {_why_no_place(url, str(error))}") from error
    rules = SCHEMES.get(parts.scheme)
    if rules is None:
        raise ConfigError(
            f"source url {_shown(url)}: scheme {parts.scheme!r}; this version speaks {', '.join(SCHEMES)}"
        )
    if not host and (parts.netloc or not rules.seeds):
        raise ConfigError(f"source url {_shown(url)}: no host; want {parts.scheme}://host:port")
    if host:
        _check_place(url, host, port, rules)
    _check_parts(url, parts, rules)
    keys = _keys_of(url, parts.query, rules)
    chosen = name or f"{parts.scheme}:{host or 'seeds'}" + ("" if port is None else f":{port}")
    if len(chosen) > NAME_LENGTH_MAX:
        raise ConfigError(f"source name of {len(chosen)} characters, limit {NAME_LENGTH_MAX}")
    if not chosen.isprintable() or not chosen.strip():  # it stands in logs, and its breaker is named so
        raise ConfigError(f"source name {chosen!a}: want printable characters, not all blank")
    return SourceSpec(
        name=chosen,
        chain=chain.lower(),
        network=network.lower() if network else None,
        scheme=parts.scheme,
        host=host or "",
        port=port,
        provider=provider or keys.get("provider") or chosen,
        login=_login_of(url, parts, keys) if rules.asked else None,
        path=RequestPath(parts.path or "/"),
        topics=_topics_of(url, keys) if "topics" in rules.keys else (),
        mempool=_switch_of(url, keys, "mempool"),
    )


def _check_place(url: str, host: str, port: int | None, rules: SchemeRules) -> None:
    if not _can_be_looked_up(host):
        raise ConfigError(
            f"source url {_shown(url)}: host {host!r} is no name or address that can be looked up"
        )
    if port == 0:
        raise ConfigError(f"source url {_shown(url)}: port 0; want 1 to 65535, or none for the chain's own")
    if port is None and rules.port_needed:
        raise ConfigError(f"source url {_shown(url)}: no port; want one, as in {rules.example}")


def _check_parts(url: str, parts: SplitResult, rules: SchemeRules) -> None:
    """Refuse what the scheme has no use for."""
    login, path = bool(parts.username or parts.password), parts.path not in ("", "/")
    if parts.fragment or ((login or path) and not rules.asked):
        takes = "host, port, login and path, no" if rules.asked else "host and port, no user, path or"
        raise ConfigError(f"source url {_shown(url)}: {parts.scheme} takes {takes} fragment")
    if len(parts.path) > PATH_LENGTH_MAX:
        raise ConfigError(
            f"source url {_shown(url)}: a path of {len(parts.path)} characters, limit {PATH_LENGTH_MAX}"
        )
    if not (parts.path.isascii() and parts.path.isprintable()) or " " in parts.path:
        raise ConfigError(
            f"source url {_shown(url)}: a path with characters that HTTP does not take; write %20 and so on"
        )


def _why_no_place(url: str, error: str) -> str:
    """Say why a URL has no place in it. The parser's own words may repeat a piece of a password."""
    if not error.startswith("Port could not be cast"):
        return error
    said = "its port is no number"
    return f"{said}; in a login write / ? # @ as %2F %3F %23 %40" if "@" in url else said


def _keys_of(url: str, query: str, rules: SchemeRules) -> dict[str, str]:
    keys = dict(parse_qsl(query, keep_blank_values=True))
    known = (*KEYS, *rules.keys)
    unknown = [key for key in keys if key not in known]
    if unknown:
        # Without a value it may be a provider's key itself, as some put it there.
        named = (
            f"unknown key {unknown[0]!r}" if keys[unknown[0]] or not rules.asked else "a key without value"
        )
        raise ConfigError(f"source url {_shown(url)}: {named}; there is {', '.join(known)}")
    return keys


def _switch_of(url: str, keys: dict[str, str], key: str) -> bool:
    value = keys.get(key, "false")
    if value not in ("true", "false"):
        raise ConfigError(f"source url {_shown(url)}: {key}={value!r}; want true or false")
    return value == "true"


def _topics_of(url: str, keys: dict[str, str]) -> tuple[str, ...]:
    """Return the topics that a URL names, separated by commas; all of them where it names none."""
    if "topics" not in keys:
        return TOPICS
    named = tuple(dict.fromkeys(filter(None, keys["topics"].split(","))))
    unknown = [topic for topic in named if topic not in TOPICS]
    if unknown or not named:
        what = f"unknown topic {unknown[0]!r}" if unknown else "no topic"
        raise ConfigError(f"source url {_shown(url)}: {what}; there is {', '.join(TOPICS)}")
    return named


def _login_of(url: str, parts: SplitResult, keys: dict[str, str]) -> Login | None:
    """Return the login of a URL; ConfigError where it has two of them or half a one."""
    login = Login(
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        **{key: keys.get(key, "") for key in _RPC_KEYS},
    )
    if login == Login():
        return None
    ways = [login.cookie_file, login.user or login.user_env or login.password or login.password_env]
    if all(ways):
        raise ConfigError(f"source url {_shown(url)}: cookie_file and a user; keep one of them")
    for plain, variable, what in (
        (login.user, login.user_env, "user"),
        (login.password, login.password_env, "password"),
    ):
        if plain and variable:
            raise ConfigError(
                f"source url {_shown(url)}: the {what} stands in the URL and in {what}_env; keep one"
            )
        if not plain and not variable and not login.cookie_file:
            raise ConfigError(
                f"source url {_shown(url)}: a login without {what}; "
                f"name the variable that holds it with {what}_env"
            )
    return login


def _can_be_looked_up(host: str) -> bool:
    """Tell whether a host is encodable as the resolver does it: no empty label, none too long."""
    try:
        return host.isprintable() and " " not in host and bool(host.encode("idna"))
    except UnicodeError:
        return False


def without_secrets(url: str) -> str:
    """Return a URL, or what was given for one, without what may be secret: login, path, values of keys."""
    shown = _PATH.sub(r"\1/…", _USER_INFO.sub(r"\1…@", url))
    return _VALUE.sub(_value_shown, shown)


def _value_shown(found: re.Match[str]) -> str:
    mark, key, value = found[1], found[2], found[3]
    # Of our own keys none holds a secret, only names of what holds one.
    if any(key in (*KEYS, *rules.keys) for rules in SCHEMES.values()):
        return found[0]
    return mark + ("…" if value is None or mark == "#" else f"{key}=…")


def _shown(text: str) -> str:
    return repr(without_secrets(text))
