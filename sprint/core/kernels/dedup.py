"""Which hashes were seen of late: an exact table, bounded in entries, whose entries count for a time.

A hash is a duplicate only if the same 32 bytes of the same chain and kind are held: all of them are kept
and compared, so one that was never given is never called seen. An entry counts for `ttl_s` from when it
was first seen; a repeat does not prolong it, and one at its end, or of a time that is still to come after
the clock was set back, is taken for new. Each look makes its entry the most recently used, and at capacity
the least recently used goes. The table saves work; the chain tree and the log decide what is new.

`PlainDedupTable` is the obvious form and the reference; `dedup_compiled` has the same interface and is held
equal to it, the order of its entries included.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from typing_extensions import Buffer

DIGEST_SIZE = 32
ENTRIES_MAX = 1 << 24  # of one table: 1.3 to 1.5 GiB in the compiled form
SPACES_MAX = 1 << 16  # chains and kinds of one table


class Kind(IntEnum):
    """What a hash is of."""

    BLOCK = 0
    HEADER = 1
    TRANSACTION = 2
    ANNOUNCEMENT = 3


class Entry(NamedTuple):
    """One hash that is held. `first_seen` is the time that was given with it, in seconds."""

    chain: str
    kind: Kind
    digest: bytes
    first_seen: float


class Space(Protocol):
    """The hashes of one chain and kind within a table. Times are of one clock, in seconds.

    All raise TypeError for a hash that is not bytes and ValueError for one that has not 32 of them.
    """

    def seen(self, digest: bytes, now: float, /) -> bool:
        """Tell whether a hash was seen within the last `ttl_s`; it was from now on."""

    def seen_many(self, digests: Buffer, now: float, /) -> bytearray:
        """Do as `seen` for each of n hashes, 32 bytes each in one piece; return n bytes, each 1 or 0."""

    def forget(self, digest: bytes, /) -> bool:
        """Drop a hash, as after a check that failed; tell whether it was held."""


class DedupTable(Protocol):
    """Spaces that share one bound on their entries."""

    entries_max: int

    def __len__(self) -> int:
        """Return how many entries are held, those that no longer count included."""

    def space(self, chain: str, kind: Kind, ttl_s: float) -> Space:
        """Return the hashes of a chain and kind, whose entries count for `ttl_s`."""

    def entries(self) -> list[Entry]:
        """Return all entries, the least recently used first."""


class SpaceNumbers:
    """The number of each chain and kind: what stands in an entry's key beside the hash."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, Kind], int] = {}

    def number(self, chain: str, kind: Kind) -> int:
        """Return the number of a space, a new one for a new space; ValueError beyond SPACES_MAX."""
        found = self._numbers.setdefault((chain, kind), len(self._numbers))
        if found >= SPACES_MAX:
            del self._numbers[chain, kind]
            raise ValueError(
                f"{found + 1} chains and kinds in one table, limit {SPACES_MAX}: make another table"
            )
        return found

    def names(self) -> list[tuple[str, Kind]]:
        """Return chain and kind of each number."""
        return list(self._numbers)


class PlainDedupTable:
    """An ordered dict of keys to the times when they were first seen, the least recently used first."""

    def __init__(self, entries_max: int) -> None:
        self.entries_max = checked_entries_max(entries_max)
        self._held: OrderedDict[tuple[int, bytes], float] = OrderedDict()
        self._numbers = SpaceNumbers()

    def __repr__(self) -> str:
        return f"PlainDedupTable({len(self)} of {self.entries_max})"

    def __len__(self) -> int:
        return len(self._held)

    def space(self, chain: str, kind: Kind, ttl_s: float) -> PlainSpace:
        return PlainSpace(self._held, self.entries_max, self._numbers.number(chain, kind), ttl_s)

    def entries(self) -> list[Entry]:
        names = self._numbers.names()
        return [Entry(*names[number], digest, at) for (number, digest), at in self._held.items()]


class PlainSpace:
    def __init__(
        self, held: OrderedDict[tuple[int, bytes], float], entries_max: int, number: int, ttl_s: float
    ) -> None:
        self._held = held
        self._entries_max = entries_max
        self._number = number
        self._ttl_s = ttl_s

    def seen(self, digest: bytes, now: float, /) -> bool:
        return self._look((self._number, checked_digest(digest)), now)

    def seen_many(self, digests: Buffer, now: float, /) -> bytearray:
        flat, number, look = bytes(checked_digests(digests)), self._number, self._look
        return bytearray(
            [look((number, flat[at : at + DIGEST_SIZE]), now) for at in range(0, len(flat), DIGEST_SIZE)]
        )

    def _look(self, key: tuple[int, bytes], now: float) -> bool:
        held = self._held
        first_seen = held.get(key)
        if first_seen is None:
            if len(held) >= self._entries_max:
                held.popitem(last=False)
            held[key] = now
            return False
        held.move_to_end(key)
        if 0.0 <= now - first_seen < self._ttl_s:
            return True
        held[key] = now
        return False

    def forget(self, digest: bytes, /) -> bool:
        return self._held.pop((self._number, checked_digest(digest)), None) is not None


def fill(table: DedupTable, entries: Iterable[Entry], ttl_s: float) -> None:
    """Put the entries of one table into another: what was used last stays so, and times stay."""
    spaces: dict[tuple[str, Kind], Space] = {}
    for chain, kind, digest, first_seen in entries:
        space = spaces.get((chain, kind))
        if space is None:
            space = spaces[chain, kind] = table.space(chain, kind, ttl_s)
        space.seen(digest, first_seen)


def checked_entries_max(entries_max: int) -> int:
    if not 1 <= entries_max <= ENTRIES_MAX:
        raise ValueError(f"a table of {entries_max} entries; from 1 to {ENTRIES_MAX} can be had")
    return entries_max


def checked_digest(digest: bytes) -> bytes:
    """Return the hash if it is one."""
    if not isinstance(digest, bytes):
        raise TypeError(f"a hash is bytes, not {type(digest).__name__}")
    if len(digest) != DIGEST_SIZE:
        raise ValueError(f"a hash of {len(digest)} bytes, it has {DIGEST_SIZE}")
    return digest


def checked_digests(digests: Buffer) -> memoryview:
    """Return n hashes as bytes in one piece; ValueError where they are not."""
    view = memoryview(digests)
    if not view.c_contiguous:
        raise ValueError("hashes stand in one piece, without gaps between them")
    if view.nbytes % DIGEST_SIZE:
        raise ValueError(f"hashes of {view.nbytes} bytes, not a multiple of {DIGEST_SIZE}")
    return view.cast("B") if view.nbytes else memoryview(b"")
