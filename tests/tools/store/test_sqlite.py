"""What is the embedded store's own: its file, its lock, and when its log goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sprint.core.errors import ConfigError, StoreError, StoreFailing
from sprint.tools.store import LogBounds
from sprint.tools.store.settings import Durability, StoreSettings
from tests.tools.store.commits import (
    block_commit,
    hash_at,
    log_of,
    opened,
)
from tests.tools.store.test_store import commit_all

DURABILITIES: tuple[Durability, ...] = ("process", "disk", "memory")


def left_unclean(path: Path, durability: Durability, boot_id: str) -> str:
    """Leave a log of two blocks as kill -9 would: what is in the files, without the mark of a clean stop."""
    store = opened(path.with_name("origin.db"), StoreSettings(durability=durability), boot_id=boot_id)
    log = log_of(store)
    commit_all(store, [block_commit(log, "bitcoin", height) for height in (1, 2)])
    for suffix in ("", "-wal"):
        path.with_name(path.name + suffix).write_bytes(path.with_name("origin.db" + suffix).read_bytes())
    store.close()
    return store.log_id


def test_another_boot_without_a_clean_stop_begins_a_new_log_and_keeps_the_blocks(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    old_id = left_unclean(path, "process", "boot-a")
    store = opened(path, boot_id="boot-b")
    assert store.log_id != old_id
    assert store.bounds() == LogBounds(0, 0)
    snapshot = store.snapshot("bitcoin", 10)
    assert [(block.height, block.state) for block in snapshot.blocks] == [(1, "delivered"), (2, "delivered")]
    assert (snapshot.head, snapshot.seq) == (hash_at("bitcoin", 2), 0)
    log = log_of(store)
    commit_all(store, [block_commit(log, "bitcoin", 3)])
    # The old blocks must not be given the new log's event at their old position.
    assert store.block_at("bitcoin", 1) is None
    third = store.block_at("bitcoin", 3)
    assert third is not None
    assert third.height == 3
    store.close()


@pytest.mark.parametrize(
    ("durability", "boot_id"), [("process", "boot-a"), ("disk", "boot-a"), ("disk", "boot-b")]
)
def test_the_log_goes_on_where_nothing_can_be_missing(
    tmp_path: Path, durability: Durability, boot_id: str
) -> None:
    path = tmp_path / "sprint.db"
    old_id = left_unclean(path, durability, "boot-a")
    store = opened(path, boot_id=boot_id)
    assert store.log_id == old_id
    assert store.bounds() == LogBounds(0, 2)
    store.close()


def test_an_unknown_boot_never_counts_as_the_same(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    old_id = left_unclean(path, "process", "")
    store = opened(path, boot_id="")
    assert store.log_id != old_id
    store.close()


def test_a_second_opener_is_refused_by_path_and_process(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    store = opened(path)
    with pytest.raises(StoreError, match=rf"sprint\.db is in use by process {os.getpid()}"):
        opened(path)
    store.close()
    opened(path).close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sprint.db"
    path.write_bytes(b"notes of mine\n" * 400)
    with pytest.raises(StoreFailing, match="not a database"):
        opened(path)
    assert path.read_bytes() == b"notes of mine\n" * 400


def test_durability_on_disk_needs_a_path() -> None:
    with pytest.raises(ConfigError, match="needs a file"):
        opened(None)


def test_memory_leaves_no_file(tmp_path: Path) -> None:
    store = opened(tmp_path / "sprint.db", StoreSettings(durability="memory"))
    log = log_of(store)
    commit_all(store, [block_commit(log, "bitcoin", 1)])
    assert len(store.read_events(0, 9, (), (), 9)) == 1
    store.close()
    assert list(tmp_path.iterdir()) == []
