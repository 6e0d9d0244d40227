"""One group of commits as one transaction: events, blocks, best-branch flags, heads, all or nothing.

Rows are gathered over the whole group and written table by table, which is what makes groups fast; where
a block changes twice within a group, the later commit has the last word, as if they had come one by one.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence

from sprint.core.relay.event_log import BlockRow, Commit, LoggedEvent
from sprint.core.relay.records import Record
from sprint.tools.store.record_sql import groups, upsert

_INSERT_EVENT = "INSERT INTO sprint_core_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPSERT_BLOCK = """
INSERT INTO sprint_core_blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (chain, height, hash) DO UPDATE SET
    parent = excluded.parent, work = excluded.work, header = excluded.header,
    state = excluded.state, canonical = excluded.canonical, record = excluded.record,
    event_position = coalesce(excluded.event_position, event_position)"""
_BLOCKS_FROM_TOP = "SELECT rowid, hash FROM sprint_core_blocks WHERE chain = ? ORDER BY height DESC"
_SET_CANONICAL = "UPDATE sprint_core_blocks SET canonical = ? WHERE rowid = ?"
# What stalled is given twice: with numbered placeholders Python 3.12 warns of a sequence; 3.14 refuses it.
_UPSERT_HEAD = """
INSERT INTO sprint_core_heads VALUES (?, ?, ?, coalesce(?, ''))
ON CONFLICT (chain) DO UPDATE SET
    head = coalesce(excluded.head, head), seq = max(seq, excluded.seq), stalled = coalesce(?, stalled)"""
_SET_POSITION = "UPDATE sprint_core_log SET position = max(position, ?)"


class _Group:
    """The rows of a group, by table."""

    def __init__(self, commits: Sequence[Commit], now_ms: int) -> None:
        self.events: list[tuple[object, ...]] = []
        self.blocks: list[tuple[object, ...]] = []
        self.canonical: dict[str, dict[bytes, bool]] = {}
        self.heads: dict[str, tuple[bytes | None, int, str | None]] = {}
        self.position = 0
        for commit in commits:
            self._add(commit, now_ms)

    def _add(self, commit: Commit, now_ms: int) -> None:
        chain = commit.chain
        head, seq, stalled = self.heads.get(chain, (None, 0, None))
        self.events += event_values(commit.events, now_ms)
        for event in commit.events:
            seq = max(seq, event.seq)
            self.position = max(self.position, event.position)
        positions = event_positions(commit)
        for row in commit.blocks:
            self.blocks.append(_block_values(row, positions.get(row.hash)))
            if chain in self.canonical:
                self.canonical[chain].pop(row.hash, None)
        if moved := moved_blocks(commit):
            self.canonical.setdefault(chain, {}).update(moved)
        self.heads[chain] = (
            commit.head if commit.head is not None else head,
            seq,
            commit.stalled if commit.stalled is not None else stalled,
        )


def write_group(connection: sqlite3.Connection, commits: Sequence[Commit], now_ms: int) -> None:
    """Write a group in one transaction. On any error nothing of it stays."""
    group = _Group(commits, now_ms)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if group.events:
            connection.executemany(_INSERT_EVENT, group.events)
            connection.execute(_SET_POSITION, (group.position,))
        if group.blocks:
            connection.executemany(_UPSERT_BLOCK, group.blocks)
        for chain, flags in group.canonical.items():
            _set_canonical(connection, chain, flags)
        heads = [(chain, *values, values[-1]) for chain, values in group.heads.items()]
        connection.executemany(_UPSERT_HEAD, heads)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def write_records(connection: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Write records in one transaction of their own, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, rows in groups(records):
            connection.executemany(upsert(table, "sqlite"), rows)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _set_canonical(connection: sqlite3.Connection, chain: str, flags: dict[bytes, bool]) -> None:
    """Move blocks on or off the best branch. They lie near the top, so they are looked for from there."""
    left = dict(flags)
    found: list[tuple[bool, int]] = []
    for rowid, block_hash in connection.execute(_BLOCKS_FROM_TOP, (chain,)):
        if block_hash in left:
            found.append((left.pop(block_hash), rowid))
            if not left:
                break
    if left:
        raise ValueError(f"{chain}: block {next(iter(left)).hex()} changes branch but is not stored")
    connection.executemany(_SET_CANONICAL, found)


def event_positions(commit: Commit) -> dict[bytes, int]:
    """Find the block that each `block` event tells of.

    An event shows its hash as its chain displays it, which this place does not know; within one commit the
    height tells as well, since one commit delivers blocks of one branch: the best one.
    """
    by_height = {event.height: event.position for event in commit.events if event.type == "block"}
    if not by_height:
        return {}
    flags = dict(commit.canonical)
    delivered = [row for row in commit.blocks if row.state == "delivered" and row.height in by_height]
    delivered.sort(key=lambda row: flags.get(row.hash, row.canonical))
    hash_by_height = {row.height: row.hash for row in delivered}  # the last one stays: the canonical one
    return {block_hash: by_height[height] for height, block_hash in hash_by_height.items()}


def moved_blocks(commit: Commit) -> dict[bytes, bool]:
    """Return the flags of the blocks that change branch, but for those whose own row in the commit says it.

    A block that is delivered joins the best branch with its row; only where a reorg leads back to blocks that
    are stored is there more to write.
    """
    if not commit.canonical:
        return {}
    said = {row.hash: row.canonical for row in commit.blocks}
    return {each: flag for each, flag in dict(commit.canonical).items() if said.get(each) is not flag}


def last_position(commits: Sequence[Commit]) -> int | None:
    """Return the position that a group ends at; None where it has no event."""
    return next((commit.events[-1].position for commit in reversed(commits) if commit.events), None)


def hash_key(displayed_hash: str) -> int:
    """The 32 bits that a delivered block is found by."""
    return zlib.crc32(displayed_hash.encode())


def event_values(events: Sequence[LoggedEvent], now_ms: int) -> list[tuple[object, ...]]:
    """Return the rows of events, made in one go: there are thousands in a group."""
    return [
        (
            event.position,
            event.chain,
            event.seq,
            event.type,
            event.hash,
            hash_key(event.hash) if event.type == "block" and event.hash is not None else None,
            event.height,
            now_ms,
            event.body,
        )
        for event in events
    ]


def _block_values(row: BlockRow, event_position: int | None) -> tuple[object, ...]:
    work = row.work.to_bytes((row.work.bit_length() + 7) // 8, "big")
    return (
        row.chain,
        row.hash,
        row.parent,
        row.height,
        work,
        row.header,
        row.state,
        row.canonical,
        row.record,
        event_position,
    )
