"""Where settings come from on the command line: config file, environment, flags."""

from __future__ import annotations

import os
from pathlib import Path

from sprint.core.config import Config, parse_config
from sprint.core.errors import ConfigError

CONFIG_SIZE_MAX = 1 << 20


def load_config(flag: Path | None) -> Config:
    """Read the config that applies; ConfigError if one that was named cannot be read."""
    path = _config_path(flag)
    if path is None:
        return parse_config("", os.environ, "defaults")
    try:
        size = path.stat().st_size
        if size > CONFIG_SIZE_MAX:
            raise ConfigError(f"{path}: {size} bytes, limit {CONFIG_SIZE_MAX}")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return parse_config(text, os.environ, str(path))


def _config_path(flag: Path | None) -> Path | None:
    """Return the file named by flag or SPRINT_CONFIG, else the first of the usual places that exists."""
    named = flag or (Path(os.environ["SPRINT_CONFIG"]) if os.environ.get("SPRINT_CONFIG") else None)
    if named is not None:
        return named.expanduser()
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    usual = (Path("sprint.toml"), home / "sprint" / "sprint.toml", Path("/config/sprint.toml"))
    return next((path for path in usual if path.is_file()), None)


def data_dir(flag: Path | None, config: Config, *, devnet_only: bool) -> Path | None:
    """Return the folder for the store; None for a temporary one, which the devnet alone gets by default."""
    if flag is not None:
        return flag.expanduser()
    if config.relay.data_dir is not None:
        return Path(config.relay.data_dir).expanduser()
    if devnet_only:
        return None
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "sprint"
