"""`${name}` in an experiment, replaced by what `configuration` says, and that by the environment.

    "configuration": {"admin_url": {"type": "env", "key": "RELAY_ADMIN", "default": "http://127.0.0.1:8081"}}

A text that is one pattern becomes the value, of its type; within a longer text the value is put in as text. A
name that the configuration doesn't have stays as it stands, as it may be meant for a command. The result is
for running: it is not to be shown, since what the environment gave may be secret. Source: chaoslib's
`substitute` and `load_configuration`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sprint.core.chaos.experiment import Activity, Experiment, HttpProvider
from sprint.core.chaos.experiment_codec import activities_of, document_of, read_experiment
from sprint.core.chaos.plain_values import shown
from sprint.core.errors import ConfigError

TEXT_LENGTH_MAX = 64 * 1024
_NAMED = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII)
_TYPES = ("str", "int", "float", "bool", "json")
_NO = ("false", "0", "no")


def resolved(experiment: Experiment, environment: Mapping[str, str]) -> Experiment:
    """Return an experiment without patterns. ConfigError names what is missing, or was made wrong."""
    values = configuration_of(experiment.configuration, environment)
    document = document_of(experiment)
    if values:
        for key in ("steady-state-hypothesis", "method", "rollbacks"):
            if key in document:
                document[key] = _substituted(document[key], values)
    document["configuration"] = values
    made = read_experiment(document)
    for activity in activities_of(made):
        _refuse_open_pattern(activity, values)
    return made


def configuration_of(given: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the values by name. ConfigError for a variable that is not set and has no default."""
    return {name: _value(name, each, environment) for name, each in given.items()}


def _value(name: str, given: Any, environment: Mapping[str, str]) -> Any:
    if not isinstance(given, dict) or "type" not in given:
        return given
    path = f"configuration.{name}"
    if given["type"] != "env":
        raise ConfigError(f"{path}.type: {shown(given['type'])}; only `env` is done here, or a plain value")
    for key in given:
        if key not in ("type", "key", "default", "env_var_type"):
            raise ConfigError(f"{path}.{key}: no such key; want type, key, default, env_var_type")
    key = given.get("key")
    if not isinstance(key, str) or not key:
        raise ConfigError(f"{path}.key: {shown(key)}; want the name of an environment variable")
    if key not in environment:
        if "default" not in given:
            raise ConfigError(f"{path}: the environment has no {key}; set it, or give a `default`")
        return given["default"]
    return _typed(environment[key], given.get("env_var_type") or "str", path, key)


def _typed(text: str, type_: str, path: str, variable: str) -> Any:
    """Return a variable's text as the type that is asked for. What it was is not shown: it may be secret."""
    if type_ not in _TYPES:
        raise ConfigError(f"{path}.env_var_type: {shown(type_)}; want one of {', '.join(_TYPES)}")
    try:
        match type_:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return text.lower() not in _NO
            case "json":
                return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: the environment's {variable} is no {type_}") from error
    return text


def _substituted(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _substituted(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_substituted(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _NAMED.fullmatch(value)
    name = whole and (whole["bare"] or whole["braced"])
    if name and name in values:
        return values[name]
    made = _NAMED.sub(lambda match: _part(match, values), value)
    if len(made) > TEXT_LENGTH_MAX:
        raise ConfigError(f"{shown(value)} becomes {len(made)} characters, limit {TEXT_LENGTH_MAX}")
    return made


def _part(match: re.Match[str], values: Mapping[str, Any]) -> str:
    if match["dollar"]:
        return "$"
    name = match["bare"] or match["braced"]
    return str(values[name]) if name in values else match[0]


def _refuse_open_pattern(activity: Activity, values: Mapping[str, Any]) -> None:
    """A number or an address that is still a pattern can't be used; in arguments it may be meant."""
    provider = activity.provider
    left = [activity.pauses.before, activity.pauses.after]
    if isinstance(provider, HttpProvider):
        left += [provider.url] if _NAMED.match(provider.url) else []
        left += [provider.timeout] if isinstance(provider.timeout, str) else []
    for each in left:
        if isinstance(each, str):
            known = ", ".join(values) or "nothing"
            raise ConfigError(
                f"activity {activity.name!r}: {each} is not in `configuration`, which has {known}"
            )
