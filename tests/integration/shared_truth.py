"""The truth about a network of devnet nodes: every block that any of them mined, and which of them are false.

It has what the simulator's checker asks of a world.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.chains import display_hash
from sprint.tools.devnet.ledger import RegtestLedger


class SharedTruth:
    """All blocks of these ledgers that were told to it, in the order in which they were mined."""

    def __init__(self, ledgers: Sequence[RegtestLedger]) -> None:
        self._ledgers = ledgers
        genesis = ledgers[0].best_chain_hash_at(0)
        if genesis is None:
            raise AssertionError("a ledger has its genesis block")
        self.genesis: bytes = genesis
        self.parent: dict[bytes, bytes] = {}
        self.height: dict[bytes, int] = {genesis: 0}
        self.refused: dict[bytes, str] = {}
        self.forged: set[bytes] = set()
        self.false_headers: set[bytes] = set()

    def mined(self, block_hash: bytes, *, refused: str = "", header_is_false: bool = False) -> None:
        """Take note of a block, which is false by itself where a check refuses it."""
        header = next(h for h in (ledger.header(block_hash) for ledger in self._ledgers) if h is not None)
        parent = header[4:36]
        self.parent[block_hash] = parent
        self.height[block_hash] = self.height[parent] + 1
        if refused:
            self.forged.add(block_hash)
        if refused or parent in self.refused:
            self.refused[block_hash] = refused or self.refused[parent]
        if header_is_false:
            self.false_headers.add(block_hash)

    @property
    def tip(self) -> bytes:
        """The true block of most work, of equal ones the first."""
        return max((block for block in self.height if block not in self.refused), key=self.work)

    def body(self, block_hash: bytes, *, witness: bool) -> bytes | None:
        found = (ledger.body(block_hash, witness=witness) for ledger in self._ledgers)
        return next((raw for raw in found if raw is not None), None)

    def branch(self, tip: bytes) -> list[bytes]:
        """Hashes from above genesis up to `tip`."""
        hashes = []
        while tip != self.genesis:
            hashes.append(tip)
            tip = self.parent[tip]
        return hashes[::-1]

    def work(self, block_hash: bytes) -> int:
        """Work of the whole branch up to a block; at a regtest's one difficulty that is its height."""
        return self.height[block_hash]

    def by_display(self) -> dict[str, bytes]:
        return {display_hash(block): block for block in self.height}
