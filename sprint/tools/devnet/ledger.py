"""A regtest chain held by one node: a tree of valid blocks, its best branch, and their bytes on demand.

The best tip is a function of the tree: of all valid blocks the one with most work, and of those with equal
work the one that came first. A block is kept as its header and its recipe (about 0.5 KB, 0.9 KB where it is
merge-mined); bodies are made again when asked for, and the last ones made are kept in a cache bounded in
bytes, so every body can be served at any depth while memory grows only with the number of blocks, up to
`BLOCKS_MAX`.

Nothing here knows a clock or makes randomness.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from sprint.core.chains import Header, Processor, display_hash
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, ZERO_HASH, NetworkParameters
from sprint.core.errors import ConfigError, RuleError
from sprint.core.kernels import sha256d
from sprint.tools.devnet.block_maker import (
    HeaderLie,
    Recipe,
    hogex_of,
    idle_header,
    make_body,
    mine_header,
    spendable_of,
)
from sprint.tools.devnet.extension_blocks import Integration
from sprint.tools.devnet.genesis import genesis_body
from sprint.tools.devnet.merged_mining import Lie, block_version, merge_mine

BLOCKS_MAX = 500_000
BODY_CACHE_BYTES_MAX = 8 << 20
# A chain's time moves by a second in six blocks at least: mined faster for long it runs ahead of the clock.
# Two hours ahead its blocks are refused; this stays below that.
AHEAD_S_MAX = 7_000
MEDIAN_TIME_BLOCKS = 11
EXTRA_NONCE_BITS = 64
_NONCE_MASK = 0xFFFF_FFFF


class RandomBits(Protocol):
    """What the ledger wants of a source of randomness; `random.Random` is one."""

    def getrandbits(self, k: int, /) -> int:
        """Return an integer of `k` random bits."""


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """A block of the tree. `recipe` is None for the genesis block alone; `work` is that of the branch.

    `raw_header` is as it stands on the wire: 80 bytes, and its AuxPoW where it is merge-mined.
    """

    hash: bytes
    parent: bytes
    raw_header: bytes
    timestamp: int
    height: int
    work: int
    recipe: Recipe | None


class RegtestLedger:
    """The tree of one network. Hashes are in wire order, raw headers as they stand on the wire.

    `ahead_s_max`: so far ahead of the clock that it is given a block's time may be.
    """

    def __init__(self, parameters: NetworkParameters, processor: Processor, rng: RandomBits) -> None:
        if parameters.fixed_bits is None:
            raise ConfigError(f"{parameters.chain_id} has no fixed difficulty; the devnet mines regtest only")
        self.parameters = parameters
        self.ahead_s_max = AHEAD_S_MAX
        self._processor = processor
        self._rng = rng
        self._bits = parameters.fixed_bits
        self._genesis_body = genesis_body(parameters)
        genesis = processor.process_header(parameters.genesis)
        if not isinstance(genesis, Header):
            raise ConfigError(f"genesis of {parameters.chain_id} is refused: {genesis.reason}")
        self._genesis = _entry_of(genesis, genesis.raw, None, None)
        self._entries = {self._genesis.hash: self._genesis}
        self._best = [self._genesis.hash]
        self._invalidated: set[bytes] = set()  # by invalidate()
        self._invalid: set[bytes] = set()  # these and all that descends from them
        self.lies: set[bytes] = set()  # blocks of its own that are false
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()
        self._bodies_size = 0

    def __repr__(self) -> str:
        tip = display_hash(self.tip)
        return f"RegtestLedger({self.parameters.chain_id}, height={self.height()}, tip={tip})"

    @property
    def tip(self) -> bytes:
        """Hash of the best block."""
        return self._best[-1]

    def height(self) -> int:
        """Height of the best block."""
        return len(self._best) - 1

    def best_chain_hash_at(self, height: int) -> bytes | None:
        """Hash of the best branch's block at `height`."""
        return self._best[height] if 0 <= height < len(self._best) else None

    def best_chain_from(self, height: int, limit: int) -> list[bytes]:
        """Hashes of the best branch from `height` up, at most `limit`."""
        return self._best[max(0, height) : max(0, height) + limit]

    def header(self, block_hash: bytes) -> bytes | None:
        """Raw header of any block of the tree."""
        entry = self._entries.get(block_hash)
        return entry.raw_header if entry else None

    def height_of(self, block_hash: bytes) -> int | None:
        """Height of any block of the tree."""
        entry = self._entries.get(block_hash)
        return entry.height if entry else None

    def mine(
        self,
        timestamp: int,
        *,
        parent: bytes | None = None,
        transactions: int = 0,
        lie: Lie | HeaderLie | None = None,
    ) -> bytes:
        """Add a block on `parent` (the tip by default) and return its hash.

        Its time is `timestamp`, or one second over the median of the eleven blocks before it where that is
        later, as a node's own miner does it. `lie` makes a false block of it, which this ledger takes for
        valid. ConfigError if the tree is full, the parent unknown, that time over `ahead_s_max` ahead, or
        the lie cannot be told here.
        """
        if len(self._entries) >= BLOCKS_MAX:
            raise ConfigError(f"the devnet holds {len(self._entries)} blocks, limit {BLOCKS_MAX}; restart it")
        below = self._known(self.tip if parent is None else parent)
        time = max(timestamp, self._median_time(below) + 1)
        if time - timestamp > self.ahead_s_max:
            raise ConfigError(
                f"the next block is {time - timestamp} s ahead of the clock, limit {self.ahead_s_max}"
            )
        recipe = Recipe(
            below.height + 1,
            self._rng.getrandbits(EXTRA_NONCE_BITS),
            transactions,
            witness=self.parameters.witness_height is not None,
            integration=self._integration(below),
        )
        body = make_body(recipe)
        root = sha256d(body.merkle_root) if lie is HeaderLie.MERKLE_ROOT else body.merkle_root
        header, raw_header = self._mine_header(below, root, time, recipe, lie)
        entry = _entry_of(header, raw_header, below, recipe)
        self._remember(entry.hash, entry.raw_header + body.full)
        if lie is not None:
            self.lies.add(entry.hash)
        self._place(entry)
        return entry.hash

    def learn(self, other: RegtestLedger, block_hash: bytes) -> None:
        """Take in a block of another node of this network, and those below it that are not known here.

        ConfigError if the other has no such block or the tree is full.
        """
        unknown = list(
            itertools.takewhile(
                lambda entry: entry.hash not in self._entries, other._upward(other._known(block_hash))
            )
        )
        if len(self._entries) + len(unknown) > BLOCKS_MAX:
            raise ConfigError(f"the devnet holds {len(self._entries)} blocks, limit {BLOCKS_MAX}; restart it")
        for entry in reversed(unknown):
            self._place(entry)

    def time_ahead_s(self, timestamp: int) -> int:
        """Return by how much the next block's time must be ahead of `timestamp`; 0 if it need not be."""
        return max(0, self._median_time(self._known(self.tip)) + 1 - timestamp)

    def invalidate(self, block_hash: bytes) -> None:
        """Treat a block and its descendants as invalid, as a node's `invalidateblock` does."""
        if self._known(block_hash) is self._genesis:
            raise ConfigError("the genesis block cannot be invalidated")
        self._invalidated.add(block_hash)
        self._choose_tip()

    def reconsider(self, block_hash: bytes) -> None:
        """Undo `invalidate` of a block, its ancestors and its descendants (a node's `reconsiderblock`)."""
        entry = self._known(block_hash)
        self._invalidated = {
            other
            for other in self._invalidated
            if not self._descends(entry, other) and not self._descends(self._known(other), block_hash)
        }
        self._choose_tip()

    def orphan_header(self, timestamp: int) -> bytes:
        """Make a raw header with its work done, on a block that there is not; nothing of it is kept."""
        parent = self._rng.getrandbits(256).to_bytes(32, "little")
        version = block_version(self.parameters, 1)
        fields = BlockHeader(version, parent, sha256d(parent), timestamp, self._bits, 0)
        return mine_header(self._processor, fields).raw

    def connected_since(self, old_tip: bytes) -> list[bytes]:
        """Raw headers of the best branch above its fork with the branch of `old_tip`, oldest first."""
        fork = next(e.height for e in self._upward(self._known(old_tip)) if self._is_best(e))
        return [self._entries[h].raw_header for h in self._best[fork + 1 :]]

    def removed_since(self, old_tip: bytes) -> list[bytes]:
        """Hashes from `old_tip` down to its fork with the best branch, the fork left out."""
        branch = itertools.takewhile(lambda e: not self._is_best(e), self._upward(self._known(old_tip)))
        return [entry.hash for entry in branch]

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        """Answer getheaders: raw headers of the best branch after the first known one of `locator`.

        They end with `stop` or at `limit`. An empty locator asks for the header `stop` alone.
        """
        if not locator:
            entry = self._entries.get(stop)
            return [entry.raw_header] if entry else []
        known = (self._entries.get(block_hash) for block_hash in locator)
        start = next((e.height for e in known if e is not None and self._is_best(e)), 0)
        hashes = self._best[start + 1 : start + 1 + limit]
        if stop != ZERO_HASH and stop in hashes:
            hashes = hashes[: hashes.index(stop) + 1]
        return [self._entries[block_hash].raw_header for block_hash in hashes]

    def body(self, block_hash: bytes, *, witness: bool) -> bytes | None:
        """Bytes of a block, whole or without witness data and extension block.

        None if unknown or invalidated.
        """
        entry = self._entries.get(block_hash)
        if entry is None or block_hash in self._invalid:
            return None
        if entry.recipe is None:
            return self._genesis_body
        if not witness:
            return entry.raw_header + make_body(entry.recipe).stripped
        if block_hash in self._bodies:
            self._bodies.move_to_end(block_hash)
            return self._bodies[block_hash]
        raw = entry.raw_header + make_body(entry.recipe).full
        self._remember(block_hash, raw)
        return raw

    def _integration(self, below: _Entry) -> Integration | None:
        """What the extension block above a block stands on; None where there is none."""
        height, first = below.height + 1, self.parameters.mweb_height
        if first is None or height < first:
            return None
        if height > first and below.recipe is not None:
            return Integration(hogex_of(below.recipe), first=False)
        paying = next(e.recipe for e in self._upward(below) if e.height == 1 and e.recipe is not None)
        return Integration(spendable_of(paying), first=True)

    def _mine_header(
        self, below: _Entry, merkle_root: bytes, time: int, recipe: Recipe, header_lie: Lie | HeaderLie | None
    ) -> tuple[Header, bytes]:
        """Mine a header, alone or with a parent block; return it judged, and as it stands on the wire."""
        rules, processor = self.parameters.auxpow, self._processor
        idle = header_lie is HeaderLie.NO_WORK
        lie = Lie.IDLE_PARENT if idle else header_lie if isinstance(header_lie, Lie) else None
        version = block_version(self.parameters, recipe.height, lie)
        fields = BlockHeader(version, below.hash, merkle_root, time, self._bits, 0)
        if rules is None or recipe.height < rules.height:
            if idle:
                raw = idle_header(processor, fields)
                return processor.read_header(raw), raw
            if lie is not None:
                raise ConfigError(
                    f"{lie.value}: {self.parameters.chain_id} has no merged mining at height {recipe.height}"
                )
            header = mine_header(processor, fields)
            return header, header.raw
        raw = fields.encode()
        if lie is Lie.REUSED:
            if len(below.raw_header) == HEADER_SIZE:
                raise ConfigError(f"{lie.value}: the block below, at height {below.height}, has no AuxPoW")
            return processor.read_header(raw), raw + below.raw_header[HEADER_SIZE:]
        raw_header = raw + merge_mine(fields, rules, recipe.extra_nonce & _NONCE_MASK, lie).encode()
        if lie is not None:
            return processor.read_header(raw), raw_header
        verdict = processor.process_header(raw_header)
        if not isinstance(verdict, Header):
            raise RuleError(verdict.check, verdict.reason)
        return verdict, raw_header

    def _place(self, entry: _Entry) -> None:
        """Hang a block on its parent, which is known; it is the tip where it has the most work."""
        self._entries[entry.hash] = entry
        if entry.parent in self._invalid:
            self._invalid.add(entry.hash)
        elif entry.work > self._known(self.tip).work:
            self._adopt(entry)

    def _known(self, block_hash: bytes) -> _Entry:
        entry = self._entries.get(block_hash)
        if entry is None:
            raise ConfigError(f"the devnet has no block {display_hash(block_hash)}")
        return entry

    def _is_best(self, entry: _Entry) -> bool:
        return entry.height < len(self._best) and self._best[entry.height] == entry.hash

    def _upward(self, entry: _Entry) -> Iterator[_Entry]:
        """Walk from a block to the genesis block, both included."""
        while True:
            yield entry
            if entry.height == 0:
                return
            entry = self._entries[entry.parent]

    def _descends(self, entry: _Entry, ancestor: bytes) -> bool:
        """Tell whether `ancestor` is the block or lies below it."""
        height = self._known(ancestor).height
        found = next((e for e in self._upward(entry) if e.height <= height), entry)
        return found.hash == ancestor

    def _median_time(self, entry: _Entry) -> int:
        times = [e.timestamp for e, _ in zip(self._upward(entry), range(MEDIAN_TIME_BLOCKS), strict=False)]
        return sorted(times)[len(times) // 2]

    def _choose_tip(self) -> None:
        """Work out validity and tip anew; entries are in order of arrival, so parents come first."""
        self._invalid = set()
        best = self._genesis
        for entry in self._entries.values():
            if entry.hash in self._invalidated or entry.parent in self._invalid:
                self._invalid.add(entry.hash)
            elif entry.work > best.work:
                best = entry
        self._adopt(best)

    def _adopt(self, tip: _Entry) -> None:
        """Make the branch of `tip` the best one."""
        branch: list[bytes] = []
        for entry in self._upward(tip):
            if self._is_best(entry):
                del self._best[entry.height + 1 :]
                break
            branch.append(entry.hash)
        self._best.extend(reversed(branch))

    def _remember(self, block_hash: bytes, raw: bytes) -> None:
        """Keep a body, and drop those unused for longest over the limit; the newest always stays."""
        self._bodies[block_hash] = raw
        self._bodies_size += len(raw)
        while self._bodies_size > BODY_CACHE_BYTES_MAX and len(self._bodies) > 1:
            _, dropped = self._bodies.popitem(last=False)
            self._bodies_size -= len(dropped)


def _entry_of(header: Header, raw_header: bytes, below: _Entry | None, recipe: Recipe | None) -> _Entry:
    return _Entry(
        hash=header.hash,
        parent=below.hash if below else header.parent,  # the same object: a hash is kept once
        raw_header=raw_header,
        timestamp=header.timestamp,
        height=below.height + 1 if below else 0,
        work=header.work + (below.work if below else 0),
        recipe=recipe,
    )
