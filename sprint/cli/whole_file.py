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
        if not os.access(file, os.W_OK):
            raise ConfigError(f"{option} {file}: it is not writable for this user; name another one")
        return  # as /dev/stdout
    target = file.resolve()
    try:
        # What permissions say is not all: nobody makes a file in /proc, nor on a disk that is read only.
        _part_of(target).touch()
        _part_of(target).unlink()
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            f"{option} {file}: no file can be made in {target.parent}: {why}; name another one"
        ) from error


def write_whole(file: Path, data: bytes) -> None:
    """Write a file so that what stood there stays until the new one is complete."""
    if file.exists() and not file.is_file():
        file.write_bytes(data)  # as /dev/stdout, which nothing can take the place of
        return
    target = file.resolve()
    part = _part_of(target)
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part-{os.getpid()}")
