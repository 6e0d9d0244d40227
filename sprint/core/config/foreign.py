"""Configs of earlier papers, written in YAML or JSON, to this one's tables.

They name a node by `rpc_url` and `zmq_endpoint`, a check by `validation_level`, the tier by one word at the
top. What they ask for and this version has not is left out, and said key by key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sprint.core.config.keys import SHOWN_LENGTH_MAX
from sprint.core.optimize.asked import overrides_of

# Whole sections of those papers that nothing reads in this version, with why.
LEFT_OUT = {
    "cache": "this version keeps no cache that could be set",
}
TUNING = "performance_optimizations"
_SCHEMES = {"http": "rpc", "https": "rpcs", "tcp": "zmq"}
_URL_KEYS = ("rpc_url", "zmq_endpoint", "ws_endpoint")
_RENAMED = {"validation_level": "validation"}


class Translated(NamedTuple):
    """A table in this version's terms, and what was left out of it: dotted name, value, why."""

    table: dict[str, Any]
    left_out: tuple[tuple[str, Any, str], ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what was left out, one line a section or chain."""
        sections: dict[str, str] = {}
        for name, _, why in self.left_out:
            parts = name.split(".")
            sections.setdefault(".".join(parts[:2] if parts[0] == "chains" else parts[:1]), why)
        return tuple(f"{section} counts for nothing: {why}" for section, why in sections.items())


def translate(table: Mapping[str, Any], is_chain: Callable[[str], bool]) -> Translated:
    """Translate a config. `is_chain` knows which chains this version has. What it needn't touch stays."""
    found: dict[str, Any] = {}
    left_out: list[tuple[str, Any, str]] = []
    for name, value in table.items():
        if name in LEFT_OUT:
            left_out += [(inner, leaf, LEFT_OUT[name]) for inner, leaf in _leaves(name, value)]
        elif name == TUNING and isinstance(value, dict):
            found["optimize"] = _tuning(value) | found.get("optimize", {})
        elif name == "chains" and isinstance(value, dict):
            found[name] = _chains(value, is_chain, left_out)
        else:
            found[name] = value
    relay = found.get("relay", {})
    if isinstance(found.get("tier"), str) and isinstance(relay, dict):
        found["relay"] = {"tiers": [found.pop("tier")], **relay}
    return Translated(found, tuple(left_out))


def _tuning(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a level that those papers' words set."""
    found: dict[str, Any] = {}
    for name, value in section.items():
        found |= overrides_of(name, value, f"{TUNING}.{name}")
    return found


def _chains(
    chains: Mapping[str, Any], is_chain: Callable[[str], bool], left_out: list[tuple[str, Any, str]]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, fields in chains.items():
        why = "" if is_chain(name) else "there is no such chain in this version"
        if isinstance(fields, dict) and fields.get("enabled") is False:
            why = "it is not enabled"
        if why:
            left_out += [(inner, leaf, why) for inner, leaf in _leaves(f"chains.{name}", fields)]
        else:
            found[name] = _chain(fields) if isinstance(fields, dict) else fields
    return found


def _chain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chain's section with its nodes as sources. What is on is on by being named."""
    kept = {
        _RENAMED.get(name, name): value
        for name, value in fields.items()
        if name not in _URL_KEYS and not (name == "enabled" and value is True)
    }
    nodes = [{"url": _url(fields[name])} for name in _URL_KEYS if name in fields]
    sources = kept.get("sources", [])
    if nodes and isinstance(sources, list):
        kept["sources"] = [*sources, *nodes]
    return kept


def _url(given: object) -> object:
    """Return a node's URL by the scheme that sources have; one of another scheme is refused as any other."""
    scheme, colon, rest = str(given).partition("://")
    return f"{_SCHEMES.get(scheme, scheme)}{colon}{rest}" if isinstance(given, str) else given


def _leaves(name: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for inner, below in value.items():
            yield from _leaves(f"{name}.{inner}", below)
    else:
        yield name, value


def left_out_lines(translated: Translated) -> list[str]:
    """Return comments that keep what was left out in a converted file, one line each."""
    return [
        f"# {name if name.isprintable() else ascii(name)} = {ascii(value)[:SHOWN_LENGTH_MAX]}  # {why}"
        for name, value, why in translated.left_out
    ]
