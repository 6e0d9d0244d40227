"""The relay's config: TOML text, environment and flags in; one frozen record per area out.

Precedence is flag > environment > file > default. An unknown key is an error that names the nearest known
one. Nobody is handed the whole record: `tools.relay.service` gives each part what is its own.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.relay.source_url import SourceSpec, parse_source, source_of

ENVIRONMENT_PREFIX = "SPRINT_"
# These configure the command and the scripts themselves, not the relay.
ENVIRONMENT_RESERVED = ("SPRINT_CONFIG", "SPRINT_REQUIRE_REAL", "SPRINT_SOAK", "SPRINT_SEED")


Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
PortNumber = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class RelaySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[relay]`. `tiers` are served each on its port; `durability` is the store's."""

    tiers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("free", "business", "enterprise")
    host: str = "127.0.0.1"
    data_dir: str | None = None
    durability: Literal["process", "disk", "memory"] = "process"


class SourceSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[chains.NAME.sources]]`."""

    url: str
    name: str | None = None
    provider: str | None = None


class ChainSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[chains.NAME]`. A chain with a network other than main is written `[chains.litecoin-regtest]`."""

    sources: tuple[SourceSection, ...] = ()
    validation: Literal["full"] = "full"
    catch_up_blocks_max: Count = 2016
    retained_blocks_max: Count = 4032
    body_timeout_s: Seconds = 30.0
    gap_after_s: Seconds = 60.0


class PortSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[admin]` and `[metrics]`."""

    port: PortNumber | None = None


class LogSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `sprint.toml`."""

    relay: RelaySection = RelaySection()
    chains: dict[str, ChainSection] = {}
    tiers: dict[str, dict[str, Any]] = {}
    admin: PortSection = PortSection()
    metrics: PortSection = PortSection()
    log: LogSection = LogSection()


_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "relay": RelaySection,
    "admin": PortSection,
    "metrics": PortSection,
    "log": LogSection,
}


def parse_config(text: str, environment: Mapping[str, str], origin: str) -> Config:
    """Read TOML text with the environment laid over it. `origin` names the file in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: not valid TOML: {error}") from error
    _check_keys(table, origin)
    _lay_environment(table, environment)
    try:
        return msgspec.convert(table, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {error}") from error


def sources_of(config: Config, flags: tuple[str, ...]) -> tuple[SourceSpec, ...]:
    """Return the sources that flags and config name; ConfigError where two share a name."""
    specs = [parse_source(text) for text in flags]
    for chain, section in config.chains.items():
        name, _, network = chain.partition("-")
        specs += [
            source_of(name, network or None, source.url, name=source.name, provider=source.provider)
            for source in section.sources
        ]
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise ConfigError(f"two sources are called {spec.name!r}; give one a name: NAME@CHAIN=URL")
        seen.add(spec.name)
    return tuple(specs)


def sections_by_chain(config: Config, id_of: Callable[[str], str]) -> dict[str, ChainSection]:
    """Return the chains' sections by chain id. `id_of` knows which names there are, and refuses others."""
    found: dict[str, ChainSection] = {}
    written: dict[str, str] = {}
    for name, section in config.chains.items():
        try:
            chain_id = id_of(name)
        except ConfigError as error:
            raise ConfigError(f"[chains.{name}]: {error}") from error
        if chain_id in found:
            raise ConfigError(
                f"[chains.{written[chain_id]}] and [chains.{name}] are one chain; keep one of them"
            )
        found[chain_id], written[chain_id] = section, name
    return found


def _check_keys(table: Mapping[str, Any], origin: str) -> None:
    """Name the first unknown key and the nearest known one."""
    _check_names(table, [f.name for f in msgspec.structs.fields(Config)], origin, "")
    for section, kind in _SECTIONS.items():
        _check_section(table.get(section, {}), kind, origin, section)
    chains = table.get("chains", {})
    if not isinstance(chains, dict):
        raise ConfigError(f"{origin}: chains is not a table; want [chains.bitcoin]")
    for name, chain in chains.items():
        _check_section(chain, ChainSection, origin, f"chains.{name}")
        sources = chain.get("sources", [])
        if not isinstance(sources, list):
            raise ConfigError(f"{origin}: chains.{name}.sources is no list; want [[chains.{name}.sources]]")
        for source in sources:
            if not isinstance(source, dict):
                raise ConfigError(
                    f"{origin}: a source of chains.{name} is no table; want [[chains.{name}.sources]]"
                )
            _check_section(source, SourceSection, origin, f"chains.{name}.sources")


def _check_section(section: object, kind: type[msgspec.Struct], origin: str, path: str) -> None:
    if not isinstance(section, dict):
        raise ConfigError(f"{origin}: {path} is not a table; want [{path}]")
    _check_names(section, [f.name for f in msgspec.structs.fields(kind)], origin, f"{path}.")


def _check_names(table: Mapping[str, Any], known: list[str], origin: str, prefix: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"{origin}: unknown key {prefix}{key}; {hint}")


def _lay_environment(table: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Lay `SPRINT_RELAY__DATA_DIR=…` and its like over the file's values."""
    known = {
        f"{ENVIRONMENT_PREFIX}{section}__{field.name}".upper(): (section, field.name)
        for section, kind in _SECTIONS.items()
        for field in msgspec.structs.fields(kind)
    }
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name in ENVIRONMENT_RESERVED:
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"environment: unknown variable {name}; {hint}")
        section, field = known[name]
        given = {field: value.split(",") if field == "tiers" else value}
        try:
            msgspec.convert(given, _SECTIONS[section], strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"environment: {name}={value!r}: {error}") from error
        table.setdefault(section, {}).update(given)
