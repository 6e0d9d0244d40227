"""`finalized` by depth: the newest block so deep, after its block, never for a lower height again."""

from __future__ import annotations

import pytest

from sprint.core.chains import display_hash
from sprint.core.relay.finality import Finality
from sprint.core.relay.settings import ChainSettings
from tests.core.relay.driving import Blocks, Driver, begun, shown

DEPTH = 3
SETTINGS = ChainSettings(finality_depth=DEPTH)


def test_each_block_is_final_once_it_has_its_confirmations_and_after_it_was_delivered() -> None:
    blocks = Blocks()
    driver = begun(blocks, SETTINGS)
    hashes = blocks.mine(5)
    driver.follow("a", hashes)
    told = driver.told("block", "finalized")
    assert [(type(event.data).__name__, event.data.height) for event in told] == [
        ("BlockData", 1), ("BlockData", 2), ("BlockData", 3), ("FinalizedData", 1),
        ("BlockData", 4), ("FinalizedData", 2), ("BlockData", 5), ("FinalizedData", 3),
    ]  # fmt: skip
    assert [event.data.hash for event in told if not hasattr(event.data, "parent")] == shown(hashes[:3])


def test_a_head_that_moves_by_several_blocks_makes_the_newest_final_alone() -> None:
    blocks = Blocks()
    driver = begun(blocks, SETTINGS)
    hashes = blocks.mine(6)
    driver.headers("a", hashes)
    for block_hash in reversed(hashes):
        driver.body("a", block_hash)
    assert [event.data.height for event in driver.told("finalized")] == [4]


@pytest.mark.parametrize("depth", [1, 2])
def test_no_height_is_final_twice_nor_lower_than_before_through_a_deeper_reorg(depth: int) -> None:
    blocks = Blocks()
    driver = begun(blocks, ChainSettings(finality_depth=depth))
    trunk = blocks.mine(2)
    old = blocks.mine(4, on=trunk[-1])
    new = blocks.mine(7, on=trunk[-1])
    driver.follow("a", trunk + old)
    driver.follow("a", new)
    heights = [event.data.height for event in driver.told("finalized")]
    assert heights == sorted(set(heights))
    assert heights[-1] == 9 - depth + 1


def test_what_was_final_before_a_restart_is_not_told_again_and_the_next_is() -> None:
    blocks = Blocks()
    driver = begun(blocks, SETTINGS)
    hashes = blocks.mine(6)
    driver.follow("a", hashes[:5])
    again = Driver(blocks, SETTINGS, rows=driver.rows, head=driver.head)
    again.ready("a")
    again.follow("a", hashes[5:])
    assert [event.data.hash for event in again.told("finalized")] == shown(hashes[3:4])


def test_blocks_below_the_logs_begin_are_not_told_as_final() -> None:
    blocks = Blocks()
    hashes = blocks.mine(10)
    driver = Driver(blocks, SETTINGS)
    driver.ready("a")
    driver.headers("a", hashes[:6])
    driver.timer(3.0)
    assert driver.has_begun()
    first = hashes[5]
    driver.body("a", first)
    driver.follow("a", hashes[6:])
    told = [event.data.hash for event in driver.told("finalized")]
    assert told == shown(hashes[5:8])
    assert told[0] == display_hash(first)


def test_without_a_depth_nothing_is_told_as_final() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    driver.follow("a", blocks.mine(10))
    assert "finalized" not in driver.told_types()


def test_a_restart_on_a_branch_of_fewer_blocks_and_more_work_tells_no_lower_height_again() -> None:
    """It had gone by the head: after such a reorg and a restart heights were told as final twice."""
    blocks = Blocks()
    driver = begun(blocks, SETTINGS)
    hashes = blocks.mine(8)
    driver.follow("a", hashes)
    tree = driver.state.tree
    highest, lower = tree.head, tree.get(hashes[5])
    assert lower is not None
    tree.head = lower  # as where the branch that was left had easier targets
    assert tree.highest_delivered() is highest
    finality = Finality(DEPTH, tree.highest_delivered())
    assert finality.advance(lower) == []
    assert finality.advance(highest) == []
