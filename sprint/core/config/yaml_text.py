"""YAML text to a table, by PyYAML's safe loader. No aliases: a few bytes of them stand for gigabytes."""

from __future__ import annotations

from typing import Any

import yaml

from sprint.core.config.formats import NESTED_TOO_DEEPLY
from sprint.core.errors import ConfigError

YAML_SIZE_MAX = 64 * 1024  # characters; the loader is slow, and configs are small
_TEXT_TAG = "tag:yaml.org,2002:str"


def table_of_yaml(text: str, name: str) -> dict[str, Any]:
    """Read a YAML mapping; ConfigError names the file and the place."""
    if len(text) > YAML_SIZE_MAX:
        raise ConfigError(f"{name}: {len(text)} characters of YAML, limit {YAML_SIZE_MAX}")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return {}
        _check(node, set())
        table = loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not valid YAML: {NESTED_TOO_DEEPLY}") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{name}: not a config: want a mapping, got {type(table).__name__}")
    return table


def _check(node: yaml.Node, seen: set[int]) -> None:
    """Refuse aliases, keys that stand twice and keys that are no text, before anything is made of them."""
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise ValueError(f"line {line} is used again by an alias, and those are not taken in a config")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if key.tag != _TEXT_TAG:
                raise ValueError(f"line {key.start_mark.line + 1}: a key is no text; quote it")
            if key.value in names:
                raise ValueError(f"line {key.start_mark.line + 1}: key {key.value!r} stands twice")
            names.add(key.value)
            _check(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check(value, seen)
