"""What a proof-of-work chain's newest blocks say of its network: hash rate, difficulty, intervals, pools.

All of it is worked out from headers and coinbases that were checked, never taken from a node. Times are
those that headers state, which miners set within the chain's rules: single intervals may be negative.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import islice, pairwise

import msgspec

from sprint.core.relay.head import HeadTracker, Node
from sprint.core.relay.pools import pool_of

WINDOW_BLOCKS = 144
# The newest change of difficulty is looked for this far below the head: two periods of 2,016 blocks.
CHANGE_BLOCKS_MAX = 4032
# Upper bounds of the histogram, in expected intervals: blocks come by chance, so most take less than one.
_BOUNDS_OF_INTERVAL = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
# Work of a block at difficulty 1, whose target is 0xffff << 208: 2**256 / target.
_WORK_OF_DIFFICULTY_1 = 2**48 / 0xFFFF


class DifficultyChange(msgspec.Struct, frozen=True):
    """The newest change: the first height that it holds for, and new difficulty / old one."""

    height: int
    ratio: float


class Intervals(msgspec.Struct, frozen=True):
    """Seconds between blocks. `counts` are up to each bound from the one before, and beyond the last."""

    mean_s: float
    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]


class NetworkStats(msgspec.Struct, frozen=True):
    """Of the newest `blocks` of the best branch. `pools` counts those whose body is here, by coinbase tag.

    `hash_rate` is in hashes a second, None where the headers' times span nothing.
    """

    blocks: int
    hash_rate: float | None
    difficulty: float
    difficulty_change: DifficultyChange | None
    intervals: Intervals
    pools: dict[str, int]


class NetworkStatistics:
    """Answers for one chain; worked out once for each head."""

    def __init__(self, tree: HeadTracker, block_interval_s: float) -> None:
        self._tree = tree
        self._block_interval_s = block_interval_s
        self._known: tuple[bytes, int, NetworkStats] | None = None

    def current(self) -> NetworkStats:
        head = self._tree.head
        # The genesis block's time says when the chain was made, not when its mining began.
        window = [node for node in islice(head.ancestors(), WINDOW_BLOCKS + 1) if node.height] or [head]
        # A late body changes no head, but a count of pools: then there is one record more.
        bodies = sum(node.record is not None for node in window)
        if self._known is None or self._known[:2] != (head.hash, bodies):
            self._known = (head.hash, bodies, network_stats(window, self._block_interval_s))
        return self._known[2]


def network_stats(window: Sequence[Node], block_interval_s: float) -> NetworkStats:
    """Return the statistics of a run of blocks, newest first; the last one only starts the first interval."""
    head = window[0]
    counted = window[:-1] if len(window) > 1 else window
    return NetworkStats(
        blocks=len(counted),
        hash_rate=_hash_rate(window),
        difficulty=head.header.work / _WORK_OF_DIFFICULTY_1,
        difficulty_change=_difficulty_change(head),
        intervals=_intervals(window, block_interval_s),
        pools=dict(Counter(pool_of(n.record.tag) for n in counted if n.record is not None).most_common()),
    )


def _hash_rate(window: Sequence[Node]) -> float | None:
    """Work done over time taken, between the earliest and the latest time (Bitcoin Core GetNetworkHashPS)."""
    times = [node.header.timestamp for node in window]
    span_s = max(times) - min(times)
    return (window[0].work - window[-1].work) / span_s if span_s else None


def _difficulty_change(head: Node) -> DifficultyChange | None:
    for newer, older in pairwise(islice(head.ancestors(), CHANGE_BLOCKS_MAX + 1)):
        if newer.header.work != older.header.work:
            return DifficultyChange(newer.height, newer.header.work / older.header.work)
    return None


def _intervals(window: Sequence[Node], block_interval_s: float) -> Intervals:
    bounds_s = tuple(part * block_interval_s for part in _BOUNDS_OF_INTERVAL)
    found = [newer.header.timestamp - older.header.timestamp for newer, older in pairwise(window)]
    counts = [0] * (len(bounds_s) + 1)
    for interval_s in found:
        counts[bisect_left(bounds_s, interval_s)] += 1
    return Intervals(sum(found) / len(found) if found else 0.0, bounds_s, tuple(counts))
