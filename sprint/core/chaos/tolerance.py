"""Tolerances: what a probe of the steady state must give.

| tolerance | holds for |
| true, 5, "ok" | the same value; a whole number also an answer or a command with that `status` |
| [1, 5] | a value between the two, both included; an answer whose `status` is one of them |
| [1, 2, 3] | one of them |
| {"type": "range", "range": [1, 5]} | a number between |
| {"type": "regex", "pattern": "…"} | a text in which the pattern is found |
| {"type": "jsonpath", "path": "$.a[0]"} | where the path names something;
    with `expect`, just that; with `count`, so many |

The last three take `target`: the part of an answer that is meant, such as `body`. Source: chaoslib's
`within_tolerance`. A probe as a tolerance is refused.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from sprint.core.chaos.json_path import found, steps_of
from sprint.core.chaos.plain_values import shown
from sprint.core.errors import ConfigError

PATTERN_LENGTH_MAX = 1_000
# A stranger's pattern may take a time that grows with the square of the text and worse.
SEARCHED_LENGTH_MAX = 64 * 1024

_KEYS = {
    "range": ("type", "range", "target"),
    "regex": ("type", "pattern", "target"),
    "jsonpath": ("type", "path", "target", "expect", "count"),
}


def check_tolerance(tolerance: Any, path: str) -> None:
    """Raise ConfigError, which begins with `path`, for a tolerance that can't be or isn't done here."""
    if isinstance(tolerance, dict):
        _check_typed(tolerance, path)
    elif not isinstance(tolerance, bool | int | str | list):
        wanted = 'a whole number; for others take {"type": "range", "range": [least, most]}'
        raise ConfigError(f"{path}: {shown(tolerance)}; want true, false, a text, a list, {wanted}")


def within(tolerance: Any, value: Any) -> bool:
    """Tell whether a probe's value is tolerated. A value that can't be compared is not."""
    if isinstance(tolerance, dict):
        return _within_typed(tolerance, value)
    status = value.get("status") if isinstance(value, dict) else None
    if isinstance(tolerance, list):
        if status is not None:
            return status in tolerance
        return _between(tolerance, value) if len(tolerance) == 2 else value in tolerance
    if isinstance(tolerance, int) and not isinstance(tolerance, bool) and status is not None:
        return bool(status == tolerance)
    return bool(value == tolerance)


def _check_typed(tolerance: dict[str, Any], path: str) -> None:
    type_ = tolerance.get("type")
    if type_ == "probe":
        raise ConfigError(f"{path}: a probe as a tolerance is not done here; want a range, regex or jsonpath")
    known = _KEYS.get(str(type_))
    if known is None:
        raise ConfigError(f"{path}.type: {shown(type_)}; want range, regex or jsonpath")
    for key in tolerance:
        if key not in known:
            raise ConfigError(f"{path}.{key}: no such key; want one of {', '.join(known)}")
    if not isinstance(tolerance.get("target", ""), str):
        raise ConfigError(f"{path}.target: {shown(tolerance['target'])}; want a text")
    if type_ == "range":
        _check_range(tolerance.get("range"), path)
    elif type_ == "regex":
        _check_regex(tolerance.get("pattern"), path)
    else:
        _check_path(tolerance, path)


def _check_range(bounds: Any, path: str) -> None:
    whole = isinstance(bounds, list) and len(bounds) == 2
    if not whole or any(isinstance(each, bool) or not isinstance(each, int | float) for each in bounds):
        raise ConfigError(f"{path}.range: {shown(bounds)}; want two numbers, the least and the most")


def _check_regex(pattern: Any, path: str) -> None:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= PATTERN_LENGTH_MAX:
        raise ConfigError(f"{path}.pattern: {shown(pattern)}; want 1 to {PATTERN_LENGTH_MAX} characters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"{path}.pattern: {shown(pattern)} is no regular expression: {error}") from error


def _check_path(tolerance: dict[str, Any], path: str) -> None:
    text, count = tolerance.get("path"), tolerance.get("count")
    if not isinstance(text, str):
        raise ConfigError(f"{path}.path: {shown(text)}; want a path as $.status")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        raise ConfigError(f"{path}.count: {shown(count)}; want a whole number from 0 on")
    try:
        steps_of(text)
    except ConfigError as error:
        raise ConfigError(f"{path}.path: {error}") from error


def _within_typed(tolerance: dict[str, Any], value: Any) -> bool:
    target = tolerance.get("target")
    if target and isinstance(value, dict):
        value = value.get(target, value)
    match tolerance.get("type"):
        case "range":
            return _between(tolerance["range"], _number(value))
        case "regex":
            text = value[:SEARCHED_LENGTH_MAX] if isinstance(value, str) else None
            return text is not None and re.search(tolerance["pattern"], text) is not None
        case _:
            return _path_holds(tolerance, value)


def _path_holds(tolerance: dict[str, Any], value: Any) -> bool:
    values = found(tolerance["path"], _json(value))
    if "expect" in tolerance:
        expect = tolerance["expect"]
        return values == (expect if isinstance(expect, list) else [expect])
    count = tolerance.get("count")
    return bool(values) if count is None else len(values) == count


def _between(bounds: list[Any], value: Any) -> bool:
    try:
        return bool(bounds[0] <= value <= bounds[1])
    except (TypeError, InvalidOperation):
        return False


def _number(value: Any) -> Any:
    """Return a value as a number; a text of digits is one to the toolkit."""
    try:
        return Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
