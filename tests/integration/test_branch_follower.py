"""What the follower of a chain's events passes, and what it catches."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sprint.core.model import (
    BlockData,
    BlockEvent,
    CheckSlip,
    Event,
    GapData,
    GapEvent,
    ReorgData,
    ReorgEvent,
)
from tests.integration.branch_follower import BranchFollower

Told = BlockData | ReorgData | GapData
CHAIN = "litecoin-regtest"


def block(block_hash: str, parent: str, *, late: bool = False) -> BlockData:
    """A block whose height is the number in its hash."""
    return BlockData(
        hash=block_hash,
        height=int(block_hash[1:]),
        parent=parent,
        timestamp="",
        tx_count=1,
        size=1,
        validation="full",
        source="a",
        sources_seen=1,
        agreed_by=1,
        relay_time_ms=0.0,
        proof=CheckSlip((), ()),
        native={},
        late=late,
    )


def reorg(fork_height: int, removed: Sequence[str], added: Sequence[str]) -> ReorgData:
    return ReorgData(fork_height, tuple(removed), tuple(added), len(removed))


def events(*told: Told) -> list[Event]:
    kinds = {BlockData: BlockEvent, ReorgData: ReorgEvent, GapData: GapEvent}
    return [kinds[type(data)](CHAIN, seq, "", data) for seq, data in enumerate(told, 1)]


def followed(told: Sequence[Event]) -> BranchFollower:
    follower = BranchFollower()
    for event in told:
        follower.take(event)
    follower.finish()
    return follower


STEM = (block("a5", "a4"), block("a6", "a5"), block("a7", "a6"))
AWAY: tuple[Told, ...] = (
    reorg(5, ["a7", "a6"], ["b6", "b7", "b8"]),
    block("b6", "a5"),
    block("b7", "b6"),
    block("b8", "b7"),
)


def test_blocks_and_a_reorg_that_brings_new_ones_pass() -> None:
    follower = followed(events(*STEM, *AWAY))
    assert (follower.branch, follower.first_height) == (["a5", "b6", "b7", "b8"], 5)
    assert follower.reorg_depths == [2]


def test_a_reorg_back_to_blocks_that_were_delivered_passes_without_them() -> None:
    back: tuple[Told, ...] = (
        reorg(5, ["b8", "b7", "b6"], ["a6", "a7", "a8", "a9"]),
        block("a8", "a7"),
        block("a9", "a8"),
    )
    assert followed(events(*STEM, *AWAY, *back)).branch == ["a5", "a6", "a7", "a8", "a9"]


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ((*STEM, block("a9", "a8")), "does not follow"),
        ((*STEM, block("a7", "a6")), "twice"),
        ((*STEM, block("b7", "a6")), "does not follow"),
        ((*STEM, block("a8", "a7", late=True)), "late"),
        ((*STEM, block("a9", "a7")), "another height"),
        ((*STEM, GapData(8, 9, "")), "a gap"),
        ((*STEM, reorg(5, ["a6"], ["b6"])), "not the end"),
        ((*STEM, reorg(5, ["a7"], ["b7"])), "forks elsewhere"),
        ((*STEM, reorg(6, ["a7"], ["b7", "b8"]), block("b8", "b7")), "added next"),
        ((*STEM, reorg(6, ["a7"], ["b7", "b8"]), block("b7", "a6")), "never delivered"),
    ],
)
def test_what_does_not_follow_is_caught(told: Sequence[Told], what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        followed(events(*told))


def test_an_event_that_is_left_out_is_caught() -> None:
    told = events(*STEM)
    with pytest.raises(AssertionError, match="event 3 after 1"):
        followed([told[0], told[2]])
