"""Randomness that replays: SHA-256 over a seed and a counter, the same on every Python version."""

from __future__ import annotations

import hashlib


class SeededBits:
    """A stream of bits that follows from its seed. Nothing secret may depend on it."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._counter = 0

    def __repr__(self) -> str:
        return f"SeededBits({self._seed.decode()!r}, {self._counter} taken)"

    def getrandbits(self, k: int, /) -> int:
        """Return an integer of `k` bits, at most 256."""
        if not 0 <= k <= 256:
            raise ValueError(f"{k} bits wanted, limit 256")
        digest = hashlib.sha256(self._seed + b":" + self._counter.to_bytes(8, "little")).digest()
        self._counter += 1
        return int.from_bytes(digest, "little") >> (256 - k)
