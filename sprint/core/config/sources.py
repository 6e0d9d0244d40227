"""The chains' sections and sources of a config, as the relay takes them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

from sprint.core.config.sections import ChainSection, Config, SourceSection
from sprint.core.errors import ConfigError
from sprint.core.relay.source_url import SourceSpec, parse_source, source_of

# What may stand in a source's URL as a key and in its table as a field; the URL has one place for them.
URL_KEYS = ("cookie_file", "user_env", "password_env", "topics", "mempool")


def sources_of(config: Config, flags: tuple[str, ...]) -> tuple[SourceSpec, ...]:
    """Return the sources that flags and config name; ConfigError where two share a name."""
    specs = [("--source", parse_source(text)) for text in flags]
    for chain, section in config.chains.items():
        for number, source in enumerate(section.sources):
            place = f"chains.{chain}.sources.{number}"
            try:
                specs.append((place, _spec_of(chain, source)))
            except ConfigError as error:
                raise ConfigError(f"{place}: {error}") from error
    places: dict[str, str] = {}
    for place, spec in specs:
        if spec.name in places:
            both = f"two sources are called {spec.name!r}; give one a name: NAME@CHAIN=URL"
            raise ConfigError(f"{place}: {both}, or `name` in the file; the other is {places[spec.name]}")
        places[spec.name] = place
    return tuple(spec for _, spec in specs)


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


def _spec_of(chain: str, source: SourceSection) -> SourceSpec:
    name, _, network = chain.partition("-")
    return source_of(name, network or None, _url_of(source), name=source.name, provider=source.provider)


def _url_of(source: SourceSection) -> str:
    """Return the URL with the fields beside it as its keys; ConfigError where one stands in both."""
    fields = {key: getattr(source, key) for key in URL_KEYS}
    given = {key: _in_url(value) for key, value in fields.items() if value is not None}
    if not given:
        return source.url
    query = urlsplit(source.url).query
    for key in dict(parse_qsl(query, keep_blank_values=True)):
        if key in given:
            raise ConfigError(f"{key} stands in the url and beside it; keep one of them")
    return f"{source.url}{'&' if query else '?'}{urlencode(given)}"


def _in_url(value: object) -> str:
    """Write a field as the URL has it: lists with commas, switches in small letters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, tuple) else str(value)
