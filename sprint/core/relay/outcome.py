"""What one step of the pipeline changes and asks for, and how that becomes a numbered commit.

An outcome collects *drafts* (what happened) while the rules run; `number` turns them into events at the
last moment, because an event says how many sources had announced its block by then and how long it took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sprint.core.chains import display_hash
from sprint.core.model import (
    BlockData,
    ChainStatusData,
    CheckSlip,
    EventData,
    FinalizedData,
    GapData,
    HeaderData,
    HeaderWithdrawnData,
    ReorgData,
    SourceStatusData,
    rfc3339,
)
from sprint.core.protocols.announcements import Announcement
from sprint.core.relay.event_log import BlockRow, Commit, EventLog
from sprint.core.relay.fetch import Request
from sprint.core.relay.head import BlockRecord, HeadChange, Node, Passed

_encode_record = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(BlockRecord).decode
_decode_passed = msgspec.json.Decoder(Passed).decode


class Penalty(msgspec.Struct, frozen=True):
    """Points that a source's score pays, why, and for which block, if for one."""

    source: str
    points: int
    reason: str
    block_hash: bytes = b""


class BlockDraft(msgspec.Struct, frozen=True):
    node: Node


class HeaderDraft(msgspec.Struct, frozen=True):
    node: Node


CountAgreed = Callable[[Sequence[str]], int]  # how many agree where these sources do

Draft = (
    BlockDraft
    | HeaderDraft
    | HeaderWithdrawnData
    | ReorgData
    | FinalizedData
    | GapData
    | ChainStatusData
    | SourceStatusData
)


class Outcome:
    """Collects what a step did. `touched` are the nodes whose rows change.

    `late` has by source how long a body was waited for there that has not come.
    """

    __slots__ = ("canonical", "drafts", "head", "late", "penalties", "readmit", "requests", "touched")

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.touched: dict[bytes, Node] = {}
        self.canonical: dict[bytes, bool] = {}
        self.head: Node | None = None
        self.requests: list[Request] = []
        self.penalties: list[Penalty] = []
        self.late: dict[str, float] = {}
        self.readmit: list[Announcement] = []

    def __repr__(self) -> str:
        return f"Outcome({len(self.drafts)} drafts, {len(self.touched)} rows, {len(self.requests)} requests)"

    def touch(self, node: Node, *, canonical: bool | None = None) -> None:
        self.touched[node.hash] = node
        if canonical is not None:
            self.canonical[node.hash] = canonical

    def move_head(self, change: HeadChange) -> None:
        """Draft what a move of the head says: the reorg first, then the blocks not yet delivered.

        Blocks below the log's begin (`anchored`) are not owed, also when a reorg leads back to them.
        """
        self.head = change.added[-1]
        if change.removed:
            removed = tuple(display_hash(n.hash) for n in change.removed)
            added = tuple(display_hash(n.hash) for n in change.added)
            self.drafts.append(ReorgData(change.fork.height, removed, added, len(removed)))
        for node in change.removed:
            self.touch(node, canonical=False)
        for node in change.added:
            self.touch(node, canonical=True)
            if node.missing is not None:
                node.missing = msgspec.structs.replace(node.missing, told=True)
                self._tell_gap(node, node.missing.reason)
            elif not node.delivered and not node.anchored:
                self.deliver(node)

    def _tell_gap(self, node: Node, reason: str) -> None:
        """Tell of a block that is passed over; one event for those that follow one another."""
        last = self.drafts[-1] if self.drafts else None
        if isinstance(last, GapData) and last.reason == reason and last.to_height == node.height - 1:
            self.drafts[-1] = GapData(last.from_height, node.height, reason)
        else:
            self.drafts.append(GapData(node.height, node.height, reason))

    def deliver(self, node: Node) -> None:
        node.delivered = True
        self.drafts.append(BlockDraft(node))


