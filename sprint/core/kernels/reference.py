"""The obvious Python form of each kernel: slow, short and right. Compiled twins are held equal to these."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_sha256 = hashlib.sha256

HASH_SIZE = 32
SCRYPT_MEMORY_BYTES_MAX = 1 << 20  # N=1024, r=1 needs 128 KiB; OpenSSL asks for some room above it.


def sha256d(data: bytes) -> bytes:
    """SHA-256 applied twice."""
    return _sha256(_sha256(data).digest()).digest()


def scrypt_1024_1_1(header: bytes) -> bytes:
    """scrypt with N=1024, r=1, p=1, the header being password and salt (RFC 7914; Litecoin's choice)."""
    return hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32, maxmem=SCRYPT_MEMORY_BYTES_MAX)


def merkle_root(leaves: Sequence[bytes]) -> tuple[bytes, bool]:
    """Root of Bitcoin's merkle tree over 32-byte leaves, and whether two equal nodes stood side by side.

    An odd level repeats its last node, so a list that already ends in such a repeat has the same root as
    the shorter one (CVE-2012-2459). Whoever checks a block refuses a body where the second value is true.
    """
    if not leaves:
        return bytes(HASH_SIZE), False
    level = list(leaves)
    repeated = False
    while len(level) > 1:
        repeated = repeated or any(level[i] == level[i + 1] for i in range(0, len(level) - 1, 2))
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0], repeated
