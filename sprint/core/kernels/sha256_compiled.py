"""Double SHA-256 in batches, merkle roots and header chains, compiled by numba. Twins: `reference`.

Every kernel takes the tier's `Pieces` first: the tier decides how SHA-256 is made, and nothing else.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sprint.core.kernels.raw_bytes import copy_bytes, long_at, word_at
from sprint.core.kernels.reference import HEADER_LINK, HEADER_PROOF, HEADER_TARGET
from sprint.core.kernels.sha256_pieces import Pieces, run_piece

# Arrays of numba: bytes, or words of 64 bits where it is said.
Array = Any

PAIR_SIZE = 64
HEADER_SIZE = 80
DIGEST_SIZE = 32


@numba.njit(nogil=True)
def hash_pairs(pieces: Pieces, items: Array, count: int, digests: Array) -> None:
    """Double SHA-256 of `count` items of 64 bytes; reads and writes only whole items."""
    whole = count - count % pieces.lanes
    for first in range(0, whole, pieces.lanes):
        run_piece(pieces.pairs, items, PAIR_SIZE * first, digests, DIGEST_SIZE * first)
    if whole < count:
        rest, found = _rest(pieces, items, whole, count, PAIR_SIZE)
        run_piece(pieces.pairs, rest, 0, found, 0)
        copy_bytes(found, 0, digests, DIGEST_SIZE * whole, DIGEST_SIZE * (count - whole))


@numba.njit(nogil=True)
def hash_headers(pieces: Pieces, items: Array, count: int, digests: Array) -> None:
    """Double SHA-256 of `count` items of 80 bytes; reads and writes only whole items."""
    whole = count - count % pieces.lanes
    for first in range(0, whole, pieces.lanes):
        run_piece(pieces.headers, items, HEADER_SIZE * first, digests, DIGEST_SIZE * first)
    if whole < count:
        rest, found = _rest(pieces, items, whole, count, HEADER_SIZE)
        run_piece(pieces.headers, rest, 0, found, 0)
        copy_bytes(found, 0, digests, DIGEST_SIZE * whole, DIGEST_SIZE * (count - whole))


@numba.njit(nogil=True)
def _rest(pieces: Pieces, items: Array, first: int, stop: int, size: int) -> Any:
    """Return the items that fill no whole step, with room for one, and room for its digests."""
    rest = np.zeros(size * pieces.lanes, dtype=np.uint8)
    copy_bytes(items, size * first, rest, 0, size * (stop - first))
    return rest, np.empty(DIGEST_SIZE * pieces.lanes, dtype=np.uint8)


@numba.njit(nogil=True)
def merkle_root(pieces: Pieces, leaves: Array, count: int, root: Array) -> bool:
    """Write the root over `count` leaves, at least one; tell whether equal nodes stood side by side."""
    if count == 1:
        copy_bytes(leaves, 0, root, 0, DIGEST_SIZE)
        return False
    width = count // 2 + count % 2
    # A last step that is not full reads and writes beyond the level, so there is room for one more.
    level = np.empty(DIGEST_SIZE * (width + 1 + 2 * pieces.lanes), dtype=np.uint8)
    repeated = _has_repeat(leaves, count)
    _hash_leaves(pieces, leaves, count, level)
    while width > 1:
        repeated |= _has_repeat(level, width)
        if width % 2:
            copy_bytes(level, DIGEST_SIZE * (width - 1), level, DIGEST_SIZE * width, DIGEST_SIZE)
            width += 1
        width //= 2
        for first in range(0, width, pieces.lanes):
            run_piece(pieces.pairs, level, PAIR_SIZE * first, level, DIGEST_SIZE * first)
    copy_bytes(level, 0, root, 0, DIGEST_SIZE)
    return repeated


@numba.njit(nogil=True)
def _has_repeat(level: Array, width: int) -> bool:
    """Tell whether two nodes that are hashed together are equal."""
    for left in range(0, width - 1, 2):
        at = DIGEST_SIZE * left
        if _are_equal(level, at, level, at + DIGEST_SIZE):
            return True
    return False


@numba.njit(nogil=True)
def _are_equal(left: Array, left_at: int, right: Array, right_at: int) -> bool:
    for byte in range(0, DIGEST_SIZE, 8):
        if long_at(left, left_at + byte) != long_at(right, right_at + byte):
            return False
    return True


@numba.njit(nogil=True)
def _hash_leaves(pieces: Pieces, leaves: Array, count: int, level: Array) -> None:
    """Hash the first level from where the leaves stand, which may be read only as far as they go."""
    pairs = count // 2
    whole = pairs - pairs % pieces.lanes
    for first in range(0, whole, pieces.lanes):
        run_piece(pieces.pairs, leaves, PAIR_SIZE * first, level, DIGEST_SIZE * first)
    left = count - 2 * whole
    if left:
        rest = np.empty(PAIR_SIZE * (pieces.lanes + 1), dtype=np.uint8)
        copy_bytes(leaves, PAIR_SIZE * whole, rest, 0, DIGEST_SIZE * left)
        if left % 2:
            copy_bytes(rest, DIGEST_SIZE * (left - 1), rest, DIGEST_SIZE * left, DIGEST_SIZE)
        run_piece(pieces.pairs, rest, 0, level, DIGEST_SIZE * whole)


@numba.njit(nogil=True)
def header_chain(
    pieces: Pieces, headers: Array, count: int, limit: Array, hashes: Array, faults: Array
) -> None:
    """Hash `count` headers and note what is wrong with each: HEADER_TARGET, HEADER_PROOF, HEADER_LINK.

    `limit` is the easiest target, as four words of 64 bits, the lowest first.
    """
    hash_headers(pieces, headers, count, hashes)
    target = np.empty(4, dtype=np.uint64)
    for number in range(count):
        at = HEADER_SIZE * number
        bits = word_at(headers, at + 72)
        fault = 0
        if not _expand(bits & 0xFF_FFFF, bits >> 24, target) or _above(target, limit):
            fault = HEADER_TARGET
        elif _hash_above(hashes, DIGEST_SIZE * number, target):
            fault = HEADER_PROOF
        if number and not _are_equal(headers, at + 4, hashes, DIGEST_SIZE * (number - 1)):
            fault |= HEADER_LINK
        faults[number] = fault


@numba.njit(nogil=True)
def _expand(bits: int, length: int, target: Array) -> bool:
    """Write a compact target's 256 bits; false where it is zero, negative or has more."""
    mantissa = np.uint64(bits & 0x7F_FFFF)
    if length < 3:
        mantissa >>= np.uint64(8 * (3 - length))
    if mantissa == 0 or bits & 0x80_0000:
        return False
    target[:] = 0
    if length <= 3:
        target[0] = mantissa
        return True
    shift = 8 * (length - 3)
    top = shift
    rest = mantissa
    while rest:
        rest >>= np.uint64(1)
        top += 1
    if top > 256:
        return False
    word, turned = shift // 64, np.uint64(shift % 64)
    target[word] = mantissa << turned
    if word < 3 and turned > 40:
        target[word + 1] = mantissa >> (np.uint64(64) - turned)
    return True


@numba.njit(nogil=True)
def _above(left: Array, right: Array) -> bool:
    for word in range(3, -1, -1):
        if left[word] != right[word]:
            return bool(left[word] > right[word])
    return False


@numba.njit(nogil=True)
def _hash_above(hashes: Array, at: int, target: Array) -> bool:
    for word in range(3, -1, -1):
        value = np.uint64(long_at(hashes, at + 8 * word))
        if value != target[word]:
            return bool(value > target[word])
    return False
