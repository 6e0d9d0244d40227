"""The config's file: where it is looked for, how it is read, how it is written.

TOML is the form; YAML and JSON are read too, with the words of earlier papers translated.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from sprint.core.config.foreign import Translated, translate
from sprint.core.config.formats import table_of_json, table_of_toml
from sprint.core.errors import ConfigError
from sprint.tools.plugins import ChainCatalog
from sprint.tools.xdg import base_folder

CONFIG_SIZE_MAX = 1 << 20
TOML_SUFFIXES = ("", ".toml", ".conf")
JSON_SUFFIXES = (".json",)
YAML_SUFFIXES = (".yaml", ".yml")


class ReadConfig(NamedTuple):
    """A file as it was read: its table in this version's terms, and what was left out of it."""

    path: Path
    text: str
    translated: Translated

    @property
    def table(self) -> dict[str, Any]:
        return self.translated.table


def find_config(flag: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the file named by flag or SPRINT_CONFIG, else the first of the usual places that exists."""
    named = flag or (Path(environment["SPRINT_CONFIG"]) if environment.get("SPRINT_CONFIG") else None)
    if named is not None:
        return named.expanduser()
    home = base_folder("XDG_CONFIG_HOME", environment)
    usual = (Path("sprint.toml"), home / "sprint" / "sprint.toml", Path("/config/sprint.toml"))
    return next((path for path in usual if path.is_file()), None)


def read_config(path: Path) -> ReadConfig:
    """Read a file; ConfigError where it cannot be read or isn't of its form."""
    text = _text_of(path)
    suffix, name = path.suffix.lower(), str(path)
    if suffix in TOML_SUFFIXES:
        return ReadConfig(path, text, Translated(table_of_toml(text, name), ()))
    if suffix in JSON_SUFFIXES:
        table = table_of_json(text, name)
    elif suffix in YAML_SUFFIXES:
        # Loaded when it is met: the library takes as long to import as the relay's own start.
        table = importlib.import_module("sprint.core.config.yaml_text").table_of_yaml(text, name)
    else:
        known = ", ".join(filter(None, (*TOML_SUFFIXES, *JSON_SUFFIXES, *YAML_SUFFIXES)))
        raise ConfigError(f"{name}: a config's name ends with one of {known}")
    return ReadConfig(path, text, translate(table, _is_chain))


def write_config(path: Path, text: str) -> None:
    """Write a file whole or not at all; a link stays one, and the file keeps its mode."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error


def packaged_tiers_text() -> str:
    """Return the packaged table of tiers."""
    return resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")


def _text_of(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > CONFIG_SIZE_MAX:
            raise ConfigError(f"{path}: {size} bytes, limit {CONFIG_SIZE_MAX}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _is_chain(name: str) -> bool:
    try:
        ChainCatalog.installed().id_of(name)
    except ConfigError:
        return False
    return True
