"""A store keeps what it reported and gives it back as it was, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprint.core.chains import display_hash
from sprint.core.errors import StoreError, StoreForeign
from sprint.core.relay.event_log import Commit
from sprint.tools.store import LogBounds, Store
from sprint.tools.store.settings import Durability, StoreSettings
from tests.tools.store.commits import (
    GENESIS,
    Answers,
    block_commit,
    block_data,
    hash_at,
    log_of,
    opened,
    reorg_commit,
    row,
    status_commit,
)
from tests.tools.store.homes import Home, begin_anew, home_of

# `disk` is `process` in PostgreSQL.
STORES: tuple[tuple[str, Durability], ...] = (
    ("sqlite", "process"),
    ("sqlite", "disk"),
    ("sqlite", "memory"),
    ("postgres", "process"),
    ("postgres", "memory"),
)


@pytest.fixture(params=STORES, ids=" ".join)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    kind, durability = request.param
    store = home_of(kind, request).opened(StoreSettings(durability=durability))
    yield store
    store.close()


def commit_all(store: Store, commits: list[Commit]) -> None:
    answers = Answers()
    store.start(answers)
    for commit in commits:
        store.submit(commit)
    assert answers.wait_in(len(commits)) == commits


def test_events_come_back_as_they_were_committed(store: Store) -> None:
    log = log_of(store)
    commits = [
        block_commit(log, "bitcoin", 1),
        status_commit(log, "litecoin"),
        block_commit(log, "litecoin", 1),
        block_commit(log, "bitcoin", 2),
    ]
    commit_all(store, commits)
    events = [event for commit in commits for event in commit.events]
    assert store.read_events(0, 99, (), (), 99) == events
    assert store.read_events(1, 3, (), (), 99) == events[1:3]
    assert store.read_events(0, 99, ("litecoin",), (), 99) == events[1:3]
    assert store.read_events(0, 99, ("litecoin", "bitcoin"), ("block",), 2) == [events[0], events[2]]
    assert store.bounds() == LogBounds(0, 4)


def test_an_empty_store_has_empty_bounds_and_snapshots(store: Store) -> None:
    snapshot = store.snapshot("bitcoin", 100)
    assert (snapshot.blocks, snapshot.head, snapshot.seq) == ((), None, 0)
    assert store.bounds() == LogBounds(0, 0)
    assert store.block_at("bitcoin", 0) is None
    assert store.block_by_hash("00" * 32) == []
    assert store.blocks_before("bitcoin", 10, 10) == []


def test_a_reorg_moves_the_best_branch_and_keeps_the_side_branch(store: Store) -> None:
    log = log_of(store)
    commits = [block_commit(log, "bitcoin", height) for height in range(1, 6)]
    commits.append(reorg_commit(log, "bitcoin", fork=3, old_tip=5, new_tip=6, branch="b"))
    commit_all(store, commits)
    snapshot = store.snapshot("bitcoin", 100)
    assert snapshot.head == hash_at("bitcoin", 6, "b")
    assert snapshot.seq == 9
    by_hash = {block.hash: block for block in snapshot.blocks}
    assert len(by_hash) == 8
    for height in (4, 5):
        assert by_hash[hash_at("bitcoin", height)].canonical is False
        at = store.block_at("bitcoin", height)
        assert at is not None
        assert at.hash == display_hash(hash_at("bitcoin", height, "b"))
        (removed,) = store.block_by_hash(display_hash(hash_at("bitcoin", height)))
        assert (removed.canonical, removed.height) == (False, height)
    below = store.blocks_before("bitcoin", 6, 3)
    assert [block.height for block in below] == [5, 4, 3]
    assert below[0].event_body == commits[-1].events[2].body


def test_a_snapshot_holds_the_rows_as_given_and_ends_below_the_head(store: Store) -> None:
    rows = [
        row("bitcoin", 1, state="anchored"),
        row("bitcoin", 2, state="anchored"),
        row("bitcoin", 3, state="missing"),
        row("bitcoin", 4, "b", state="held", canonical=False),
        row("bitcoin", 4),
    ]
    commit_all(store, [Commit("bitcoin", blocks=tuple(rows), head=rows[-1].hash)])
    assert store.snapshot("bitcoin", 2).blocks == tuple(rows[1:])
    assert store.snapshot("bitcoin", 0).blocks == tuple(rows[3:])


def test_a_held_block_that_is_delivered_later_gets_its_event(store: Store) -> None:
    log = log_of(store)
    held = row("bitcoin", 2, "b", state="held", canonical=False)
    commits = [
        block_commit(log, "bitcoin", 1),
        block_commit(log, "bitcoin", 2),
        Commit("bitcoin", blocks=(held,)),
    ]
    later = reorg_commit(log, "bitcoin", fork=1, old_tip=2, new_tip=3, branch="b")
    commit_all(store, [*commits, later])
    (found,) = store.block_by_hash(display_hash(held.hash))
    assert (found.canonical, found.event_body) == (True, later.events[1].body)


@pytest.mark.parametrize("group", [1, 2, 9])
def test_the_later_commit_decides_the_branch_of_a_block(home: Home, group: int) -> None:
    block = row("bitcoin", 1)
    commits = [
        Commit("bitcoin", blocks=(block,)),
        Commit("bitcoin", canonical=((block.hash, False),)),
        Commit("bitcoin", blocks=(block,)),
        Commit("bitcoin", canonical=((block.hash, False),)),
        Commit("bitcoin", canonical=((block.hash, True),)),
    ]
    expected = {2: False, 3: True, 4: False, 5: True}
    for upto, canonical in expected.items():
        begin_anew(home)
        store = home.opened(StoreSettings(group_commits_max=group))
        for commit in commits[:upto]:
            store.submit(commit)
        answers = Answers()
        store.start(answers)
        answers.wait_in(upto)
        assert [found.canonical for found in store.snapshot("bitcoin", 9).blocks] == [canonical]
        store.close()


def test_an_event_belongs_to_the_block_of_the_best_branch_at_its_height(store: Store) -> None:
    log = log_of(store)
    good = block_commit(log, "bitcoin", 5)
    left = row("bitcoin", 5, "b", canonical=False)
    joined = row("bitcoin", 6, canonical=False)
    event = log.append("bitcoin", block_data(joined))
    both = Commit(
        "bitcoin",
        (*good.events, event),
        (left, *good.blocks, joined, row("bitcoin", 6, "b")),
        canonical=((joined.hash, True), (hash_at("bitcoin", 6, "b"), False)),
        head=joined.hash,
    )
    commit_all(store, [both])
    assert store.block_by_hash(display_hash(good.blocks[0].hash))[0].canonical
    assert store.block_by_hash(display_hash(joined.hash))[0].canonical
    at = store.block_at("bitcoin", 6)
    assert at is not None
    assert at.event_body == event.body


def test_the_same_hash_on_two_chains_is_found_on_both(store: Store) -> None:
    log = log_of(store)
    first = block_commit(log, "bitcoin", 7)
    block = row("bitcoin", 7)
    twin = Commit("bitcoin-fork", first.events, (block,))
    twin_events = tuple(
        type(event)(2, "bitcoin-fork", 1, event.type, event.cursor, event.body, event.hash, event.height)
        for event in first.events
    )
    twin_row = type(block)(
        "bitcoin-fork", block.hash, block.parent, 7, block.work, block.header, "delivered", canonical=True
    )
    twin = Commit("bitcoin-fork", twin_events, (twin_row,))
    commit_all(store, [first, twin])
    assert [found.chain for found in store.block_by_hash(display_hash(block.hash))] == [
        "bitcoin",
        "bitcoin-fork",
    ]


def test_a_restart_goes_on_with_log_position_and_seq(home: Home) -> None:
    first = home.opened()
    log = log_of(first)
    commit_all(first, [block_commit(log, "bitcoin", height) for height in (1, 2)])
    first.close()
    second = home.opened()
    assert second.log_id == first.log_id
    log = log_of(second)
    commit_all(second, [block_commit(log, "bitcoin", 3)])
    assert [(event.position, event.seq) for event in second.read_events(0, 9, (), (), 9)] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    second.close()


def test_a_chain_of_another_genesis_is_refused(store: Store) -> None:
    store.bind_chain("bitcoin", GENESIS)
    store.bind_chain("bitcoin", GENESIS)
    store.bind_chain("litecoin", b"\x01" * 32)
    with pytest.raises(StoreForeign, match="bitcoin with genesis 00"):
        store.bind_chain("bitcoin", b"\x02" * 32)


def test_readers_see_whole_commits_while_the_writer_writes(store: Store) -> None:
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    count, width = 60, 4
    for number in range(count):
        fork = number * width
        store.submit(reorg_commit(log, "bitcoin", fork, fork, fork + width, ""))
    looks = 0
    while store.in_flight or looks == 0:
        looks += 1
        bounds = store.bounds()
        assert bounds.latest % (width + 1) == 0
        assert len(store.read_events(0, bounds.latest, (), (), 10_000)) == bounds.latest
        snapshot = store.snapshot("bitcoin", 10_000)
        assert len(snapshot.blocks) % width == 0
        assert snapshot.head == (snapshot.blocks[-1].hash if snapshot.blocks else None)
    assert len(answers.wait_in(count)) == count


def test_close_commits_what_was_submitted_even_if_never_started(home: Home) -> None:
    store = home.opened()
    log = log_of(store)
    for height in range(1, 50):
        store.submit(block_commit(log, "bitcoin", height))
    assert store.in_flight == 49
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.submit(block_commit(log, "bitcoin", 50))
    with pytest.raises(StoreError, match="closed"):
        store.bounds()
    again = home.opened()
    assert again.bounds() == LogBounds(0, 49)
    again.close()


# What a random pipeline does: a new block on a chain, a status, or a reorg of the newest block.
STEPS = st.lists(st.tuples(st.sampled_from("bl"), st.sampled_from(("block", "status", "reorg"))), max_size=40)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, group=st.integers(1, 8))
def test_any_run_of_commits_comes_back_in_order_and_as_if_one_by_one(
    home: Home, steps: list[tuple[str, str]], group: int
) -> None:
    """Whatever the groups, the result is that of the embedded store in memory, commit by commit."""
    begin_anew(home)
    store: Store = home.opened(StoreSettings(durability="memory", group_commits_max=group))
    one_by_one = opened(None, StoreSettings(durability="memory", group_commits_max=1))
    with closing(store), closing(one_by_one):
        log = log_of(store, "bl")
        tips = {"b": 0, "l": 0}
        commits: list[Commit] = []
        for number, (chain, step) in enumerate(steps):
            if step == "status":
                commits.append(status_commit(log, chain))
            elif step == "block" or tips[chain] == 0:
                tips[chain] += 1
                commits.append(block_commit(log, chain, tips[chain]))
            else:
                tip = tips[chain]
                block = row(chain, tip + 1, f"r{number}")
                tips[chain] += 1
                flags = ((hash_at(chain, 1), number % 2 == 0),)
                known = any(hash_at(chain, 1) == old.hash for commit in commits for old in commit.blocks)
                commits.append(Commit(chain, (), (block,), canonical=flags if known else (), head=block.hash))
        for target in (store, one_by_one):
            for commit in commits:
                target.submit(commit)
            answers = Answers()
            target.start(answers)
            assert answers.wait_in(len(commits)) == commits
        events = [event for commit in commits for event in commit.events]
        assert store.read_events(0, 10_000, (), (), 10_000) == events
        for chain in "bl":
            assert store.snapshot(chain, 10_000) == one_by_one.snapshot(chain, 10_000)
