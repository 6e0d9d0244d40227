"""Where a relay's log is kept: with the devnet in a store that is made for it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from sprint.core.config import StoreSection
from sprint.core.errors import StoreMismatch
from sprint.tools.relay.log_store import LogPlace, open_log_store


def place(folder: Path) -> LogPlace:
    section = StoreSection(auto_migrate=False)
    return LogPlace(folder=folder, section=section, durability="process", history_s=60.0)


def test_the_devnets_temporary_store_is_migrated_whatever_is_said_of_others(tmp_path: Path) -> None:
    """With --no-auto-migrate it was refused, and nobody could have migrated it before."""
    with ExitStack() as stack:
        open_log_store(place(tmp_path), stack, demo=True).close()
    with ExitStack() as stack, pytest.raises(StoreMismatch, match="run `sprint migrate up`"):
        open_log_store(place(tmp_path), stack, demo=False)
