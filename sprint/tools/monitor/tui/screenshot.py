"""A picture of the screen, as a file beside where the monitor was started."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path


async def save_screenshot(svg: str, folder: Path, now_unix_s: float) -> Path:
    """Write a picture under the time's name, with a number where that is taken; OSError where it can't."""
    stamp = datetime.fromtimestamp(now_unix_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    return await asyncio.to_thread(_write, svg, folder, stamp)


_SAME_SECOND_MAX = 100


def _write(svg: str, folder: Path, stamp: str) -> Path:
    for number in range(_SAME_SECOND_MAX):
        path = folder / f"cb-monitor-{stamp}{f'-{number}' if number else ''}.svg"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(svg)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{_SAME_SECOND_MAX} pictures of {stamp} are there already")
