"""What is told of a chain's newest block follows from the commits alone: no read of the store can fail it."""

from __future__ import annotations

import msgspec

from sprint.core.chains import display_hash
from sprint.core.model import GapData
from sprint.core.relay.event_log import Commit, EventLog
from sprint.tools.relay.view import ServiceView
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import block_commit, hash_at, opened, reorg_commit, row, status_commit

CHAIN = "bitcoin"


def view_without_a_store() -> ServiceView:
    store = opened(None, StoreSettings(durability="memory"))
    store.close()
    return ServiceView({}, store, [])


def test_a_block_delivered_is_the_newest_one() -> None:
    view, log = view_without_a_store(), EventLog("00" * 8, 0, {})
    for height in (1, 2):
        view.note(block_commit(log, CHAIN, height))
    view.note(status_commit(log, CHAIN))
    latest = view.latest(CHAIN)
    assert latest is not None
    assert (latest.height, latest.hash) == (2, display_hash(hash_at(CHAIN, 2)))


def test_a_head_that_is_not_delivered_leaves_the_newest_block_below_it() -> None:
    view, log = view_without_a_store(), EventLog("00" * 8, 0, {})
    view.note(Commit(CHAIN, blocks=(row(CHAIN, 7, state="anchored"),), head=hash_at(CHAIN, 7)))
    assert view.latest(CHAIN) is None
    delivered = block_commit(log, CHAIN, 8)
    gap = log.append(CHAIN, GapData(9, 9, "its body could not be had"))
    passed_over = row(CHAIN, 9, state="missing")
    view.note(
        msgspec.structs.replace(
            delivered,
            events=(*delivered.events, gap),
            blocks=(*delivered.blocks, passed_over),
            head=passed_over.hash,
        )
    )
    latest = view.latest(CHAIN)
    assert latest is not None
    assert (latest.height, latest.canonical) == (8, True)


def test_a_newest_block_that_left_the_best_branch_for_one_not_delivered_is_told_so() -> None:
    view, log = view_without_a_store(), EventLog("00" * 8, 0, {})
    for height in (1, 2, 3):
        view.note(block_commit(log, CHAIN, height))
    reorg = reorg_commit(log, CHAIN, 1, 3, 4, "b")
    view.note(msgspec.structs.replace(reorg, events=reorg.events[:1]))
    latest = view.latest(CHAIN)
    assert latest is not None
    assert (latest.height, latest.canonical) == (3, False)
    view.note(block_commit(log, CHAIN, 5, "b"))
    latest = view.latest(CHAIN)
    assert latest is not None
    assert (latest.height, latest.canonical) == (5, True)
