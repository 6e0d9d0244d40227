"""Several nodes of one chain that learn each other's blocks, so that one can stall or lie while others go on.

Each is a `Devnet` of one node with its own listeners and faults. They mine in turn, each on its own clock, so
that the chain has the pace of one node. What one tells of as its best branch the others take in at once,
but for false blocks, for those too far ahead of the clock, and for what stands on either: so a node that is
made to lie does it alone, and comes back to the others' branch by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from sprint.core.errors import ConfigError
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.ledger import RandomBits

NODES_MAX = 10
# As nodes do it: MAX_FUTURE_BLOCK_TIME of Bitcoin Core's chain.h.
AHEAD_S_MAX = 7_200
_TIME_AT = slice(68, 72)  # of a header


class DevnetNetwork:
    """Nodes of one chain. `rng_of` gives randomness by node and by what it is for."""

    def __init__(
        self,
        chain_id: str,
        options: Sequence[DevnetOptions],
        *,
        interval_s: float,
        rng_of: Callable[[int, str], RandomBits],
        wall_clock: Callable[[], float],
    ) -> None:
        if not 1 <= len(options) <= NODES_MAX:
            raise ConfigError(f"{len(options)} devnet nodes of one chain, want 1 to {NODES_MAX}")
        self.chain_id = chain_id
        self._wall_clock = wall_clock
        self._refused: set[bytes] = set()  # bounded by the ledgers' blocks
        self.nodes = [
            Devnet(
                [chain_id],
                msgspec.structs.replace(
                    each,
                    block_interval_s=interval_s * len(options),
                    phase_s=interval_s * index,
                    blocks_at_start=0 if index else each.blocks_at_start,
                ),
                rng_of=partial(rng_of, index),
                wall_clock=wall_clock,
            )
            for index, each in enumerate(options)
        ]
        for node in self.nodes:
            node.watch_tip(chain_id, partial(self._tip_moved, node))

    def __repr__(self) -> str:
        return f"DevnetNetwork({self.chain_id}, {len(self.nodes)} nodes)"

    async def start(self) -> None:
        """Mine the first blocks, listen, and start the clocks. ListenError if a port is taken."""
        for node in self.nodes:
            await node.start()

    async def stop(self) -> None:
        """Stop all nodes. May be called again."""
        for node in self.nodes:
            await node.stop()

    def _tip_moved(self, teller: Devnet, _: list[bytes], added: list[bytes]) -> None:
        ledger = teller.ledger(self.chain_id)
        for block in added:
            header = ledger.header(block) or b""
            ahead_s = int.from_bytes(header[_TIME_AT], "little") - self._wall_clock()
            if block in ledger.lies or header[4:36] in self._refused or ahead_s > AHEAD_S_MAX:
                self._refused.add(block)
        if added and added[-1] not in self._refused:
            for other in self.nodes:
                if other is not teller:
                    other.learn(self.chain_id, ledger, added[-1])
