"""The dedup table beside an OrderedDict and cachebox: hashes that three sources announce, 100,000 entries.

    python -m tests.bench.bench_dedup [--rounds N]

Each hash comes three times within some 3,000 others, as bytes of their own each time, just cut out of a
message of 1,000: what a dict spends on hashing them counts. A round is 300,000 looks at tables that are
full, a third of them new and so an eviction each. All are exact and bounded; they differ:

- OrderedDict: least recently used goes, time of first sight, the time as an argument; a method of a class
  with slots, as short as it can be. What the ratios are taken to.
- reference: our plain twin, the same with spaces and checks of arguments.
- cachebox TTLCache: the oldest goes and not the least recently used, the time it takes from the clock
  itself; both ways to use it are measured. cachebox LRUCache: recency, no time at all.
- compiled by builtin, by numba's dispatcher, in batches.

The last row is the loop, a call of a builtin and the hash that a dict takes: no dict is faster.
"""

from __future__ import annotations

import argparse
import random
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import cachebox

from sprint.core.kernels.dedup import DedupTable, Kind, PlainDedupTable, Space
from sprint.core.kernels.dedup_compiled import CompiledDedupTable
from tests.bench.figures import environment
from tests.bench.side_by_side import Run, lines, measure, tell_ratio, timed

ENTRIES_MAX = 100_000
LOOKS = 300_000
MESSAGE = 1_000
SIGHTINGS = 3
SPREAD = 3_000
TTL_S = 600.0
NOW = 1_000.0
BATCHES = (MESSAGE, 100, 10)


class Announcements:
    """The looks of each round, one after the other, without an end."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._rounds: dict[int, bytes] = {}

    def packed(self, number: int) -> bytes:
        """The hashes of a round in one piece; the same for all who ask."""
        if number not in self._rounds:
            fresh = [self._random.randbytes(32) for _ in range(LOOKS // SIGHTINGS)]
            places = [
                (place * SIGHTINGS + self._random.randrange(SPREAD), digest)
                for place, digest in enumerate(fresh)
                for _ in range(SIGHTINGS)
            ]
            self._rounds[number] = b"".join(digest for _, digest in sorted(places, key=lambda each: each[0]))
        return self._rounds[number]


class OrderedTable:
    """What one writes by hand: an OrderedDict of hashes to when they were first seen."""

    __slots__ = ("_entries_max", "_held", "_ttl_s")

    def __init__(self, entries_max: int, ttl_s: float) -> None:
        self._held: OrderedDict[bytes, float] = OrderedDict()
        self._entries_max, self._ttl_s = entries_max, ttl_s

    def seen(self, digest: bytes, now: float) -> bool:
        held = self._held
        first_seen = held.get(digest)
        if first_seen is None:
            if len(held) >= self._entries_max:
                held.popitem(last=False)
            held[digest] = now
            return False
        held.move_to_end(digest)
        if 0.0 <= now - first_seen < self._ttl_s:
            return True
        held[digest] = now
        return False


def one_by_one(looks: Announcements, seen: Callable[[bytes, float], object]) -> Run:
    def work(digests: list[bytes]) -> None:
        for digest in digests:
            seen(digest, NOW)

    return _of_digests(looks, work)


def in_batches(looks: Announcements, space: Space, size: int) -> Run:
    def work(batches: list[bytes]) -> None:
        for batch in batches:
            space.seen_many(batch, NOW)

    return _of_digests(looks, work, size)


def cachebox_runs(looks: Announcements) -> dict[str, Run]:
    def asks_then_sets(cache: Any) -> Callable[[list[bytes]], None]:
        def work(digests: list[bytes]) -> None:
            for digest in digests:
                if digest not in cache:
                    cache[digest] = True

        return work

    def sets_default(cache: Any) -> Callable[[list[bytes]], None]:
        def work(digests: list[bytes]) -> None:
            for digest in digests:
                cache.setdefault(digest, True)

        return work

    return {
        "cachebox TTLCache, `in` then `[]=`": _of_digests(looks, asks_then_sets(ttl_cache())),
        "cachebox TTLCache, setdefault": _of_digests(looks, sets_default(ttl_cache())),
        "cachebox LRUCache, setdefault (no time)": _of_digests(
            looks, sets_default(cachebox.LRUCache(ENTRIES_MAX))
        ),
    }


def ttl_cache() -> Any:
    return cachebox.TTLCache(ENTRIES_MAX, global_ttl=TTL_S)


def _of_digests(looks: Announcements, work: Callable[[list[bytes]], None], size: int = 1) -> Run:
    """Make the hashes of one message, then look at them: only the looks are timed."""

    def run(number: int) -> float:
        packed, taken_ns = looks.packed(number), 0.0
        step = 32 * max(MESSAGE, size)
        for start in range(0, len(packed), step):
            message = packed[start : start + step]
            digests = [message[at : at + 32 * size] for at in range(0, len(message), 32 * size)]
            taken_ns += timed(partial(work, digests), 1)
        return taken_ns / LOOKS

    return run


def space_of(table: DedupTable) -> Space:
    return table.space("bitcoin", Kind.TRANSACTION, TTL_S)


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the dedup table beside its peers")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    def compiled(*, by_builtin: bool) -> Space:
        return space_of(CompiledDedupTable(ENTRIES_MAX, b"bench", by_builtin=by_builtin))

    looks = Announcements()
    runs: dict[str, Run] = {
        "OrderedDict, least recently used, with time": one_by_one(
            looks, OrderedTable(ENTRIES_MAX, TTL_S).seen
        ),
        "reference": one_by_one(looks, space_of(PlainDedupTable(ENTRIES_MAX)).seen),
        **cachebox_runs(looks),
        "compiled, by builtin": one_by_one(looks, compiled(by_builtin=True).seen),
        "compiled, by numba's dispatcher": one_by_one(looks, compiled(by_builtin=False).seen),
    }
    for size in BATCHES:
        runs[f"compiled, batches of {size:,}"] = in_batches(looks, compiled(by_builtin=True), size)
    runs["dict.get of an empty dict (loop, call, hash)"] = one_by_one(looks, empty_dict_get)
    print(environment())
    for number in range(-(-ENTRIES_MAX * SIGHTINGS // LOOKS)):
        for run in runs.values():
            run(-1 - number)  # until all tables are full
    taken = measure(runs, options.rounds)
    print(*lines(taken), sep="\n")
    ordered, cached = "OrderedDict, least recently used, with time", "cachebox TTLCache, setdefault"
    tell_ratio("dedup, one at a time / OrderedDict", taken, "compiled, by builtin", ordered)
    tell_ratio("dedup, one at a time / cachebox TTLCache", taken, "compiled, by builtin", cached)
    tell_ratio("dedup, batches of 1,000 / OrderedDict", taken, "compiled, batches of 1,000", ordered)


_NOTHING: dict[bytes, float] = {}
empty_dict_get: Callable[[bytes, float], object] = _NOTHING.get


if __name__ == "__main__":
    main()
