"""The truth: all blocks there are, and which of them each node knows."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from sprint.core.chains import display_hash
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.tools.devnet.ledger import RegtestLedger
from sprint.tools.plugins import ChainNetwork


class World:
    """Every block ever mined, by any node. Work is equal per block on regtest, so height tells it."""

    def __init__(self, network: ChainNetwork, rng: Random) -> None:
        self.parameters: NetworkParameters = network.parameters
        self.processor = network.processor()
        self.ledger = RegtestLedger(self.parameters, self.processor, rng)
        self.genesis = self.ledger.tip
        self.parent: dict[bytes, bytes] = {}
        self.height: dict[bytes, int] = {self.genesis: 0}

    def mine(self, parent: bytes, now: float, transactions: int) -> bytes:
        block_hash = self.ledger.mine(1_700_000_000 + int(now), parent=parent, transactions=transactions)
        self.parent[block_hash] = parent
        self.height[block_hash] = self.height[parent] + 1
        return block_hash

    def branch(self, tip: bytes) -> list[bytes]:
        """Hashes from above genesis up to `tip`."""
        hashes = []
        while tip != self.genesis:
            hashes.append(tip)
            tip = self.parent[tip]
        return hashes[::-1]

    def by_display(self) -> dict[str, bytes]:
        return {display_hash(h): h for h in self.height}


class NodeView:
    """What one node knows of the world; the `Ledger` that its sessions serve from."""

    def __init__(self, world: World, rng: Random, *, lie_probability: float, withhold: float) -> None:
        self.world = world
        self.tip = world.genesis
        self.known = {world.genesis}
        self._waiting: dict[bytes, list[bytes]] = {}
        self._rng = rng
        self._lie_probability = lie_probability
        self._withhold = withhold
        self.lies = 0

    def calm_down(self) -> None:
        """From here on be honest and complete."""
        self._lie_probability = self._withhold = 0.0

    def learn(self, block_hash: bytes) -> None:
        """Take in a block; it counts once its parent is known. First seen stays at equal work."""
        parent = self.world.parent[block_hash]
        if parent not in self.known:
            self._waiting.setdefault(parent, []).append(block_hash)
            return
        self.known.add(block_hash)
        if self.world.height[block_hash] > self.world.height[self.tip]:
            self.tip = block_hash
        for child in self._waiting.pop(block_hash, ()):
            self.learn(child)

    def connected_since(self, old_tip: bytes) -> list[bytes]:
        """Raw headers of our branch above its fork with the old tip's."""
        old = {self.world.genesis, *self.world.branch(old_tip)}
        return [self._header(h) for h in self.world.branch(self.tip) if h not in old]

    def _header(self, block_hash: bytes) -> bytes:
        header = self.world.ledger.header(block_hash)
        assert header is not None
        return header

    def height(self) -> int:
        return self.world.height[self.tip]

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        branch = self.world.branch(self.tip)
        places = {block_hash: index + 1 for index, block_hash in enumerate(branch)}
        start = next((places[h] for h in locator if h in places), 0)
        return [self._header(h) for h in branch[start : start + limit]]

    def body(self, digest: bytes, *, witness: bool) -> bytes | None:
        if digest not in self.known or digest[0] < 256 * self._withhold:
            return None
        raw = self.world.ledger.body(digest, witness=witness)
        if raw is not None and self._rng.random() < self._lie_probability:
            self.lies += 1
            return self._lie(raw, digest)
        return raw

    def _lie(self, raw: bytes, digest: bytes) -> bytes:
        """Serve a body that is not the one the header commits to."""
        kind = self._rng.randrange(3)
        if kind == 0:  # one bit of a transaction
            place = self._rng.randrange(90, len(raw))
            return raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
        if kind == 1:  # stripped of its witness data
            return self.world.ledger.body(digest, witness=False) or raw
        return raw[: self._rng.randrange(81, len(raw))]  # cut short
