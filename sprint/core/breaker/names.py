"""What a breaker may be called: its name stands in logs, errors, metrics and paths."""

from __future__ import annotations

from sprint.core.errors import ConfigError

NAME_LENGTH_MAX = 256
SHOWN_LENGTH_MAX = 40
_FOLDED = (".", "..")  # dot segments, which RFC 3986 section 5.2.4 has removed from a path


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
    if name in _FOLDED:
        raise ConfigError(
            f"a breaker's name {name!r}: a client of the API folds it out of the path; want another"
        )
    return name
