"""The dedup table compiled: the same answers as `dedup.PlainDedupTable`. Importing it compiles it.

Open addressing with linear probing over memory that is allocated once, at most half full. A slot is a word:
32 bits of the key's hash, and the number of its entry. An entry is one cache line of 64 bytes: the 32 bytes,
the space, when it was first seen, and its neighbours in the order of use. Deletion moves later slots of the
run back (Knuth, The Art of Computer Programming 3, 6.4, algorithm R): there are no tombstones, so a table
that has turned over a thousand times is probed as fast as a new one.

Whoever sends hashes may choose them, so slots are chosen by a keyed sum of products that is strongly
universal (Lemire and Kaser 2014, Multilinear-HM): who doesn't know the seed can't choose hashes that crowd.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sprint.core.kernels import _builtin
from sprint.core.kernels.dedup import (
    DIGEST_SIZE,
    Entry,
    Kind,
    SpaceNumbers,
    checked_digest,
    checked_digests,
    checked_entries_max,
)
from sprint.core.kernels.dedup_kernels import (
    ENTRY_SIZE,
    STATE_SIZE,
    forget_builtin,
    forget_one,
    seen_builtin,
    seen_each,
    seen_one,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

SLOTS_PER_ENTRY_MIN: Final = 2
STATE_WORDS: Final = 5  # entries held; numbers of the newest, the oldest, a free one, the last ever used
_ENTRY = struct.Struct("<32sIIdII8x")  # hash, space, hash of the key, first seen, older, newer
_WORD_MASK = (1 << 64) - 1


class CompiledDedupTable:
    """A table of `entries_max`; `seed` are secret bytes that choose the slots.

    It takes 64 bytes for each entry and 16 to 32 for its slots. One owner, no locks. With
    `by_builtin` single calls go through builtins, else through numba's own dispatcher.
    """

    def __init__(self, entries_max: int, seed: bytes, *, by_builtin: bool | None = None) -> None:
        self.entries_max = checked_entries_max(entries_max)
        slots = 1 << (SLOTS_PER_ENTRY_MIN * entries_max - 1).bit_length()
        slots_size = -(-8 * slots // ENTRY_SIZE) * ENTRY_SIZE
        # One piece, so that numpy asks for huge pages where it is large; a line more lets it begin at one.
        self._memory = np.zeros(slots_size + STATE_SIZE + (entries_max + 2) * ENTRY_SIZE, np.uint8)
        start = -self._memory.ctypes.data % ENTRY_SIZE
        self._slots = self._memory[start : start + 8 * slots].view(np.uint64)
        self._state = self._memory[start + slots_size :][: 8 * STATE_WORDS].view(np.uint64)
        self._lines = self._memory[start + slots_size + STATE_SIZE :]  # numbered from 1
        self._keys = struct.unpack("<10Q", hashlib.shake_256(seed).digest(80))
        self._numbers = SpaceNumbers()
        self._by_builtin = _builtin.layout_is_known() if by_builtin is None else by_builtin

    def __repr__(self) -> str:
        return f"CompiledDedupTable({len(self)} of {self.entries_max})"

    def __len__(self) -> int:
        return int(self._state[0])

    @property
    def size_bytes(self) -> int:
        """The memory that is allocated."""
        return self._memory.nbytes

    def space(self, chain: str, kind: Kind, ttl_s: float) -> CompiledSpace:
        number = self._numbers.number(chain, kind)
        start, of_space, *keys = self._keys
        words = np.array(
            [
                self._slots.ctypes.data,
                self._lines.ctypes.data,
                self._state.ctypes.data,
                len(self._slots) - 1,
                self.entries_max,
                number,
                struct.unpack("<Q", struct.pack("<d", ttl_s))[0],
                (start + of_space * number) & _WORD_MASK,
                *keys,
            ],
            np.uint64,
        )
        space = CompiledSpace(words, self._memory)
        if self._by_builtin:
            space.use_builtins()
        return space

    def entries(self) -> list[Entry]:
        names, found = self._numbers.names(), []
        number = int(self._state[2])
        while number:
            line = self._lines[number * ENTRY_SIZE :][:ENTRY_SIZE].tobytes()
            digest, space, _, first_seen, _, number = _ENTRY.unpack(line)
            chain, kind = names[space]
            found.append(Entry(chain, kind, digest, first_seen))
        return found


def compiled_tables(secret: bytes) -> Callable[[int], CompiledDedupTable]:
    """Return what makes compiled tables whose slots `secret` chooses."""
    return partial(CompiledDedupTable, seed=secret)


class CompiledSpace:
    """`seen` and `forget` are builtins where `use_builtins` was called."""

    def __init__(self, words: np.ndarray[Any, np.dtype[np.uint64]], memory: object) -> None:
        self.words = words
        self._memory = memory  # addresses in it are in the words
        self.seen: Callable[[bytes, float], bool] = self._seen
        self.forget: Callable[[bytes], bool] = self._forget

    def use_builtins(self) -> None:
        """Call through builtins. Those hand what they don't take as it is to the methods of another space."""
        other = CompiledSpace(self.words, self._memory)
        self.seen = _builtin_of(seen_builtin.address, "seen", other, other.seen)
        self.forget = _builtin_of(forget_builtin.address, "forget", other, other.forget)

    def seen_many(self, digests: Buffer, now: float, /) -> bytearray:
        flat = np.frombuffer(checked_digests(digests).toreadonly(), np.uint8)
        answers = bytearray(len(flat) // DIGEST_SIZE)
        if answers:
            seen_each(self.words, flat, float(now), np.frombuffer(answers, np.uint8))
        return answers

    def _seen(self, digest: bytes, now: float, /) -> bool:
        return bool(seen_one(self.words, checked_digest(bytes(checked_digest(digest))), float(now)))

    def _forget(self, digest: bytes, /) -> bool:
        return bool(forget_one(self.words, checked_digest(bytes(checked_digest(digest)))))


def _builtin_of(address: int, name: str, space: CompiledSpace, otherwise: Callable[..., bool]) -> Any:
    known = (*_builtin.shared_words(), id(otherwise))
    context = space.words.tobytes() + struct.pack(f"<{len(known)}Q", *known)
    return _builtin.make_builtin(address, name, (context, otherwise))
