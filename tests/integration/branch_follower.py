"""Follows one chain's events as a subscriber would, and says where they do not follow from each other."""

from __future__ import annotations

from sprint.core.model import BlockData, BlockEvent, Event, GapEvent, ReorgData, ReorgEvent


class BranchFollower:
    """`branch` is the best branch as the subscriber knows it, lowest first, from `first_height` up.

    `take` raises AssertionError where something is lost, comes twice, comes before its parent, or where
    the branch changes without a reorg that tells of it.
    """

    def __init__(self) -> None:
        self.branch: list[str] = []
        self.first_height = 0
        self.reorg_depths: list[int] = []
        self._delivered: set[str] = set()
        self._owed: list[str] = []  # what the last reorg added and was not delivered before
        self._seq = 0

    def __repr__(self) -> str:
        return f"BranchFollower({len(self.branch)} blocks, {len(self.reorg_depths)} reorgs)"

    def take(self, event: Event) -> None:
        assert event.seq == self._seq + 1 or not self._seq, f"event {event.seq} after {self._seq}: {event}"
        self._seq = event.seq
        assert not isinstance(event, GapEvent), f"a gap: {event.data}"
        if isinstance(event, BlockEvent):
            self._block(event.data)
        elif isinstance(event, ReorgEvent):
            self._reorg(event.data)

    def finish(self) -> None:
        assert not self._owed, f"added by a reorg and never delivered: {self._owed}"

    def _block(self, block: BlockData) -> None:
        assert block.hash not in self._delivered, f"twice: {block}"
        self._delivered.add(block.hash)
        assert not block.late, f"late, without a gap: {block}"
        if self._owed:
            assert self._owed.pop(0) == block.hash, f"not what the reorg added next: {block}"
            return
        if not self.branch:
            self.first_height = block.height
        else:
            assert block.parent == self.branch[-1], f"does not follow {self.branch[-1]}: {block}"
        self.branch.append(block.hash)
        assert block.height == self.first_height + len(self.branch) - 1, f"at another height: {block}"

    def _reorg(self, reorg: ReorgData) -> None:
        assert not self._owed, f"a reorg before {self._owed} came: {reorg}"
        depth = len(reorg.removed)
        assert 0 < depth == reorg.depth, f"of another depth than it says: {reorg}"
        assert list(reorg.removed) == self.branch[: -depth - 1 : -1], f"removes what was not the end: {reorg}"
        del self.branch[-depth:]
        assert reorg.fork_height == self.first_height + len(self.branch) - 1, f"forks elsewhere: {reorg}"
        self.branch += reorg.added
        self._owed = [block for block in reorg.added if block not in self._delivered]
        self.reorg_depths.append(depth)
