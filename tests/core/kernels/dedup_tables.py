"""Dedup tables of every binding, and random operations that are held against the reference."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sprint.core.kernels.dedup import DedupTable, Kind, PlainDedupTable, Space

SPACES = (("bitcoin", Kind.TRANSACTION), ("bitcoin", Kind.BLOCK), ("litecoin", Kind.TRANSACTION))
TTL_S = 60.0
NewTable = Callable[[int], DedupTable]


def plain(entries_max: int) -> DedupTable:
    return PlainDedupTable(entries_max)


def by_builtin(entries_max: int, seed: bytes = b"seed") -> DedupTable:
    compiled = pytest.importorskip("sprint.core.kernels.dedup_compiled", exc_type=ImportError)
    table: DedupTable = compiled.CompiledDedupTable(entries_max, seed, by_builtin=True)
    return table


def by_call(entries_max: int, seed: bytes = b"seed") -> DedupTable:
    compiled = pytest.importorskip("sprint.core.kernels.dedup_compiled", exc_type=ImportError)
    table: DedupTable = compiled.CompiledDedupTable(entries_max, seed, by_builtin=False)
    return table


COMPILED = (by_builtin, by_call)
BINDINGS = (plain, *COMPILED)


def spaces(table: DedupTable) -> list[Space]:
    return [table.space(chain, kind, TTL_S) for chain, kind in SPACES]


class RandomOperations:
    """The same operations on a table and on the reference, with a clock that jumps.

    Over all spaces there are half as many keys again as the table holds, and a key's time passes in about as
    many operations as it takes to be met again: hits, expired entries and evictions are all common. Some
    hashes differ from one of the pool in a single bit.
    """

    def __init__(self, table: DedupTable, seed: int) -> None:
        self._random = random.Random(seed)
        self._table, self._reference = table, PlainDedupTable(table.entries_max)
        self._spaces = list(zip(spaces(table), spaces(self._reference), strict=True))
        self._pool = [self._random.randbytes(32) for _ in range(table.entries_max // 2 + 1)]
        self._now = 1_000.0
        self.done = 0
        self.duplicates = 0

    def run(self, operations: int) -> None:
        while self.done < operations:
            self._now += self._step_s()
            ours, theirs = self._random.choice(self._spaces)
            kind = self._random.random()
            if kind < 0.1:
                digests = b"".join(self._digest() for _ in range(self._random.randrange(40)))
                answers = ours.seen_many(digests, self._now)
                assert answers == theirs.seen_many(digests, self._now), self
                self._count(len(answers), sum(answers))
            elif kind < 0.2:
                digest = self._digest()
                assert ours.forget(digest) is theirs.forget(digest), self
                self._count(1, 0)
            else:
                digest = self._digest()
                answer = ours.seen(digest, self._now)
                assert answer is theirs.seen(digest, self._now), self
                self._count(1, answer)
        self.compare()

    def compare(self) -> None:
        assert len(self._table) == len(self._reference)
        assert self._table.entries() == self._reference.entries()

    def __repr__(self) -> str:
        return f"RandomOperations({self._table!r}, {self.done} done, at {self._now})"

    def _count(self, operations: int, duplicates: int) -> None:
        self.done += operations
        self.duplicates += duplicates

    def _step_s(self) -> float:
        kind = self._random.random()
        if kind < 0.000_5:
            return self._random.uniform(-3 * TTL_S, 3 * TTL_S)
        return self._random.choice((0.0, 0.001, TTL_S / self._table.entries_max))

    def _digest(self) -> bytes:
        digest = self._random.choice(self._pool)
        if self._random.random() < 0.02:
            flipped = int.from_bytes(digest, "little") ^ 1 << self._random.randrange(256)
            return flipped.to_bytes(32, "little")
        return digest
