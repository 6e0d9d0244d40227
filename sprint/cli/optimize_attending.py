"""`sprint relay --optimize`: the command line alone composes the relay with its tuning."""

from __future__ import annotations

from typing import Any

from sprint.cli.optimize_asking import asked_of
from sprint.core.config import Resolved
from sprint.core.errors import ConfigError
from sprint.core.optimize.asked import find_level
from sprint.tools.optimize.applying import journal_folder_default
from sprint.tools.optimize.running import OptimizeAttendant

FLAG = "--optimize"


def level_flag(word: str | None) -> dict[str, tuple[str, Any]]:
    """Return the option by the key it sets; ConfigError where there is no such level."""
    if word is None:
        return {"optimize.level": (FLAG, None)}
    try:
        return {"optimize.level": (FLAG, find_level(word))}
    except ConfigError as error:
        raise ConfigError(f"{FLAG}: {error}") from error


def attendant_of(resolved: Resolved) -> OptimizeAttendant:
    """Return who tunes the relay of a config."""
    return OptimizeAttendant(
        asked_of(resolved),
        fallback=resolved.config.optimize.fallback,
        journal_folder=journal_folder_default(),
    )
