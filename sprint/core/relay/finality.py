"""When a block of a chain without finality of its own is told as final: after so many confirmations.

Proof of work never ends a branch for good; the depth is the operator's choice of how deep is deep enough. A
reorg that goes deeper is still followed and told: `finalized` is a statement about depth, not a lock.
"""

from __future__ import annotations

from itertools import islice

from sprint.core.chains import display_hash
from sprint.core.model import FinalizedData
from sprint.core.relay.head import Node


class Finality:
    """Follows the head of one chain; `depth` counts a block's own confirmation, None tells of nothing.

    What lies so deep below the `highest` block delivered before the start was told before it, or lies below
    the log. That is not always the head: a branch of more work may have fewer blocks.
    """

    def __init__(self, depth: int | None, highest: Node) -> None:
        self._depth = depth
        self._height_told = highest.height - depth + 1 if depth is not None else 0

    def __repr__(self) -> str:
        return f"Finality(depth={self._depth}, told up to {self._height_told})"

    def advance(self, head: Node) -> list[FinalizedData]:
        """Return what to tell after a move of the head: the newest block that is final now, or nothing.

        It stands for all blocks below it, so a block that this log did not deliver (it lies below the log's
        begin, or a gap passed over it) is left to the next. Heights never go back, not by a reorg either.
        """
        if self._depth is None:
            return []
        height = head.height - self._depth + 1
        if height <= self._height_told:
            return []
        final = next(islice(head.ancestors(), self._depth - 1, None), None)
        if final is None or not final.delivered:
            return []
        self._height_told = height
        return [FinalizedData(display_hash(final.hash), height)]
