"""What SHA-256 is made of (FIPS 180-4), as numbers for those who write code for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import isqrt

WORD = 0xFFFF_FFFF
ROUNDS = 64
BLOCK_SIZE = 64  # bytes
_FIRST_WORDS = 16  # of the schedule: the block itself


def _primes() -> list[int]:
    return list(islice((n for n in range(2, 400) if all(n % d for d in range(2, isqrt(n) + 1))), ROUNDS))


def _cube_root(value: int) -> int:
    low, high = 0, 1 << value.bit_length()
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle - 1)
    return low


# The first 32 bits behind the point of the cube roots of the first 64 primes, and of the square roots of 8.
ROUND_CONSTANTS = tuple(_cube_root(prime << 96) & WORD for prime in _primes())
START = tuple(isqrt(prime << 64) & WORD for prime in _primes()[:8])


def padding(size_bytes: int) -> tuple[int, ...]:
    """Return the words that follow a message of so many bytes, a multiple of four, in its last block."""
    used = size_bytes % BLOCK_SIZE // 4
    return (0x8000_0000, *(0,) * (_FIRST_WORDS - used - 3), size_bytes >> 29, size_bytes * 8 & WORD)


def schedule(block: Sequence[int]) -> tuple[int, ...]:
    """Return the 64 words that the rounds take in, from a block's sixteen."""
    words = list(block)
    for number in range(_FIRST_WORDS, ROUNDS):
        early, late = words[number - 15], words[number - 2]
        small = _turned(early, 7) ^ _turned(early, 18) ^ early >> 3
        large = _turned(late, 17) ^ _turned(late, 19) ^ late >> 10
        words.append(words[number - 16] + small + words[number - 7] + large & WORD)
    return tuple(words)


def _turned(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) & WORD
