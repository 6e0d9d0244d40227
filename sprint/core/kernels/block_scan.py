"""What a scan over a block's transactions finds: all that judging most of them takes, and their ids."""

from __future__ import annotations

from array import array

import msgspec

LOCK_TIME_THRESHOLD = 500_000_000  # a lock time below is a height, one from here on a Unix time
PAIR_SIZE = 64  # of two ids, which are hashed together in the merkle tree


class BlockScan(msgspec.Struct, frozen=True):
    """All transactions of a block, in their order. Sizes are in bytes, ids stand one behind the other.

    `starts` says where each begins and `end` where the last one ends. `witness_size` is what BIP 144 adds to
    all of them, `mark_size` what the marks of a HogEx do; `marked` is how many have one, `ends_marked`
    whether the last one does. `doubted` are the numbers of those that may break a rule that needs no other
    transaction, read as none that is a coinbase: every one that does is among them. `pair_sized`: one has
    just the size of a pair of ids without what no id covers. The locks are the greatest that bind, else 0.
    """

    starts: array[int]
    end: int
    txids: bytes
    wtxids: bytes
    witness_size: int
    mark_size: int
    marked: int
    ends_marked: bool
    has_witness: bool
    coinbases: int
    begins_with_coinbase: bool
    pair_sized: bool
    doubted: tuple[int, ...]
    locked_until_height: int
    locked_until_time: int

    @property
    def tx_count(self) -> int:
        return len(self.starts)
