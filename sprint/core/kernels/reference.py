"""The obvious Python form of each kernel: slow, short and right. Compiled twins are held equal to these."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_sha256 = hashlib.sha256

HASH_SIZE = 32
PAIR_SIZE = 64
HEADER_SIZE = 80
SCRYPT_MEMORY_BYTES_MAX = 1 << 20  # N=1024, r=1 needs 128 KiB; OpenSSL asks for some room above it.

# What `header_chain` finds wrong with a header, each a bit.
HEADER_TARGET = 1  # its compact target is none, or easier than the limit
HEADER_PROOF = 2  # its hash is above its target
HEADER_LINK = 4  # its parent is not the header before it


def sha256d(data: bytes) -> bytes:
    """SHA-256 applied twice."""
    return _sha256(_sha256(data).digest()).digest()


def hash_pairs(items: bytes) -> bytes:
    """Return the double SHA-256 of each 64 bytes, one behind the other. ValueError for a part of an item."""
    return _hash_each(items, PAIR_SIZE)


def hash_headers(items: bytes) -> bytes:
    """Return the double SHA-256 of each 80 bytes, one behind the other. ValueError for a part of an item."""
    return _hash_each(items, HEADER_SIZE)


def scrypt_1024_1_1(header: bytes) -> bytes:
    """scrypt with N=1024, r=1, p=1, the header being password and salt (RFC 7914; Litecoin's choice)."""
    return hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32, maxmem=SCRYPT_MEMORY_BYTES_MAX)


def scrypt_headers(headers: Sequence[bytes]) -> list[bytes]:
    """Return `scrypt_1024_1_1` of each header."""
    return [scrypt_1024_1_1(header) for header in headers]


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


def merkle_root_of(ids: bytes) -> tuple[bytes, bool]:
    """Return what `merkle_root` does of ids that stand one behind the other."""
    if len(ids) % HASH_SIZE:
        raise ValueError(f"{len(ids)} bytes of ids, one has {HASH_SIZE}")
    return merkle_root([ids[at : at + HASH_SIZE] for at in range(0, len(ids), HASH_SIZE)])


def header_chain(headers: bytes, target_max: int) -> tuple[bytes, bytes]:
    """Return the hashes of headers of 80 bytes, and a byte for each: what is wrong with it, 0 if nothing.

    `target_max` is the easiest target allowed. The first header's parent is not looked at.
    """
    hashes = hash_headers(headers)
    faults = bytearray()
    for number, at in enumerate(range(0, len(headers), HEADER_SIZE)):
        own = hashes[HASH_SIZE * number : HASH_SIZE * (number + 1)]
        target = _target(int.from_bytes(headers[at + 72 : at + 76], "little"))
        fault = 0
        if target is None or target > target_max:
            fault = HEADER_TARGET
        elif int.from_bytes(own, "little") > target:
            fault = HEADER_PROOF
        if number and headers[at + 4 : at + 36] != hashes[HASH_SIZE * (number - 1) : HASH_SIZE * number]:
            fault |= HEADER_LINK
        faults.append(fault)
    return hashes, bytes(faults)


def _hash_each(items: bytes, size: int) -> bytes:
    if len(items) % size:
        raise ValueError(f"{len(items)} bytes, an item has {size}")
    return b"".join([sha256d(items[at : at + size]) for at in range(0, len(items), size)])


def _target(bits: int) -> int | None:
    """Expand a compact target; None where it is zero, negative or above 256 bits (`SetCompact`)."""
    mantissa, length = bits & 0x7F_FFFF, bits >> 24
    target = mantissa << 8 * (length - 3) if length > 3 else mantissa >> 8 * (3 - length)
    if not target or bits & 0x80_0000 or target.bit_length() > 8 * HASH_SIZE:
        return None
    return target
