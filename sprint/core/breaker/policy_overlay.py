"""Some figures laid over a policy: what an operator changes of one breaker, taken whole or refused whole."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_table import check_policy, choices_said, kind_of, switched_off
from sprint.core.errors import ConfigError

SHOWN_LENGTH_MAX = 40
_AT = re.compile(r" - at `\$\.(.+)`$")


def policy_with(policy: Policy, fields: Mapping[str, Any]) -> Policy:
    """Return the policy with `fields` laid over it; records within are merged, and its name stays.

    Raises `ConfigError` for the first that cannot be, with the key, what it is and what would be right.
    """
    if "name" in fields:
        raise ConfigError("name: a policy keeps its name; leave it out")
    _check_keys("", fields, Policy)
    laid = _merged(msgspec.to_builtins(policy), switched_off(fields, Policy))
    try:
        found = msgspec.convert(laid, Policy)
    except msgspec.ValidationError as error:
        raise ConfigError(_said(str(error), laid)) from error
    try:
        return check_policy(found, "")
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix(".")) from error


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = (
            _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
        )
    return merged


def _check_keys(place: str, fields: Mapping[str, Any], record: type[msgspec.Struct]) -> None:
    known = {field.name: field.type for field in msgspec.structs.fields(record)}
    for key, value in fields.items():
        if key not in known:
            shown = ascii(place + key)[:SHOWN_LENGTH_MAX]
            settable = [name for name in known if name != "name"]
            near = difflib.get_close_matches(key[:SHOWN_LENGTH_MAX], settable, n=1)
            hint = f"did you mean {place}{near[0]}?" if near else f"there are {', '.join(settable)}"
            raise ConfigError(f"no key {shown}; {hint}")
        inner = known[key]
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(value, Mapping):
            _check_keys(f"{place}{key}.", value, inner)


def _said(error: str, laid: Mapping[str, Any]) -> str:
    """Turn msgspec's words into key, actual value and what is wanted."""
    found = _AT.search(error)
    if found is None:
        return error
    value = _value_at(laid, found[1])
    choices = choices_said(kind_of(found[1]), value)
    wanted = f"want {choices}" if choices else error[: found.start()].replace("Expected", "want", 1)
    return f"{found[1]}: {_shown(value)}; {wanted}"


def _value_at(laid: Mapping[str, Any], path: str) -> object:
    value: object = laid
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(value)[:SHOWN_LENGTH_MAX]
