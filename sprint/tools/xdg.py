"""Where a user's data, state, cache and configuration are: XDG Base Directory Specification, 0.8.

It asks that a relative path in one of its variables be ignored: else the folder would change with the one a
command is run in, and what one run wrote the next would not find.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

_DEFAULTS = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_CACHE_HOME": ".cache",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}
Variable = Literal["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"]


def base_folder(variable: Variable, environment: Mapping[str, str]) -> Path:
    """Return the folder that a variable names where that is absolute, else its default in the home folder."""
    named = Path(environment.get(variable, "")).expanduser()
    return named if named.is_absolute() else Path.home() / _DEFAULTS[variable]
