"""The truth: all blocks there are, and which of them each node knows."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from sprint.core.chains import display_hash
from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.kernels import sha256d
from sprint.core.wire import Reader
from sprint.tools.devnet.block_maker import Body, Recipe, make_body
from sprint.tools.plugins import ChainNetwork
from tests.simulator.forgery import Forger, Mutated, Spot, mutations_of
from tests.simulator.networks import TIME_WARP_S, begins_period, next_bits, target_of

FIRST_TIMESTAMP = 1_700_000_000
MEDIAN_TIMES = 11
_MERKLE_ROOT_OFFSET = 36  # of a header
AHEAD_S = 2 * 3600
BURST_AHEAD_S_MAX = 7_000  # as far as the time of a burst of blocks gets ahead of the clocks


class Entry(msgspec.Struct, frozen=True):
    """A block of the world: its header as it stands on the wire, and what follows it.

    `work` is that of its whole branch, `times_and_bits` those of all its headers.
    """

    header: bytes
    full: bytes
    stripped: bytes
    transactions: int
    work: int
    times_and_bits: tuple[tuple[int, int], ...]


class World:
    """Every block ever mined, by any node.

    `refused` are those that no honest node takes, by the check that refuses them, or "" where there is no
    body; `false_headers` are those of them whose header alone shows it. `ripe_at`: when a block's time is no
    longer too far ahead.
    """

    def __init__(self, network: ChainNetwork, rng: Random) -> None:
        self.parameters: NetworkParameters = network.parameters
        self.processor = network.processor()
        self.rng = rng
        self.forger = Forger(self.parameters, rng)
        self.genesis: bytes = self.parameters.genesis_hash
        first = parse_header(self.parameters.genesis)
        work = _work_of(first.bits)
        times_and_bits = ((first.timestamp, first.bits),)
        self._entries = {self.genesis: Entry(self.parameters.genesis, b"", b"", 1, work, times_and_bits)}
        self.parent: dict[bytes, bytes] = {}
        self.height: dict[bytes, int] = {self.genesis: 0}
        self.refused: dict[bytes, str] = {}
        self.forged: set[bytes] = set()  # those of `refused` that are false themselves, not only stand on one
        self.false_headers: set[bytes] = set()
        self.ripe_at: dict[bytes, float] = {}

    def spot(self, parent: bytes, now: float, *, timestamp: int = 0) -> Spot:
        """Where an honest block on `parent` stands; its time is at least `timestamp`."""
        below = self._entries[parent].times_and_bits
        times = [time for time, _ in below[-MEDIAN_TIMES:]]
        median_time = sorted(times)[len(times) // 2]
        unix_time = FIRST_TIMESTAMP + int(now)
        fixed_bits, height = self.parameters.fixed_bits, self.height[parent] + 1
        first_of_period = fixed_bits is None and begins_period(height)
        floors = [unix_time, timestamp, median_time + 1]
        if fixed_bits is None:
            floors.append(min(times[-1] + 1, unix_time + BURST_AHEAD_S_MAX))
        if first_of_period:
            floors.append(times[-1] - TIME_WARP_S)
        return Spot(
            parent=parent,
            height=height,
            bits=next_bits(below, self.parameters.target_limit) if fixed_bits is None else fixed_bits,
            timestamp=max(floors),
            median_time=median_time,
            parent_time=times[-1],
            unix_time=unix_time,
            first_of_period=first_of_period,
        )

    def mine(self, parent: bytes, now: float, transactions: int, *, ahead_s: int = 0) -> bytes:
        """Mine an honest block. Its time is `ahead_s` ahead of the clocks, where the rules allow less."""
        spot = self.spot(parent, now, timestamp=FIRST_TIMESTAMP + int(now) + ahead_s)
        witness = self.parameters.witness_height is not None
        body = make_body(Recipe(spot.height, self.rng.getrandbits(64), transactions, witness))
        header = self.forger.mined(self.forger.header(spot, body.merkle_root))
        block_hash = self._place(header, body, 1 + transactions)
        if parent in self.refused:
            self.refused[block_hash] = self.refused[parent]
        if spot.timestamp > spot.unix_time + AHEAD_S:
            self.ripe_at[block_hash] = float(spot.timestamp - AHEAD_S - FIRST_TIMESTAMP)
        return block_hash

    def forge(self, lie: str, parent: bytes, now: float) -> bytes:
        """Make a false block."""
        forged = self.forger.forge(lie, self.spot(parent, now))
        body = forged.body[len(forged.header) :]
        block_hash = self._place(forged.header, Body(body, body, b""), 1)
        self.refused[block_hash] = forged.check
        self.forged.add(block_hash)
        if not forged.in_body:
            self.false_headers.add(block_hash)
        return block_hash

    def mine_without_body(self, parent: bytes, now: float) -> bytes:
        """Mine a header to which there is no body."""
        spot = self.spot(parent, now)
        header = self.forger.mined(self.forger.header(spot, self.rng.randbytes(32)))
        block_hash = self._place(header, Body(b"", b"", b""), 0)
        self.refused[block_hash] = ""
        self.forged.add(block_hash)
        return block_hash

    def adopt(self, raw: bytes) -> bytes:
        """Take in an honest block that was mined elsewhere."""
        header, body = _parted(self.parameters, raw)
        count = Reader(body).compact_size(len(body), "transactions")
        return self._place(header, Body(body, body, b""), count)

    def _place(self, raw_header: bytes, body: Body, transactions: int) -> bytes:
        header, block_hash = parse_header(raw_header[:HEADER_SIZE]), self.hash_of(raw_header)
        below = self._entries[header.parent]
        # A false target is worth what a true one is: its node believes in it.
        work = _work_of(header.bits if _is_plain(header.bits) else below.times_and_bits[-1][1])
        self._entries[block_hash] = Entry(
            header=raw_header,
            full=body.full,
            stripped=body.stripped,
            transactions=transactions,
            work=below.work + work,
            times_and_bits=(*below.times_and_bits, (header.timestamp, header.bits)),
        )
        self.parent[block_hash] = header.parent
        self.height[block_hash] = self.height[header.parent] + 1
        return block_hash

    @property
    def tip(self) -> bytes:
        """The honest block of most work, of equal ones the first."""
        return max((h for h in self.height if h not in self.refused), key=self.work)

    def hash_of(self, raw_header: bytes) -> bytes:
        return sha256d(raw_header[:HEADER_SIZE])

    def header(self, block_hash: bytes) -> bytes:
        return self._entries[block_hash].header

    def work(self, block_hash: bytes) -> int:
        """Work of the whole branch up to a block."""
        return self._entries[block_hash].work

    def body(self, block_hash: bytes, *, witness: bool) -> bytes | None:
        entry = self._entries[block_hash]
        body = entry.full if witness else entry.stripped
        return entry.header + body if body else None

    def mutations(self, block_hash: bytes, rng: Random) -> list[Mutated]:
        """Return false bodies of a block."""
        entry = self._entries[block_hash]
        others = [e.full for e in self._entries.values() if e.full and e is not entry]
        other = rng.choice(others) if others else b"\x00"
        return mutations_of(entry.header, entry.full, entry.stripped, other, entry.transactions, rng)

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
        self.drop(set(self.world.refused))
        for block_hash in self.world.parent:
            if block_hash not in self.known and block_hash not in self.world.refused:
                self.learn(block_hash)
        self.tip = self._best()

    def learn(self, block_hash: bytes) -> None:
        """Take in a block; it counts once its parent is known. First seen stays at equal work."""
        parent = self.world.parent[block_hash]
        if parent not in self.known:
            self._waiting.setdefault(parent, []).append(block_hash)
            return
        self.known.add(block_hash)
        if self.world.work(block_hash) > self.world.work(self.tip):
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
        if self.tip not in self.known:
            self.tip = self._best()

    def _best(self) -> bytes:
        """The known block of most work, of equal ones the one that was mined first."""
        tip = self.world.genesis
        for block_hash in self.world.parent:
            if block_hash in self.known and self.world.work(block_hash) > self.world.work(tip):
                tip = block_hash
        return tip

    def connected_since(self, old_tip: bytes) -> list[bytes]:
        """Raw headers of our branch above its fork with the old tip's."""
        old = {self.world.genesis, *self.world.branch(old_tip)}
        return [self._told_header(h) for h in self.world.branch(self.tip) if h not in old]

    def height(self) -> int:
        return self.world.height[self.tip]

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        branch = self.world.branch(self.tip)
        places = {block_hash: index + 1 for index, block_hash in enumerate(branch)}
        start = next((places[h] for h in locator if h in places), 0)
        hashes = branch[start : start + limit]
        if stop in hashes:
            hashes = hashes[: hashes.index(stop) + 1]
        return [self._told_header(h) for h in hashes]

    def _told_header(self, block_hash: bytes) -> bytes:
        """A header; a liar's may be false in what the hash does not cover: the proof by a parent block."""
        raw = self.world.header(block_hash)
        if len(raw) == HEADER_SIZE or self._rng.random() >= self._lie_probability:
            return raw
        self.lies += 1
        place = len(raw) - HEADER_SIZE + _MERKLE_ROOT_OFFSET
        return raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]

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
        mutations = self.world.mutations(digest, self._rng)
        kind = self._rng.randrange(len(mutations) + 1)
        if kind < len(mutations):
            return mutations[kind].body
        place = self._rng.randrange(HEADER_SIZE, len(raw))  # one bit anywhere behind what the hash covers
        return raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]


def _parted(parameters: NetworkParameters, raw: bytes) -> tuple[bytes, bytes]:
    """Return a block's header, as it stands on the wire, and what follows it."""
    size = header_size(raw, 0, parameters)
    return raw[:size], raw[size:]


def _work_of(bits: int) -> int:
    return (1 << 256) // (target_of(bits) + 1)


def _is_plain(bits: int) -> bool:
    """Whether a compact target is positive and within 256 bits."""
    return not bits & 0x80_0000 and 0 < target_of(bits) < 1 << 256
