"""Files that are written whole or not at all, and looked at before the work that fills them is begun."""

from __future__ import annotations

import os
from pathlib import Path

from sprint.core.errors import ConfigError


def check_writable(file: Path, option: str) -> None:
    """Raise ConfigError, naming the option, where a file cannot be written as far as that is known before."""
    if file.is_dir():
        raise ConfigError(f"{option} {file}: that is a folder; name a file in it")
    if not file.parent.is_dir():
        raise ConfigError(f"{option} {file}: there is no folder {file.parent}")
    if file.exists() and not file.is_file():
        return  # as /dev/stdout
    place = file if file.exists() else file.parent
    if not os.access(place, os.W_OK) or not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{option} {file}: {place} is not writable for this user; name another one")


def write_whole(file: Path, data: bytes) -> None:
    """Write a file so that what stood there stays until the new one is complete."""
    if file.exists() and not file.is_file():
        file.write_bytes(data)  # as /dev/stdout, which nothing can take the place of
        return
    target = file.resolve()
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
