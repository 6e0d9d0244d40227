"""Rows of single things: of an event that tells of a header, a block or a reorg, and of an order."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sprint.core.model import BlockEvent, HeaderEvent, ReorgEvent
from sprint.core.relay import record_tables as tables
from sprint.core.relay.event_log import LoggedEvent
from sprint.core.relay.records import Record
from sprint.tools.relay.audit import OrderGiven

CHAIN_EVENTS = frozenset(("header", "block", "reorg"))
_decode = msgspec.json.Decoder(HeaderEvent | BlockEvent | ReorgEvent).decode


def event_row(event: LoggedEvent, at_ms: int) -> Record:
    """Return the row of an event whose type is one of `CHAIN_EVENTS`."""
    told = _decode(event.body)
    if isinstance(told, ReorgEvent):
        removed, added = (msgspec.json.encode(each).decode() for each in (told.data.removed, told.data.added))
        reorg = (told.chain, told.seq, told.data.fork_height, told.data.depth, removed, added, at_ms)
        return Record(tables.REORGS, reorg)
    data = told.data
    block_time = int(datetime.fromisoformat(data.timestamp).timestamp())
    header = (told.chain, data.height, data.hash, data.parent, block_time, data.source, data.relay_time_ms)
    if isinstance(told, HeaderEvent):
        return Record(tables.HEADERS, (*header, None, None, None, None, at_ms))
    body = (told.data.tx_count, told.data.size, told.data.sources_seen, told.data.agreed_by)
    return Record(tables.HEADERS, (*header, *body, at_ms))


def order_row(order: OrderGiven, at_ms: int) -> Record:
    """Return the row of an order."""
    return Record(tables.AUDIT_LOG, (at_ms, *msgspec.structs.astuple(order)))
