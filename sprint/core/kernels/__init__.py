"""The heavy arithmetic: double SHA-256 in batches, merkle roots, header chains, block scans, scrypt.

Callers import from here and do not see which form is in use: the reference from the start, what numba
compiled for this processor once `warm` is through. Importing this package never imports numba.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from sprint.core.kernels.binding import BINDING, REFERENCE_KERNELS, Kernels
from sprint.core.kernels.block_scan import BlockScan
from sprint.core.kernels.reference import (
    HASH_SIZE,
    HEADER_LINK,
    HEADER_PROOF,
    HEADER_TARGET,
    scrypt_1024_1_1,
)
from sprint.core.kernels.tiers import AUTO, REFERENCE, TIER_NAMES, Tier

__all__ = [
    "AUTO",
    "HASH_SIZE",
    "HEADER_LINK",
    "HEADER_PROOF",
    "HEADER_TARGET",
    "REFERENCE",
    "TIER_NAMES",
    "BlockScan",
    "chosen",
    "hash_headers",
    "hash_pairs",
    "header_chain",
    "in_use",
    "merkle_root",
    "merkle_root_of",
    "scan_block",
    "scrypt_1024_1_1",
    "scrypt_headers",
    "sha256d",
    "use",
    "warm",
]


def in_use() -> Kernels:
    """Return the form of the kernels that is in use."""
    return BINDING.kernels


def use(kernels: Kernels) -> Kernels:
    """Put another form into use, from the next call on in every thread; return the one before."""
    before, BINDING.kernels = BINDING.kernels, kernels
    return before


def warm(cache_folder: str | None, secret: bytes, tier: str = AUTO) -> Kernels:
    """Compile the kernels, or load them from the cache; check them against the reference; put them into use.

    Takes a second or two, more where nothing is cached, and may run in a thread of its own. What is compiled
    is kept in `cache_folder`, which must belong to this version of this package alone: numba does not notice
    that another file has changed. `secret` is at least 32 random bytes, the same as long as the process runs.

    KernelError where the compiled form can't be had or gives other answers; the form in use stays.
    """
    if tier == REFERENCE:
        use(REFERENCE_KERNELS)
        return REFERENCE_KERNELS
    compiled: Kernels = import_module("sprint.core.kernels.warm_up").compiled_kernels(
        cache_folder, secret, tier
    )
    use(compiled)
    return compiled


def chosen(wanted: str = AUTO) -> tuple[str, str]:
    """Return name and text of the form that `warm` would put into use. KernelError where there is none."""
    if wanted == REFERENCE:
        return REFERENCE_KERNELS.tier, REFERENCE_KERNELS.text
    found: Tier = import_module("sprint.core.kernels.warm_up").chosen_tier(wanted)
    return found.name, found.text


def sha256d(data: bytes) -> bytes:
    """SHA-256 applied twice."""
    return BINDING.kernels.sha256d(data)


def hash_pairs(items: bytes) -> bytes:
    """Return the double SHA-256 of each 64 bytes, one behind the other. ValueError for a part of an item."""
    return BINDING.kernels.hash_pairs(items)


def hash_headers(items: bytes) -> bytes:
    """Return the double SHA-256 of each 80 bytes, one behind the other. ValueError for a part of an item."""
    return BINDING.kernels.hash_headers(items)


def merkle_root(leaves: Sequence[bytes]) -> tuple[bytes, bool]:
    """Root of Bitcoin's merkle tree over 32-byte leaves, and whether two equal nodes stood side by side.

    An odd level repeats its last node, so a list that already ends in such a repeat has the same root as
    the shorter one (CVE-2012-2459). Whoever checks a block refuses a body where the second value is true.
    """
    return BINDING.kernels.merkle_root(leaves)


def merkle_root_of(ids: bytes) -> tuple[bytes, bool]:
    """Return what `merkle_root` does of ids that stand one behind the other."""
    return BINDING.kernels.merkle_root_of(ids)


def header_chain(headers: bytes, target_max: int) -> tuple[bytes, bytes]:
    """Return the hashes of headers of 80 bytes, and a byte for each: what is wrong with it, 0 if nothing.

    The bits are HEADER_TARGET, HEADER_PROOF and HEADER_LINK. `target_max` is the easiest target allowed. The
    first header's parent is not looked at.
    """
    return BINDING.kernels.header_chain(headers, target_max)


def scrypt_headers(headers: Sequence[bytes]) -> list[bytes]:
    """Return `scrypt_1024_1_1` of each header."""
    return BINDING.kernels.scrypt_headers(headers)


def scan_block(raw: bytes, start: int, count: int, money_max: int, *, mweb: bool) -> BlockScan | None:
    """Scan `count` transactions from `start`; None where they must be looked at one by one.

    That is so where anything is not as it should be, and where no compiled form is in use.
    """
    return BINDING.kernels.scan_block(raw, start, count, money_max, mweb=mweb)
