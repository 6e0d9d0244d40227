"""The truth: all blocks there are, and which of them each node knows."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from sprint.core.chains import display_hash
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import TransactionOutput, parse_transaction
from sprint.core.wire import Reader, compact_size
from sprint.tools.devnet.block_maker import Recipe, make_body, mine_header
from sprint.tools.devnet.ledger import RegtestLedger
from sprint.tools.plugins import ChainNetwork

FIRST_TIMESTAMP = 1_700_000_000


class World:
    """Every block ever mined, by any node. Work is equal per block on regtest, so height tells it.

    `refused` are those that no honest node takes: their proof of work is true, their body breaks a rule
    or does not exist.
    """

    def __init__(self, network: ChainNetwork, rng: Random) -> None:
        self.parameters: NetworkParameters = network.parameters
        self.processor = network.processor()
        self.rng = rng
        self.ledger = RegtestLedger(self.parameters, self.processor, rng)
        self.genesis = self.ledger.tip
        self.parent: dict[bytes, bytes] = {}
        self.height: dict[bytes, int] = {self.genesis: 0}
        self.refused: set[bytes] = set()
        self._refused_headers: dict[bytes, bytes] = {}
        self._refused_bodies: dict[bytes, bytes] = {}

    def mine(self, parent: bytes, now: float, transactions: int) -> bytes:
        block_hash = self.ledger.mine(FIRST_TIMESTAMP + int(now), parent=parent, transactions=transactions)
        self._place(block_hash, parent)
        return block_hash

    def mine_refused(self, parent: bytes, now: float, *, with_body: bool) -> bytes:
        """Mine a block whose coinbase pays more than there is, or a header to which there is no body."""
        recipe = Recipe(self.height[parent] + 1, self.rng.getrandbits(64), 0)
        coinbase = parse_transaction(Reader(make_body(recipe).full, 1))
        too_much = TransactionOutput(self.parameters.money_max + 1, b"\x51")
        coinbase = msgspec.structs.replace(coinbase, outputs=(too_much, *coinbase.outputs[1:]))
        bits = self.parameters.fixed_bits
        assert bits is not None
        header = mine_header(self.processor, parent, coinbase.txid, FIRST_TIMESTAMP + int(now), bits)
        self._refused_headers[header.hash] = header.raw
        if with_body:
            self._refused_bodies[header.hash] = header.raw + compact_size(1) + coinbase.encode()
        self._place(header.hash, parent)
        self.refused.add(header.hash)
        return header.hash

    def _place(self, block_hash: bytes, parent: bytes) -> None:
        self.parent[block_hash] = parent
        self.height[block_hash] = self.height[parent] + 1

    def header(self, block_hash: bytes) -> bytes:
        raw = self._refused_headers.get(block_hash) or self.ledger.header(block_hash)
        assert raw is not None
        return raw

    def body(self, block_hash: bytes, *, witness: bool) -> bytes | None:
        if block_hash in self.refused:
            return self._refused_bodies.get(block_hash)
        return self.ledger.body(block_hash, witness=witness)

    def branch(self, tip: bytes) -> list[bytes]:
        """Hashes from above genesis up to `tip`."""
        hashes = []
        while tip != self.genesis:
            hashes.append(tip)
            tip = self.parent[tip]
        return hashes[::-1]

    def below(self, tip: bytes, depth: int) -> bytes:
        """The block `depth` below `tip`, or genesis."""
        for _ in range(depth):
            tip = self.parent.get(tip, self.genesis)
        return tip

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
        self.drop(self.world.refused)
        for block_hash in self.world.parent:
            if block_hash not in self.known and block_hash not in self.world.refused:
                self.learn(block_hash)

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

    def drop(self, roots: set[bytes]) -> None:
        """Treat blocks and all that builds on them as never seen, as a node's `invalidateblock` does."""
        gone = set(roots)
        for block_hash, parent in self.world.parent.items():  # parents were mined first
            if parent in gone:
                gone.add(block_hash)
        self.known -= gone
        tip = self.world.genesis
        for block_hash in self.world.parent:
            if block_hash in self.known and self.world.height[block_hash] > self.world.height[tip]:
                tip = block_hash
        if self.tip not in self.known:
            self.tip = tip

    def connected_since(self, old_tip: bytes) -> list[bytes]:
        """Raw headers of our branch above its fork with the old tip's."""
        old = {self.world.genesis, *self.world.branch(old_tip)}
        return [self.world.header(h) for h in self.world.branch(self.tip) if h not in old]

    def height(self) -> int:
        return self.world.height[self.tip]

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        branch = self.world.branch(self.tip)
        places = {block_hash: index + 1 for index, block_hash in enumerate(branch)}
        start = next((places[h] for h in locator if h in places), 0)
        hashes = branch[start : start + limit]
        if stop in hashes:
            hashes = hashes[: hashes.index(stop) + 1]
        return [self.world.header(h) for h in hashes]

    def body(self, digest: bytes, *, witness: bool) -> bytes | None:
        if digest not in self.known or digest[0] < 256 * self._withhold:
            return None
        raw = self.world.body(digest, witness=witness)
        if raw is None or digest in self.world.refused:
            return raw
        if self._rng.random() < self._lie_probability:
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
            return self.world.body(digest, witness=False) or raw
        return raw[: self._rng.randrange(81, len(raw))]  # cut short