def number(
    outcome: Outcome, chain: str, log: EventLog, now: float, count_agreed: CountAgreed
) -> Commit | None:
    """Number and encode an outcome's drafts; None where it changes nothing that is kept."""
    events = tuple(log.append(chain, _event_data(draft, now, count_agreed)) for draft in outcome.drafts)
    if not events and not outcome.touched and outcome.head is None:
        return None
    rows = tuple(
        block_row(chain, node, canonical=outcome.canonical.get(node.hash, False))
        for node in outcome.touched.values()
    )
    head = outcome.head.hash if outcome.head is not None else None
    return Commit(chain, events, rows, tuple(outcome.canonical.items()), head, _stalled(outcome))


def _stalled(outcome: Outcome) -> str | None:
    """What the last `chain_status` said, if one is told."""
    told = [draft for draft in outcome.drafts if isinstance(draft, ChainStatusData)]
    return (told[-1].reason if told[-1].status == "stalled" else "") if told else None


def block_row(chain: str, node: Node, *, canonical: bool) -> BlockRow:
    return BlockRow(
        chain=chain,
        hash=node.hash,
        parent=node.header.parent,
        height=node.height,
        work=node.work,
        header=node.header.raw,
        state=_state_of(node),
        canonical=canonical,
        record=_kept(node),
    )


def _kept(node: Node) -> bytes:
    """Encode what is kept of a body, or why there is none."""
    told = node.header_sent and not node.delivered
    if node.record is not None and node.record.told != told:
        return _encode_record(msgspec.structs.replace(node.record, told=told))
    kept = node.record or node.missing
    return _encode_record(kept) if kept is not None else b""


def restore_state(node: Node, row: BlockRow) -> None:
    """Undo `block_row` for the fields that a header does not give."""
    node.anchored = row.state == "anchored"
    if row.state == "missing":
        node.missing = _decode_passed(row.record)
        return
    node.delivered = row.state == "delivered"
    node.record = _decode_record(row.record) if row.record else None
    told = node.record is not None and node.record.told and not node.delivered
    node.header_sent = told or row.state == "told"


def _state_of(node: Node) -> str:
    if node.delivered:
        return "delivered"
    if node.anchored:
        return "anchored"
    if node.invalid:
        return "refused"
    if not node.settled:
        return "told" if node.header_sent else "known"
    return "held" if node.missing is None else "missing"


def _event_data(draft: Draft, now: float, count_agreed: CountAgreed) -> EventData:
    if isinstance(draft, BlockDraft):
        return _block_data(draft.node, now, count_agreed)
    if isinstance(draft, HeaderDraft):
        return _header_data(draft.node, now)
    return draft


def _block_data(node: Node, now: float, count_agreed: CountAgreed) -> BlockData:
    record = node.record
    if record is None:
        raise AssertionError(f"{node!r} is delivered without a body")
    sources = _sources_of(node) or (record.source,)
    return BlockData(
        hash=display_hash(node.hash),
        height=node.height,
        parent=display_hash(node.header.parent),
        timestamp=rfc3339(node.header.timestamp),
        tx_count=record.tx_count,
        size=record.size,
        validation="full",
        source=sources[0],
        sources_seen=len(sources),
        agreed_by=count_agreed(sources),
        relay_time_ms=_elapsed_ms(node, now),
        proof=CheckSlip(record.checks, sources),
        native=node.header.native,
        late=record.late,
    )


def _header_data(node: Node, now: float) -> HeaderData:
    sources = _sources_of(node)
    return HeaderData(
        hash=display_hash(node.hash),
        height=node.height,
        parent=display_hash(node.header.parent),
        timestamp=rfc3339(node.header.timestamp),
        source=sources[0] if sources else "",
        relay_time_ms=_elapsed_ms(node, now),
        native=node.header.native,
    )


def _sources_of(node: Node) -> tuple[str, ...]:
    """Return the names of those who announced it, first one first."""
    return tuple(sorted(node.sources, key=node.sources.__getitem__))


def _elapsed_ms(node: Node, now: float) -> float:
    return round((now - node.read_at) * 1000, 3) if node.read_at else 0.0
