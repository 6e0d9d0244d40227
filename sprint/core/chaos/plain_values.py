"""Values as JSON has them: what a document may be made of, and how one is shown in an error."""

from __future__ import annotations

import math
from typing import Any

from sprint.core.errors import ConfigError

NESTING_MAX = 16
VALUES_MAX = 20_000
SHOWN_LENGTH_MAX = 60


def check_plain(document: Any) -> None:
    """Raise ConfigError for what JSON doesn't have, and beyond VALUES_MAX values or NESTING_MAX levels."""
    count = 0
    # What is to be looked at, by hand: recursion over a stranger's file would end where Python's does.
    waiting: list[tuple[Any, str, int]] = [(document, "", 0)]
    while waiting:
        value, path, depth = waiting.pop()
        count += 1
        if count > VALUES_MAX:
            raise ConfigError(f"the document has more than {VALUES_MAX} values; want fewer")
        if depth > NESTING_MAX:
            raise ConfigError(f"{path}: nested {depth} levels deep, limit {NESTING_MAX}")
        waiting.extend(_within(value, path, depth + 1))


def shown(value: Any) -> str:
    """Return a value for an error, cut to SHOWN_LENGTH_MAX."""
    if value is None:
        return "nothing"
    text = ascii(value)
    return text if len(text) <= SHOWN_LENGTH_MAX else f"{text[: SHOWN_LENGTH_MAX - 1]}…"


def _within(value: Any, path: str, depth: int) -> list[tuple[Any, str, int]]:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ConfigError(f"{path or 'the document'}: key {shown(key)} is no text; quote it")
        return [(each, f"{path}.{key}" if path else key, depth) for key, each in value.items()]
    if isinstance(value, list):
        return [(each, f"{path}[{number}]", depth) for number, each in enumerate(value)]
    if value is None or isinstance(value, bool | str | int):
        return []
    if isinstance(value, float) and math.isfinite(value):
        return []
    raise ConfigError(f"{path}: {shown(value)}; want a text, a finite number, true, false or null")
