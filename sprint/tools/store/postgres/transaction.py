"""One group of commits as one transaction: events, blocks, best-branch flags, heads, all or nothing.

Many events are loaded by COPY, as many new blocks are (`block_rows`); a few go in with the rest, in one round
trip. What a group's statements find
is checked before it is committed: that nobody else has written, that positions and seqs grow over all
partitions, that each block is delivered once in a log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec
import psycopg
from psycopg.rows import TupleRow

from sprint.core.relay.event_log import BlockRow, Commit
from sprint.tools.store.postgres import block_rows
from sprint.tools.store.postgres.block_rows import Placed, Tops
from sprint.tools.store.postgres.link import Connection
from sprint.tools.store.transaction import event_positions, event_values, moved_blocks

COPY_EVENTS_MIN = 16
HASHES_TOLD_MAX = 3
_EVENT_TYPES = ("date", "int8", "text", "int8", "text", "text", "int8", "int8", "int8", "bytea")
_COPY = """
COPY sprint_core.events (day, position, chain, seq, type, hash, hash_key, height, committed_at_ms, body)
FROM STDIN (FORMAT BINARY)"""
_INSERT_EVENTS = """
INSERT INTO sprint_core.events
    (day, position, chain, seq, type, hash, hash_key, height, committed_at_ms, body)
SELECT %b::date, * FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::bigint[],
    %b::bigint[], %b::bigint[], %b::bytea[])"""
_TAKE_TURN = """
UPDATE sprint_core.log SET written = written + 1, position = coalesce(%s, position)
WHERE log_id = %s AND written = %s AND position < coalesce(%s, position + 1)"""
_NEW_DAY = "INSERT INTO sprint_core.event_days VALUES (%s, %s) ON CONFLICT (day) DO NOTHING"
_SET_CANONICAL = """
UPDATE sprint_core.blocks AS kept SET canonical = given.canonical
FROM unnest(%s::bytea[], %s::boolean[]) AS given (hash, canonical)
WHERE kept.chain = %s AND kept.hash = given.hash"""
_UPSERT_HEAD = """
INSERT INTO sprint_core.heads AS kept
VALUES (%(chain)s, %(head)s, coalesce(%(last)s, 0), coalesce(%(stalled)s, ''))
ON CONFLICT (chain) DO UPDATE SET
    head = coalesce(%(head)s, kept.head), seq = coalesce(%(last)s, kept.seq),
    stalled = coalesce(%(stalled)s, kept.stalled)
WHERE kept.seq < coalesce(%(first)s, kept.seq + 1)"""


class Turn(msgspec.Struct, frozen=True):
    """Whose turn it is: the log, how many transactions it has had, the day of this one."""

    log_id: str
    written: int
    day: date


class Group:
    """The rows of a group, by table; where a block changes twice the later commit has the last word."""

    def __init__(self, commits: Sequence[Commit], now_ms: int) -> None:
        self.events: list[tuple[object, ...]] = []
        self.blocks: dict[tuple[str, int, bytes], Placed] = {}
        self.canonical: dict[str, dict[bytes, bool]] = {}
        self.heads: dict[str, _Head] = {}
        self.first_position: int | None = None
        self.last_position: int | None = None
        for commit in commits:
            self._add(commit, now_ms)

    def _add(self, commit: Commit, now_ms: int) -> None:
        head = self._head(commit.chain)
        self.events += event_values(commit.events, now_ms)
        for event in commit.events:
            if self.last_position is not None and event.position <= self.last_position:
                raise ValueError(f"position {event.position} comes after {self.last_position}")
            self.first_position = event.position if self.first_position is None else self.first_position
            self.last_position = event.position
            (self.heads.get(event.chain) or self._head(event.chain)).count(event.seq)
        head.head = commit.head if commit.head is not None else head.head
        head.stalled = commit.stalled if commit.stalled is not None else head.stalled
        positions = event_positions(commit)
        for block in commit.blocks:
            self._add_block(block, positions.get(block.hash))
        if moved := moved_blocks(commit):
            self.canonical.setdefault(commit.chain, {}).update(moved)

    def _head(self, chain: str) -> _Head:
        return self.heads.setdefault(chain, _Head(chain))

    def _add_block(self, block: BlockRow, position: int | None) -> None:
        key = (block.chain, block.height, block.hash)
        _, before = self.blocks.get(key, (None, None))
        if position is not None and before is not None:
            raise ValueError(
                f"{block.chain}: block {block.hash.hex()} is delivered twice, at {before} and {position}"
            )
        self.blocks[key] = (block, before if position is None else position)
        self.canonical.get(block.chain, {}).pop(block.hash, None)


class _Head:
    """What a group changes of a chain's head."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self.head: bytes | None = None
        self.stalled: str | None = None
        self.first_seq: int | None = None
        self.last_seq: int | None = None

    def count(self, seq: int) -> None:
        if self.last_seq is not None and seq <= self.last_seq:
            raise ValueError(f"{self.chain}: seq {seq} comes after {self.last_seq}")
        self.first_seq = seq if self.first_seq is None else self.first_seq
        self.last_seq = seq


