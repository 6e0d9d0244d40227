"""The event contract: what a subscriber is given, one frozen record per event type.

An event is made by the pipeline as a *draft* (what happened), numbered and encoded once by
`core.relay.event_log`, and is the same bytes on WebSocket, NDJSON stream and replay. `Event` is the
tagged union that decodes them. Hashes are lower-case hex in the order their chain displays them; times
are RFC 3339 in UTC or milliseconds, as the field name says.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Validation = Literal["full", "header", "linked"]


class CheckSlip(msgspec.Struct, frozen=True):
    """What was proved before the event went out, and which sources had announced the block by then."""

    checks: tuple[str, ...]
    sources: tuple[str, ...]


class BlockData(msgspec.Struct, frozen=True, omit_defaults=True):
    """A validated block. `relay_time_ms`: last byte of the winning announcement read → event encoded."""

    hash: str
    height: int
    parent: str
    timestamp: str
    tx_count: int
    size: int
    validation: Validation
    source: str
    sources_seen: int
    agreed_by: int
    relay_time_ms: float
    proof: CheckSlip
    native: dict[str, Any]
    late: bool = False


class HeaderData(msgspec.Struct, frozen=True):
    """A header that would become the tip: proof of work and parent are checked, its body is not here yet."""

    hash: str
    height: int
    parent: str
    timestamp: str
    source: str
    relay_time_ms: float
    native: dict[str, Any]


class HeaderWithdrawnData(msgspec.Struct, frozen=True):
    hash: str
    height: int
    reason: str


class ReorgData(msgspec.Struct, frozen=True):
    """`removed` runs from the old tip down, `added` from the block above the fork up to the new tip."""

    fork_height: int
    removed: tuple[str, ...]
    added: tuple[str, ...]
    depth: int


class FinalizedData(msgspec.Struct, frozen=True):
    """The newest block that is final by the chain's own rule, and with it all below it."""

    hash: str
    height: int


class GapData(msgspec.Struct, frozen=True):
    from_height: int
    to_height: int
    reason: str


class ChainStatusData(msgspec.Struct, frozen=True):
    status: Literal["stalled", "recovered"]
    reason: str


class SourceStatusData(msgspec.Struct, frozen=True):
    source: str
    status: Literal["ready", "lost", "demoted", "blocked", "re-admitted"]
    reason: str


class BlockEvent(msgspec.Struct, frozen=True, tag_field="type", tag="block"):
    chain: str
    seq: int
    cursor: str
    data: BlockData


class HeaderEvent(msgspec.Struct, frozen=True, tag_field="type", tag="header"):
    chain: str
    seq: int
    cursor: str
    data: HeaderData


class HeaderWithdrawnEvent(msgspec.Struct, frozen=True, tag_field="type", tag="header_withdrawn"):
    chain: str
    seq: int
    cursor: str
    data: HeaderWithdrawnData


class ReorgEvent(msgspec.Struct, frozen=True, tag_field="type", tag="reorg"):
    chain: str
    seq: int
    cursor: str
    data: ReorgData


class FinalizedEvent(msgspec.Struct, frozen=True, tag_field="type", tag="finalized"):
    chain: str
    seq: int
    cursor: str
    data: FinalizedData


class GapEvent(msgspec.Struct, frozen=True, tag_field="type", tag="gap"):
    chain: str
    seq: int
    cursor: str
    data: GapData


class ChainStatusEvent(msgspec.Struct, frozen=True, tag_field="type", tag="chain_status"):
    chain: str
    seq: int
    cursor: str
    data: ChainStatusData


class SourceStatusEvent(msgspec.Struct, frozen=True, tag_field="type", tag="source_status"):
    chain: str
    seq: int
    cursor: str
    data: SourceStatusData


Event = (
    BlockEvent
    | HeaderEvent
    | HeaderWithdrawnEvent
    | ReorgEvent
    | FinalizedEvent
    | GapEvent
    | ChainStatusEvent
    | SourceStatusEvent
)
EventData = (
    BlockData
    | HeaderData
    | HeaderWithdrawnData
    | ReorgData
    | FinalizedData
    | GapData
    | ChainStatusData
    | SourceStatusData
)

# The type names in the order the documentation lists them; subscriptions are checked against these.
EVENT_TYPES: tuple[str, ...] = (
    "header",
    "header_withdrawn",
    "block",
    "reorg",
    "finalized",
    "gap",
    "chain_status",
    "source_status",
)

EVENT_OF_DATA: dict[type, type[msgspec.Struct]] = {
    BlockData: BlockEvent,
    HeaderData: HeaderEvent,
    HeaderWithdrawnData: HeaderWithdrawnEvent,
    ReorgData: ReorgEvent,
    FinalizedData: FinalizedEvent,
    GapData: GapEvent,
    ChainStatusData: ChainStatusEvent,
    SourceStatusData: SourceStatusEvent,
}

decode_event = msgspec.json.Decoder(Event).decode


def rfc3339(unix_seconds: int) -> str:
    """Unix seconds as `2025-09-05T18:55:07Z`."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
