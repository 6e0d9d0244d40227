"""The text of a config file to a table: TOML, or JSON; and a key as TOML has it.

YAML has a module of its own, read when it is met.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from sprint.core.errors import ConfigError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
NESTED_TOO_DEEPLY = "nested too deeply to be read"


def table_of_toml(text: str, name: str) -> dict[str, Any]:
    """Read TOML; ConfigError names the file and the place."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not valid TOML: {NESTED_TOO_DEEPLY}") from error


def table_of_json(text: str, name: str) -> dict[str, Any]:
    """Read a JSON object; ConfigError also where a key stands twice, of which one would go unseen."""
    try:
        table = json.loads(text, object_pairs_hook=_once_each)
    except RecursionError as error:
        raise ConfigError(f"{name}: not valid JSON: {NESTED_TOO_DEEPLY}") from error
    except ValueError as error:
        raise ConfigError(f"{name}: not valid JSON: {error}") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{name}: not a config: want an object, got {type(table).__name__}")
    return table


def key_text(name: str) -> str:
    """Return a key as TOML has it: bare, or quoted where it has to be, by what JSON escapes and DEL."""
    if _BARE_KEY.fullmatch(name):
        return name
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return table
