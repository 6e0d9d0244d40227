"""What holds for the store's statements whatever they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sprint.core.relay.event_log import Commit
from sprint.tools import store
from sprint.tools.store.transaction import moved_blocks
from tests.tools.store.commits import hash_at, row

SOURCES = sorted(Path(store.__path__[0]).rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_placeholder_has_a_number_which_python_from_3_12_on_refuses_with_a_sequence(source: Path) -> None:
    assert re.findall(r"\?\d+", source.read_text(encoding="utf-8")) == []


def test_a_block_that_joins_the_branch_with_its_own_row_was_written_a_second_time() -> None:
    """On PostgreSQL that was half of what a block of a catch-up cost, in SQLite a search from the top."""
    left, joined, back = hash_at("bitcoin", 1, "b"), row("bitcoin", 1), row("bitcoin", 2, canonical=False)
    flags = ((left, False), (joined.hash, True), (back.hash, True))
    commit = Commit("bitcoin", (), (joined, back), canonical=flags)
    assert moved_blocks(commit) == {left: False, back.hash: True}
