"""Drives one chain's pipeline by hand: blocks of the devnet's ledger in, decoded events out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sprint.core.chains import display_hash
from sprint.core.model import Event, decode_event
from sprint.core.protocols.announcements import (
    Announcement,
    BlockArrived,
    BodiesNotFound,
    HashesAnnounced,
    HeadersAnnounced,
)
from sprint.core.relay.admit import Decision
from sprint.core.relay.event_log import BlockRow, EventLog
from sprint.core.relay.outcome import Outcome, number
from sprint.core.relay.pipeline import Pipeline
from sprint.core.relay.prove import BlockProof, HeadersProof
from sprint.core.relay.restore import new_tree, restore_tree
from sprint.core.relay.settings import ChainSettings
from sprint.core.relay.state import ChainState
from sprint.tools.devnet.ledger import RegtestLedger
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.plugins import ChainCatalog, ChainNetwork

LOG_ID = "0f" * 8
UNIX_TIME = 1_700_000_000.0
NETWORK: ChainNetwork = ChainCatalog.installed().find("bitcoin", "regtest")
PARAMETERS = NETWORK.parameters
PROCESSOR = NETWORK.processor()


class BlockBytes(Protocol):
    """Where a driver takes headers and bodies from."""

    def header(self, block_hash: bytes) -> bytes: ...
    def body(self, block_hash: bytes, *, witness: bool = True) -> bytes: ...


class Blocks:
    """A tree of valid blocks."""

    def __init__(self, seed: str = "blocks") -> None:
        self.ledger = RegtestLedger(PARAMETERS, PROCESSOR, SeededBits(seed))
        self.genesis = self.ledger.tip

    def mine(self, count: int, *, on: bytes | None = None, transactions: int = 0) -> list[bytes]:
        """Mine a run of blocks on a block, by default on the first-seen best tip."""
        found: list[bytes] = []
        parent = self.ledger.tip if on is None else on
        for _ in range(count):
            parent = self.ledger.mine(1_700_000_000, parent=parent, transactions=transactions)
            found.append(parent)
        return found

    def header(self, block_hash: bytes) -> bytes:
        raw = self.ledger.header(block_hash)
        assert raw is not None
        return raw

    def body(self, block_hash: bytes, *, witness: bool = True) -> bytes:
        raw = self.ledger.body(block_hash, witness=witness)
        assert raw is not None
        return raw


class Driver:
    """A pipeline with its log; what it drafts is numbered at once and kept in `events` and `rows`."""

    def __init__(
        self,
        blocks: BlockBytes,
        settings: ChainSettings | None = None,
        *,
        network: ChainNetwork = NETWORK,
        rows: dict[bytes, BlockRow] | None = None,
        head: bytes | None = None,
    ) -> None:
        self.blocks = blocks
        self.settings = settings or ChainSettings()
        self.chain_id = network.chain_id
        self.now = 1_000.0
        self.rows = dict(rows or {})
        self.head = head
        depth = self.settings.retained_blocks_max
        processor, parameters = network.processor(), network.parameters
        tree = (
            new_tree(processor, parameters.genesis, depth)
            if head is None
            else restore_tree(processor, list(self.rows.values()), head, depth)
        )
        self.pipeline = Pipeline(processor, self.settings, tree, parameters.genesis_hash, self.now)
        self.pipeline.set_unix_time(UNIX_TIME, self.now)
        self.log = EventLog(LOG_ID, 0, {})
        self.events: list[Event] = []

    @property
    def state(self) -> ChainState:
        return self.pipeline.state

    def has_begun(self) -> bool:
        return self.state.begun

    def take(self, outcome: Outcome) -> Outcome:
        """Commit an outcome."""
        commit = number(outcome, self.chain_id, self.log, self.now, self.state.providers.count)
        if commit is not None:
            self.events += [decode_event(event.body) for event in commit.events]
            self.rows |= {row.hash: row for row in commit.blocks}
            self.head = commit.head or self.head
        return outcome

    def ready(self, source: str) -> Outcome:
        return self.take(self.pipeline.source_ready(source, self.now))

    def lost(self, source: str) -> Outcome:
        return self.take(self.pipeline.source_lost(source, "gone", self.now))

    def timer(self, after_s: float) -> Outcome:
        self.now += after_s
        return self.take(self.pipeline.handle_timer(self.now))

    def admit(self, announcement: Announcement) -> Decision:
        return self.pipeline.admit(announcement, self.now)

    def settle(self, decision: Decision) -> Outcome:
        """Run the proof that was decided on, and settle it."""
        assert isinstance(decision, HeadersProof | BlockProof), decision
        return self.take(self.pipeline.settle(decision.run(), self.now))

    def headers_of(self, source: str, hashes: Sequence[bytes], *, full: bool = False) -> HeadersAnnounced:
        return HeadersAnnounced(source, tuple(map(self.blocks.header, hashes)), self.now, full)

    def headers(self, source: str, hashes: Sequence[bytes], *, full: bool = False) -> Outcome:
        """Announce headers that are to be proved, prove and settle them."""
        return self.settle(self.admit(self.headers_of(source, hashes, full=full)))

    def block_of(self, source: str, block_hash: bytes, raw: bytes | None = None) -> BlockArrived:
        return BlockArrived(source, self.blocks.body(block_hash) if raw is None else raw, self.now)

    def body(self, source: str, block_hash: bytes, raw: bytes | None = None) -> Outcome:
        """Let a body arrive that is to be proved, prove and settle it."""
        return self.settle(self.admit(self.block_of(source, block_hash, raw)))

    def hashes(self, source: str, hashes: Sequence[bytes]) -> Decision:
        return self.admit(HashesAnnounced(source, tuple(hashes), self.now))

    def not_found(self, source: str, hashes: Sequence[bytes]) -> Decision:
        return self.admit(BodiesNotFound(source, tuple(hashes), self.now))

    def follow(self, source: str, hashes: Sequence[bytes]) -> None:
        """Let headers and then bodies of a run of blocks come from a source."""
        self.headers(source, hashes)
        for block_hash in hashes:
            self.body(source, block_hash)

    def told(self, *types: str) -> list[Any]:
        """The events of some types since the last call, source statuses left out by default; forget all."""
        found = [e for e in self.events if _type(e) in types or (not types and _type(e) != "source_status")]
        self.events.clear()
        return found

    def told_types(self) -> list[str]:
        return [_type(event) for event in self.told()]

    def delivered(self) -> list[str]:
        """Hashes of the `block` events since the last call."""
        return [event.data.hash for event in self.told("block")]


def begun(
    blocks: BlockBytes,
    settings: ChainSettings | None = None,
    *sources: str,
    network: ChainNetwork = NETWORK,
) -> Driver:
    """A pipeline whose log has begun at the genesis block; its sources are ready and asked nothing."""
    driver = Driver(blocks, settings, network=network)
    names = sources or ("a",)
    for source in names:
        driver.ready(source)
    for source in names:
        driver.settle(driver.admit(HeadersAnnounced(source, (), driver.now)))
    assert driver.has_begun()
    driver.told()
    return driver


def shown(hashes: Sequence[bytes]) -> list[str]:
    return [display_hash(block_hash) for block_hash in hashes]


def _type(event: Event) -> str:
    return str(event.__struct_config__.tag)
