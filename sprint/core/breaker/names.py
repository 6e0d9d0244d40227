"""What a breaker may be called: its name stands in logs, errors, metrics and paths."""

from __future__ import annotations

from sprint.core.errors import ConfigError

NAME_LENGTH_MAX = 256
SHOWN_LENGTH_MAX = 40


def check_name(name: object) -> str:
    """Return a breaker's name, or raise `ConfigError` where it can't be one."""
    if not isinstance(name, str):
        raise ConfigError(f"a breaker's name {ascii(name)[:SHOWN_LENGTH_MAX]}: want a str")
    if len(name) > NAME_LENGTH_MAX:
        raise ConfigError(f"a breaker's name of {len(name)} characters, limit {NAME_LENGTH_MAX}; shorten it")
    if not name.strip() or not name.isprintable():
        raise ConfigError(
            f"a breaker's name {ascii(name)[:SHOWN_LENGTH_MAX]}: want printable characters, not all blank"
        )
    return name
