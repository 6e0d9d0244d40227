"""The words of the API: toxics and proxies out of JSON objects, or refused with the key and what is wanted.

    {"kind": "latency", "latency_ms": 200, "jitter_ms": 50, "direction": "downstream", "toxicity": 0.5}

A change names only what is to be otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.toxics import KINDS, TTL_MS_MAX, ActiveToxic, Direction, Kind, KindRules, Toxic

NAME_LENGTH_MAX = 64
SHOWN_LENGTH_MAX = 60
CONNECTIONS_MAX_DEFAULT = 1_024
CONNECTIONS_MAX_MOST = 20_000
SEED_LENGTH_MAX = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
_COMMON = ("name", "kind", "direction", "toxicity", "ttl_ms")
_PROXY = ("name", "target", "listen", "connections_max", "seed")

Fields = Mapping[str, Any]
Choice = TypeVar("Choice", bound=StrEnum)


class Address(msgspec.Struct, frozen=True):
    """A host and a port. As text an IPv6 address stands in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy: where it listens (port 0 takes a free one) and where it connects to.

    `connections_max` at the same time; one more is reset. `seed` decides what is drawn.
    """

    name: str
    target: Address
    listen: Address = Address("127.0.0.1", 0)
    connections_max: int = CONNECTIONS_MAX_DEFAULT
    seed: str = ""


def toxic_of(fields: Fields) -> Toxic:
    """Read a toxic; without a name it has that of its kind. ConfigError names the key and what is wanted."""
    kind = _choice(fields, "kind", Kind, None)
    rules = KINDS[kind]
    _refuse_unknown(fields, *_COMMON, *rules.figures, of=f"{kind}: ")
    _refuse_of_whole_proxy(fields, kind, rules)
    return Toxic(
        name=_name(fields, str(kind)),
        kind=kind,
        direction=_choice(fields, "direction", Direction, Direction.BOTH),
        toxicity=_share(fields, "toxicity"),
        ttl_ms=None if fields.get("ttl_ms") is None else _whole(fields, "ttl_ms", None, 1, TTL_MS_MAX),
        figures={
            name: _whole(fields, name, figure.default, figure.least, figure.most)
            for name, figure in rules.figures.items()
        },
    )


def changed_toxic(toxic: Toxic, fields: Fields) -> Toxic:
    """Return a toxic with some of its fields changed; ConfigError as for a new one. Name and kind stay."""
    for key, stays in (("name", toxic.name), ("kind", str(toxic.kind))):
        if fields.get(key, stays) != stays:
            raise ConfigError(f"{key}: {shown(fields[key])}; this is {stays}, remove it and add another")
    known = {"direction": str(toxic.direction), "toxicity": toxic.toxicity, "ttl_ms": toxic.ttl_ms}
    return toxic_of({"name": toxic.name, "kind": str(toxic.kind), **known, **toxic.figures, **fields})


def proxy_of(fields: Fields) -> ProxySettings:
    """Read a proxy. ConfigError names the key and what is wanted."""
    _refuse_unknown(fields, *_PROXY)
    seed = fields.get("seed", "")
    if not isinstance(seed, str) or len(seed) > SEED_LENGTH_MAX or not seed.isprintable():
        raise ConfigError(f"seed: {shown(seed)}; want a text of up to {SEED_LENGTH_MAX} printable characters")
    return ProxySettings(
        name=_name(fields, None),
        target=_address(fields, "target", None, 1),
        listen=_address(fields, "listen", "127.0.0.1:0", 0),
        connections_max=_whole(fields, "connections_max", CONNECTIONS_MAX_DEFAULT, 1, CONNECTIONS_MAX_MOST),
        seed=seed,
    )


def refuse_fields(fields: Fields) -> None:
    """Refuse a body that has anything in it, where none is wanted."""
    if fields:
        raise ConfigError(f"no key {shown(next(iter(fields)))}; the body is an empty object")


def toxic_row(active: ActiveToxic, now: float) -> dict[str, Any]:
    """Return a toxic as it is shown: what it is, what is left of its time, what it has done."""
    toxic, counts = active.toxic, active.counts
    left_ms = None if active.expires_at is None else max(0, round((active.expires_at - now) * 1000))
    return {
        "name": toxic.name,
        "kind": str(toxic.kind),
        "direction": str(toxic.direction),
        "toxicity": toxic.toxicity,
        "ttl_ms": toxic.ttl_ms,
        "left_ms": left_ms,
        "figures": toxic.figures,
        "counts": {name: getattr(counts, name) for name in counts.__slots__},
    }


def shown(value: object) -> str:
    """Return a value as a message may repeat it."""
    return "nothing" if value is None else ascii(value)[:SHOWN_LENGTH_MAX]


def _refuse_unknown(fields: Fields, *known: str, of: str = "") -> None:
    unknown = next((key for key in fields if key not in known), None)
    if unknown is not None:
        raise ConfigError(f"{of}no key {shown(unknown)}; there is {', '.join(known)}")


def _refuse_of_whole_proxy(fields: Fields, kind: Kind, rules: KindRules) -> None:
    """Refuse a direction or a share where a fault has none: a listener is there for all or for nobody."""
    for key, only in (("direction", "both"), ("toxicity", 1)):
        if not rules.one_way and fields.get(key, only) != only:
            raise ConfigError(f"{key}: {shown(fields[key])}; {kind} is of the whole proxy, leave it out")


def _name(fields: Fields, default: str | None) -> str:
    name = fields.get("name", default)
    if not isinstance(name, str) or len(name) > NAME_LENGTH_MAX or not _NAME.fullmatch(name):
        raise ConfigError(
            f"name: {shown(name)}; want 1 to {NAME_LENGTH_MAX} letters, digits or .-_~, no sign first"
        )
    return name


def _choice(fields: Fields, key: str, kinds: type[Choice], default: Choice | None) -> Choice:
    value = fields.get(key, default)
    if not isinstance(value, str) or value not in list(kinds):
        raise ConfigError(f"{key}: {shown(value)}; want one of {', '.join(kinds)}")
    return kinds(value)


def _share(fields: Fields, key: str) -> float:
    value = fields.get(key, 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{key}: {shown(value)}; want a number from 0 to 1, the share of connections")
    return float(value)


def _whole(fields: Fields, key: str, default: int | None, least: int, most: int) -> int:
    value = fields.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{key}: {shown(value)}; want a whole number from {least} to {most}")
    return value


def _address(fields: Fields, key: str, default: str | None, port_least: int) -> Address:
    """Read `host:port` or `[IPv6]:port`."""
    value = fields.get(key, default)
    wrong = f"{key}: {shown(value)}; want HOST:PORT or [IPv6]:PORT, the port from {port_least} to 65535"
    if not isinstance(value, str) or len(value) > 255 + 6:
        raise ConfigError(wrong)
    host, colon, digits = value.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(wrong)
    if not (colon and host and digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise ConfigError(wrong)
    if not host.isprintable() or not port_least <= int(digits) <= 65_535:
        raise ConfigError(wrong)
    return Address(host, int(digits))
