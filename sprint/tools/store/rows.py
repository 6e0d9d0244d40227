"""Rows of a database as the values that a store answers with; both dialects select the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sprint.core.relay.event_log import BlockRow, LoggedEvent
from sprint.tools.store import StoredBlock

Row = tuple[Any, ...]


def block_row(row: Row) -> BlockRow:
    """Return a row of `blocks`: chain, hash, parent, height, work, header, state, canonical, record."""
    chain, block_hash, parent, height, work, header, state, canonical, record = row
    return BlockRow(
        chain=chain,
        hash=block_hash,
        parent=parent,
        height=height,
        work=int.from_bytes(work, "big"),
        header=header,
        state=state,
        canonical=bool(canonical),
        record=record,
    )


def stored_block(row: Row) -> StoredBlock:
    """Return a delivered block: chain, displayed hash, height, canonical, its event's body."""
    chain, displayed_hash, height, canonical, body = row
    return StoredBlock(chain, displayed_hash, height, bool(canonical), body)


def logged_events(rows: Iterable[Row], cursor: Callable[[int, str], str]) -> list[LoggedEvent]:
    """Return events: position, chain, seq, type, body, displayed hash, height; `cursor` makes theirs."""
    return [
        LoggedEvent(position, chain, seq, kind, cursor(position, chain), body, displayed_hash, height)
        for position, chain, seq, kind, body, displayed_hash, height in rows
    ]
