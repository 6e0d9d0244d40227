"""Where settings come from on the command line: config file, environment, flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sprint.core.config import (
    Config,
    Layers,
    Origin,
    Resolved,
    Setting,
    resolve,
    sections_by_chain,
    sources_of,
)
from sprint.core.config.breakers import check_breaker_names
from sprint.core.config.change import Values, running_values
from sprint.core.config.resolve import try_resolve
from sprint.core.errors import ConfigError
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.breaker.registry import packaged_texts
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.config_file import find_config, packaged_tiers_text, read_config
from sprint.tools.xdg import base_folder

if TYPE_CHECKING:
    from sprint.tools.relay.config_reload import Loading

DEFAULTS_NAME = "defaults"
FLAG = "--source"
# Options by the key they set, as ("--host", "::1"); None is the value of one that was not given.
Flags = Mapping[str, tuple[str, Any]]


class Loaded(NamedTuple):
    """The config that holds, and the file it was read from if there is one."""

    resolved: Resolved
    path: Path | None


def layers_of(config: Path | None, flags: Flags = MappingProxyType({})) -> tuple[Layers, Path | None]:
    """Read the file that applies; ConfigError if one that was named cannot be read."""
    path = find_config(config, os.environ)
    read = read_config(path) if path is not None else None
    layers = Layers(
        table=read.table if read is not None else {},
        name=str(path) if path is not None else DEFAULTS_NAME,
        environment=dict(os.environ),
        flags=tuple(
            Setting(key, value, Origin("flag", option))
            for key, (option, value) in flags.items()
            if value is not None
        ),
        tiers_text=packaged_tiers_text(),
        policies=packaged_texts(),
        notes=read.translated.notes if read is not None else (),
    )
    return layers, path


def load_settings(config: Path | None, flags: Flags = MappingProxyType({})) -> Loaded:
    """Return the config that holds; ConfigError where it cannot be."""
    layers, path = layers_of(config, flags)
    return Loaded(resolve(layers), path)


def check_names(resolved: Resolved, sources: tuple[str, ...] = ()) -> tuple[SourceSpec, ...]:
    """Return all sources; ConfigError where the config names a chain that there isn't, or a source twice."""
    catalog = ChainCatalog.installed()
    sections_by_chain(resolved.config, catalog.id_of)
    check_breaker_names(resolved.breakers, catalog.id_of)
    specs = sources_of(resolved.config, sources)
    for spec in specs:
        try:
            catalog.find(spec.chain, spec.network)
        except ConfigError as error:  # of the file's sources the chain was looked up above
            raise ConfigError(f"{FLAG} {spec.name}: {error}") from error
    return specs


def loading_of(loaded: Loaded, flags: Flags, sources: tuple[str, ...], *, quiet: bool) -> Loading:
    """Return how the config is read again while the relay runs, under the flags that it was started with."""
    from sprint.tools.relay.config_reload import Loading

    def values(found: Loaded) -> Values:
        try:
            specs = check_names(found.resolved, sources)
        except ConfigError as error:
            place = "" if str(error).startswith(FLAG) else f"{found.path or DEFAULTS_NAME}: "
            raise ConfigError(f"{place}{error}") from error
        return running_values(found.resolved, specs, quiet=quiet)

    return Loading(loaded.path, values(loaded), lambda: values(load_settings(loaded.path, flags)))


def problems_of(layers: Layers) -> list[str]:
    """Return all that is wrong with a config."""
    resolved, problems = try_resolve(layers)
    if resolved is not None:
        try:
            check_names(resolved)
        except ConfigError as error:
            problems = [f"{layers.name}: {error}"]
    return problems


def data_dir(config: Config, *, devnet_only: bool) -> Path | None:
    """Return the folder for the store; None for a temporary one, which the devnet alone gets by default."""
    if config.relay.data_dir is not None:
        return Path(config.relay.data_dir).expanduser()
    if devnet_only:
        return None
    return base_folder("XDG_DATA_HOME", os.environ) / "sprint"
