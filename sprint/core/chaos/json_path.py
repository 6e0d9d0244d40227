"""The part of JSONPath (RFC 9535) that a tolerance may use: members, items and wildcards.

    found("$.chains[0].status", value)

`$`, `.name`, `['name']`, `[0]`, `[-1]`, `.*` and `[*]`. What searches (`..`), filters (`?`), slices or names
several at once is refused by name, as half of it would be worse than none.
"""

from __future__ import annotations

import re
from typing import Any

from sprint.core.errors import ConfigError

PATH_LENGTH_MAX = 500
FOUND_MAX = 10_000

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*) | \['(?P<single>[^'\\]*)'\] | \["(?P<double>[^"\\]*)"\]
        | \[(?P<index>-?(?:0|[1-9]\d{0,8}))\] | (?P<any>\.\*|\[\*\])""",
    re.VERBOSE | re.ASCII,
)
_EACH = object()


def found(path: str, value: Any) -> list[Any]:
    """Return what a path names in a value, in order. ConfigError for a path that is not taken."""
    values = [value]
    for step in steps_of(path):
        values = [each for parent in values for each in _taken(step, parent)][:FOUND_MAX]
    return values


def steps_of(path: str) -> list[Any]:
    """Return the steps of a path. ConfigError names where it stops being one that is taken here."""
    text = path.strip()
    if len(text) > PATH_LENGTH_MAX:
        raise ConfigError(f"{len(text)} characters of path, limit {PATH_LENGTH_MAX}")
    if not text.startswith("$"):
        raise ConfigError(f"path {text!r}; want one that begins with $")
    steps: list[Any] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            known = ".name, ['name'], [0], .* and [*]"
            raise ConfigError(f"path {text!r}: {text[at:]!r} is not taken here; want steps of {known}")
        at = match.end()
        steps.append(_step(match))
    return steps


def _step(match: re.Match[str]) -> Any:
    if match["any"] is not None:
        return _EACH
    if match["index"] is not None:
        return int(match["index"])
    return next(match[group] for group in ("name", "single", "double") if match[group] is not None)


def _taken(step: Any, parent: Any) -> list[Any]:
    if step is _EACH:
        if isinstance(parent, dict):
            return list(parent.values())
        return parent if isinstance(parent, list) else []
    if isinstance(step, int):
        inside = isinstance(parent, list) and -len(parent) <= step < len(parent)
        return [parent[step]] if inside else []
    return [parent[step]] if isinstance(parent, dict) and step in parent else []
