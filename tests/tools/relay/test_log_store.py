"""Where a relay's log is kept: with the devnet in a store that is made for it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sprint.core.config import StoreSection
from sprint.core.errors import StoreMismatch
from sprint.tools.relay.log_store import LogPlace, open_log_store


def place(folder: Path) -> LogPlace:
    section = StoreSection(auto_migrate=False)
    return LogPlace(folder=folder, section=section, durability="process", history_s=60.0)


async def open_and_close(folder: Path, *, demo: bool) -> None:
    async with AsyncExitStack() as stack:
        open_log_store(place(folder), stack, demo=demo).close()


def test_the_devnets_temporary_store_is_migrated_whatever_is_said_of_others(tmp_path: Path) -> None:
    """With --no-auto-migrate it was refused, and nobody could have migrated it before."""
    asyncio.run(open_and_close(tmp_path, demo=True))
    with pytest.raises(StoreMismatch, match="run `sprint migrate up`"):
        asyncio.run(open_and_close(tmp_path, demo=False))
