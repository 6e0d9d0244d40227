"""The rows of a group's blocks: many that are new are copied in, the others are merged into what is stored.

A block that lies above every stored one of its chain is new for sure, so that nothing has to be looked for,
and a COPY costs the server a third of what a merge does. `Tops` is what is known of that. Nobody else writes
to these tables; if somebody did, a COPY would meet the table's key, and from then on all is merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import TypeAlias

import psycopg
from psycopg.rows import TupleRow

from sprint.core.relay.event_log import BlockRow
from sprint.tools.store.postgres.link import Connection

COPY_BLOCKS_MIN = 16
# A block, and the position of its event where the group has it.
Placed: TypeAlias = tuple[BlockRow, int | None]
# Each chain that has blocks has a head's row; so no more of the blocks is read than one of each.
_TOPS = """
SELECT chain, coalesce((SELECT max(height) FROM sprint_core.blocks AS blocks
    WHERE blocks.chain = heads.chain), -1) FROM sprint_core.heads AS heads"""
_TYPES = (
    *("text", "bytea", "bytea", "int8", "bytea", "bytea", "text", "bool", "bytea", "int8"),
    "date",
)
_COPY = """
COPY sprint_core.blocks
    (chain, hash, parent, height, work, header, state, canonical, record, event_position, event_day)
FROM STDIN (FORMAT BINARY)"""
# A block that has an event in this log, on a day that is kept, is not given another one.
_UPSERT = """
INSERT INTO sprint_core.blocks AS kept
    (chain, hash, parent, height, work, header, state, canonical, record, event_position, event_day)
SELECT chain, hash, parent, height, work, header, state, canonical, record, event_position,
    CASE WHEN event_position IS NOT NULL THEN %b::date END
FROM unnest(%b::text[], %b::bytea[], %b::bytea[], %b::bigint[], %b::bytea[], %b::bytea[], %b::text[],
    %b::boolean[], %b::bytea[], %b::bigint[]) WITH ORDINALITY AS
    given (chain, hash, parent, height, work, header, state, canonical, record, event_position, place)
ORDER BY place
ON CONFLICT (chain, height, hash) DO UPDATE SET
    parent = excluded.parent, work = excluded.work, header = excluded.header,
    state = excluded.state, canonical = excluded.canonical, record = excluded.record,
    event_day = coalesce(excluded.event_day, kept.event_day),
    event_position = coalesce(excluded.event_position, kept.event_position)
WHERE excluded.event_position IS NULL OR kept.event_position IS NULL
    OR kept.event_position < (SELECT min(first_position) FROM sprint_core.event_days)"""


class Tops:
    """The highest stored block of each chain, by what its one writer has read and written."""

    def __init__(self, heights: dict[str, int]) -> None:
        self._heights = heights
        self._trusted = True

    def __repr__(self) -> str:
        return f"Tops({self._heights})"

    @classmethod
    def read(cls, connection: Connection) -> Tops:
        return cls(dict(connection.execute(_TOPS).fetchall()))

    def distrust(self) -> None:
        """Take no block for new any more: something is stored that was not read nor written here."""
        self._trusted = False

    def split(self, blocks: Collection[Placed]) -> tuple[list[Placed], list[Placed]]:
        """Return the blocks that are new for sure, where they are worth a COPY, and the others."""
        new: list[Placed] = []
        others: list[Placed] = []
        for each in blocks:
            block = each[0]
            (new if block.height > self._heights.get(block.chain, -1) else others).append(each)
        copied = self._trusted and len(new) >= COPY_BLOCKS_MIN
        return (new, others) if copied else ([], list(blocks))

    def grow(self, blocks: Iterable[Placed]) -> None:
        """Note what is stored by now."""
        for block, _ in blocks:
            if block.height > self._heights.get(block.chain, -1):
                self._heights[block.chain] = block.height


def copy(connection: Connection, blocks: Sequence[Placed], day: date) -> None:
    """Copy new blocks in; psycopg.errors.UniqueViolation where one is stored."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as rows:
        rows.set_types(_TYPES)
        for block, position in blocks:
            rows.write_row((*_values(block, position), None if position is None else day))


def upsert(connection: Connection, blocks: Sequence[Placed], day: date) -> psycopg.Cursor[TupleRow]:
    """Merge blocks in; one that was delivered in this log before is not touched, and not counted."""
    columns = zip(*(_values(*each) for each in blocks), strict=True)
    return connection.execute(_UPSERT, (day, *map(list, columns)))


def _values(block: BlockRow, position: int | None) -> tuple[object, ...]:
    return (
        block.chain,
        block.hash,
        block.parent,
        block.height,
        block.work.to_bytes((block.work.bit_length() + 7) // 8, "big"),
        block.header,
        block.state,
        block.canonical,
        block.record,
        position,
    )
