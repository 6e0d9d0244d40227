"""The section of a config file that a command's options may stand in, and the flags laid over it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sprint.core.config.formats import table_of_json, table_of_toml
from sprint.core.config.yaml_text import table_of_yaml
from sprint.core.errors import ConfigError

CONFIG_SIZE_MAX = 1024 * 1024

Given = TypeVar("Given", bound=msgspec.Struct)


def given_of(kind: type[Given], section: str, file: Path | None, flags: Mapping[str, Any]) -> Given:
    """Lay the flags that were given, none of them None, over what a file says; ConfigError where wrong."""
    table = {} if file is None else _with_texts(kind, _section_of(file, section, kind.__struct_fields__))
    for key in table:
        if key not in kind.__struct_fields__:
            near = difflib.get_close_matches(key, kind.__struct_fields__, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{file}: unknown key {section}.{key}{hint}")
    try:
        in_file = msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        # None is what an option is that nobody gave; a file has no way to write it.
        why = str(error).replace(" | null", "")
        raise ConfigError(f"{file}: {section}: {why}") from error
    return msgspec.structs.replace(in_file, **{k: v for k, v in flags.items() if v is not None})


def _with_texts(kind: type[msgspec.Struct], table: dict[str, Any]) -> dict[str, Any]:
    """Return a section with numbers as text where a text is wanted, as `duration = 1`: a flag is one too."""
    texts = {field.name for field in msgspec.structs.fields(kind) if field.type in {str, str | None}}
    return {
        name: str(value) if name in texts and type(value) in {int, float} else value
        for name, value in table.items()
    }


def _section_of(file: Path, section: str, options: Collection[str]) -> dict[str, Any]:
    """Read the section of a file in TOML, JSON or YAML; options are spelt with - or _.

    What stands beside the section is of other commands, but none of its options and not all there is.
    """
    text = _text_of(file)
    suffix = file.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        whole = table_of_yaml(text, str(file))
    else:
        whole = table_of_json(text, str(file)) if suffix == ".json" else table_of_toml(text, str(file))
    for key, value in whole.items():
        if str(key).replace("-", "_") in options and not isinstance(value, dict) and key != section:
            raise ConfigError(f"{file}: {key} stands outside of [{section}]; write it under that line")
    if section not in whole:
        raise ConfigError(f"{file}: there is no [{section}] in it; write the options under that line")
    found = whole[section]
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: {section} is not a table")
    return {str(key).replace("-", "_"): value for key, value in found.items()}


def _text_of(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--config {file}: {error.strerror or error}") from error
    if len(data) > CONFIG_SIZE_MAX:
        raise ConfigError(f"--config {file}: {len(data)} bytes, limit {CONFIG_SIZE_MAX}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"--config {file}: not UTF-8: {error}") from error
