"""Where the last result of `sprint optimize bench` is kept: `recommend` reads it from there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sprint.core.errors import ConfigError
from sprint.core.optimize.bench_result import (
    RESULT_FILE,
    RESULT_SIZE_MAX,
    BenchResult,
    decode_result,
    encode_result,
)
from sprint.tools.xdg import base_folder


def result_path_default() -> Path:
    """Return the file in the user's state folder, as the XDG base directory specification has it."""
    return base_folder("XDG_STATE_HOME", os.environ) / "sprint" / "optimize" / RESULT_FILE


def keep(path: Path, result: BenchResult) -> None:
    """Write it, whole or not at all; ConfigError where the folder can't be written."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_bytes(encode_result(result))
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise ConfigError(f"{path}: the result can't be kept: {error.strerror or error}") from error


def read_result(path: Path) -> BenchResult | None:
    """Read it; None where nothing was measured yet, ConfigError where it can't be read."""
    try:
        with path.open("rb") as file:
            data = file.read(RESULT_SIZE_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    return decode_result(data, str(path))
