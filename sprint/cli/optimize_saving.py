"""Writes a level and its fields into `[optimize]` of the config file, for `sprint optimize apply --save`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sprint.cli.optimize_output import say

if TYPE_CHECKING:
    from sprint.core.optimize.asked import Asked


def check_saving(config: Path | None, wanted: Asked) -> None:
    """ConfigError where what is asked for could not be saved: it is told before anything is applied."""
    _edited(config, wanted)


def save_level(config: Path | None, wanted: Asked) -> None:
    """Write what was asked for; ConfigError where the file could not be read with it, and then it stays."""
    from sprint.tools.relay.config_file import write_config

    # Edited anew: since it was checked a command may have run for days, and somebody changed the file.
    path, edited = _edited(config, wanted)
    write_config(path, edited)
    say(
        f"saved in {path}: [optimize] level = {wanted.level}"
        + "".join(f", {name} = {value}" for name, value in _changes(wanted).items())
    )


def _changes(wanted: Asked) -> dict[str, Any]:
    return {name: getattr(wanted.fields, name) for name in wanted.changes}


def _edited(config: Path | None, wanted: Asked) -> tuple[Path, str]:
    """Return the file and what would stand in it; ConfigError where that may not be, or can't be written."""
    import msgspec

    from sprint.cli.optimize_asking import layers_of_new
    from sprint.cli.settings import problems_of
    from sprint.core.config.formats import table_of_toml
    from sprint.core.config.toml_text import set_in_text
    from sprint.core.errors import ConfigError

    path, edited = _file_to_write(config)
    for name, value in {"level": wanted.level, **_changes(wanted)}.items():
        edited = set_in_text(edited, ("optimize", name), value).text
    layers = layers_of_new(str(path))
    problems = problems_of(msgspec.structs.replace(layers, table=table_of_toml(edited, str(path))))
    if problems:
        raise ConfigError(f"--save: not written, as it would not be valid: {problems[0]}")
    return path, edited


def _file_to_write(config: Path | None) -> tuple[Path, str]:
    """Return the file and its text, empty where it was named and isn't there yet."""
    from sprint.core.errors import ConfigError
    from sprint.tools.relay.config_file import TOML_SUFFIXES, find_config, read_config

    path = find_config(config, os.environ)
    if path is None:
        raise ConfigError("--save: there is no config file; name one to write with --config FILE")
    if path.suffix.lower() not in TOML_SUFFIXES:
        raise ConfigError(
            f"--save: {path}: only TOML is written; `sprint relay config convert {path}` makes it"
        )
    if not os.access(path.resolve().parent, os.W_OK | os.X_OK):
        raise ConfigError(
            f"--save: {path}: this user may not write into its folder; name another by --config"
        )
    return path, read_config(path).text if path.exists() else ""
