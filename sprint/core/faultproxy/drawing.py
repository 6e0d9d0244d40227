"""Even numbers that follow from a text alone, on every machine and in every version of Python."""

from __future__ import annotations

import hashlib

_BITS = 53  # what a float holds exactly


class SeededDraws:
    """The same seed gives the same numbers. Not for secrets."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0

    def __repr__(self) -> str:
        return f"SeededDraws({self._seed!r}, {self._count} drawn)"

    def random(self) -> float:
        """Return an even number from 0 to below 1."""
        self._count += 1
        digest = hashlib.blake2b(b"%d" % self._count, key=hashlib.sha256(self._seed).digest()).digest()
        return (int.from_bytes(digest[:8], "little") >> (64 - _BITS)) / (1 << _BITS)