def write_group(connection: Connection, group: Group, turn: Turn, tops: Tops) -> None:
    """Write a group's rows in the transaction that is open; ValueError where something in the log forbids it.

    A psycopg.Error where the server refuses. In both cases the transaction is to be rolled back.
    """
    copied = len(group.events) >= COPY_EVENTS_MIN
    if copied:
        _copy_events(connection, group, turn.day)
    new, others = tops.split(group.blocks.values())
    if new:
        block_rows.copy(connection, new, turn.day)
    with connection.pipeline():
        expected = [_take_turn(connection, group, turn)]
        if group.events and not copied:
            connection.execute(_INSERT_EVENTS, (turn.day, *map(list, zip(*group.events, strict=True))))
        if others:
            expected.append(_upsert_blocks(connection, others, turn.day))
        expected += [_set_canonical(connection, *each) for each in group.canonical.items() if each[1]]
        expected += [_upsert_head(connection, head) for head in group.heads.values()]
    for each in expected:
        if each.cursor.rowcount != each.rows:
            raise ValueError(each.otherwise)


class _Expected(NamedTuple):
    """What a statement must have touched, and what it means where it has not."""

    cursor: psycopg.Cursor[TupleRow]
    rows: int
    otherwise: str


def _copy_events(connection: Connection, group: Group, day: date) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_EVENT_TYPES)
        for row in group.events:
            copy.write_row((day, *row))


def _take_turn(connection: Connection, group: Group, turn: Turn) -> _Expected:
    first, last = group.first_position, group.last_position
    taken = connection.execute(_TAKE_TURN, (last, turn.log_id, turn.written, first))
    if first is not None:
        connection.execute(_NEW_DAY, (turn.day, first))
    return _Expected(
        taken,
        1,
        f"position {first} is not after the log's, or somebody else wrote after transaction {turn.written}",
    )


def _upsert_blocks(connection: Connection, blocks: Sequence[Placed], day: date) -> _Expected:
    upserted = block_rows.upsert(connection, blocks, day)
    return _Expected(upserted, len(blocks), f"of {len(blocks)} blocks some were delivered in this log before")


def _set_canonical(connection: Connection, chain: str, flags: Mapping[bytes, bool]) -> _Expected:
    changed = connection.execute(_SET_CANONICAL, (list(flags), list(flags.values()), chain))
    hashes = ", ".join(block_hash.hex() for block_hash in list(flags)[:HASHES_TOLD_MAX])
    return _Expected(
        changed,
        len(flags),
        f"{chain}: of {len(flags)} blocks that change branch some are not stored: {hashes}",
    )


def _upsert_head(connection: Connection, head: _Head) -> _Expected:
    values = {
        "chain": head.chain,
        "head": head.head,
        "first": head.first_seq,
        "last": head.last_seq,
        "stalled": head.stalled,
    }
    upserted = connection.execute(_UPSERT_HEAD, values)
    return _Expected(upserted, 1, f"{head.chain}: seq {head.first_seq} is in the log already")
