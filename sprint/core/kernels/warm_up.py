"""The compiled kernels as `Kernels`: compiled for this processor or loaded, and checked by the twins."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.registry import cpu_target

from sprint.core.errors import KernelError
from sprint.core.kernels import block_scan_compiled as scanning
from sprint.core.kernels import reference, sha256_compiled
from sprint.core.kernels.binding import Kernels
from sprint.core.kernels.block_scan import BlockScan
from sprint.core.kernels.scrypt_compiled import SCRYPT_PIECES_TYPE, ScryptPieces, compile_scrypt, mix_states
from sprint.core.kernels.self_test import differences
from sprint.core.kernels.sha256_pieces import PIECES_TYPE, Pieces, compile_pieces
from sprint.core.kernels.tiers import Tier, choose_tier

MERKLE_LEAVES_MIN = 6  # below, hashlib is done before numba has taken its arguments
MONEY_MAX_LIMIT = 1 << 62  # so that the sum of two values fits 64 bits
SECRET_SIZE_MIN = 32
KEYS = 10
SCRYPT_HEADERS_MIN = 4  # below, lanes that have nothing to do cost more than they give
_SCRYPT_STATE = 128

_READ = types.Array(types.uint8, 1, "C", readonly=True)
_WRITTEN = types.Array(types.uint8, 1, "C")
_NUMBERS = types.Array(types.int64, 1, "C")
_WORDS = types.Array(types.uint64, 1, "C")
_SIGNATURES = {
    sha256_compiled.hash_pairs: (PIECES_TYPE, _READ, types.int64, _WRITTEN),
    sha256_compiled.hash_headers: (PIECES_TYPE, _READ, types.int64, _WRITTEN),
    sha256_compiled.merkle_root: (PIECES_TYPE, _READ, types.int64, _WRITTEN),
    sha256_compiled.header_chain: (PIECES_TYPE, _READ, types.int64, _WORDS, _WRITTEN, _WRITTEN),
    scanning.scan_block: (
        PIECES_TYPE, _READ, types.int64, types.int64, types.boolean, _WORDS,
        _NUMBERS, _WRITTEN, _NUMBERS, types.Array(types.int64, 2, "C"), _NUMBERS,
    ),
    mix_states: (SCRYPT_PIECES_TYPE, types.Array(types.uint32, 1, "C")),
}  # fmt: skip
# Of vectors, by tier: the SHA instructions have no part in scrypt's middle, so it gets the widest vectors.
_SCRYPT_LANES = {"avx512": 16, "avx2": 8, "portable": 4}


def compiled_kernels(cache_folder: str | None, secret: bytes, tier: str) -> Kernels:
    """Return kernels of a tier, or of the best one for `auto`, whose answers are the reference's.

    KernelError where numba is told not to compile, for a tier that this processor can't run, and where an
    answer is another than the reference's.
    """
    if len(secret) < SECRET_SIZE_MIN:
        raise ValueError(f"a secret of {len(secret)} bytes, the least is {SECRET_SIZE_MIN}")
    chosen = chosen_tier(tier)
    numba.config.CACHE_DIR = cache_folder or ""
    cached = cache_folder is not None
    for kernel, signature in _SIGNATURES.items():
        if cached:
            kernel.enable_caching()
        kernel.compile(signature)
    pieces = compile_pieces(chosen.name, cached=cached)
    # Importing it compiles it, so it comes after the folder is known.
    tables = import_module("sprint.core.kernels.dedup_compiled").compiled_tables(secret)
    histogram = import_module("sprint.core.kernels.histogram_compiled").CompiledHistogram
    sha256d = import_module("sprint.core.kernels.one_hash_compiled").compiled_sha256d(processor_features())
    scrypt = compile_scrypt(_scrypt_lanes(chosen), cached=cached)
    kernels = _kernels(chosen, pieces, scrypt, _keys(secret))._replace(
        new_dedup_table=tables, new_histogram=histogram, sha256d=sha256d
    )
    wrong = differences(kernels)
    if wrong:
        raise KernelError(
            f"kernels {chosen.name!r} give other answers than plain Python: {', '.join(wrong)};"
            " plain Python stays in use"
        )
    return kernels


def chosen_tier(wanted: str) -> Tier:
    """Return the tier that would be compiled. KernelError where there is none such on this processor."""
    if numba.config.DISABLE_JIT:
        raise KernelError("numba is told not to compile (NUMBA_DISABLE_JIT); plain Python stays in use")
    try:
        return choose_tier(processor_features(), wanted)
    except ValueError as error:
        raise KernelError(str(error)) from error


def processor_features() -> frozenset[str]:
    """Return the features that numba compiles for, by LLVM's names."""
    features: str = cpu_target.target_context.codegen().magic_tuple()[2]
    return frozenset(each[1:] for each in features.split(",") if each.startswith("+"))


def _scrypt_lanes(tier: Tier) -> int:
    if tier.name != "sha":
        return _SCRYPT_LANES[tier.name]
    return 8 if "avx2" in processor_features() else 4


def _kernels(tier: Tier, pieces: Pieces, scrypt: ScryptPieces, keys: Any) -> Kernels:
    return Kernels(
        tier.name,
        tier.text,
        partial(_hash_each, sha256_compiled.hash_pairs, pieces, reference.PAIR_SIZE),
        partial(_hash_each, sha256_compiled.hash_headers, pieces, reference.HEADER_SIZE),
        partial(_merkle_root, pieces),
        partial(_merkle_root_of, pieces),
        partial(_header_chain, pieces),
        partial(_scan_block, pieces, keys),
        partial(_scrypt_headers, scrypt),
    )


def _keys(secret: bytes) -> Any:
    digest = hashlib.shake_256(b"sprint block scan" + secret).digest(8 * KEYS)
    return np.frombuffer(digest, np.uint64).copy()


def _hash_each(kernel: Any, pieces: Pieces, size: int, items: bytes) -> bytes:
    if len(items) % size:
        raise ValueError(f"{len(items)} bytes, an item has {size}")
    count = len(items) // size
    digests = np.empty(reference.HASH_SIZE * count, np.uint8)
    kernel(pieces, np.frombuffer(items, np.uint8), count, digests)
    return digests.tobytes()


def _merkle_root(pieces: Pieces, leaves: Sequence[bytes]) -> tuple[bytes, bool]:
    if len(leaves) < MERKLE_LEAVES_MIN:
        return reference.merkle_root(leaves)
    return _merkle_root_of(pieces, b"".join(leaves))


def _merkle_root_of(pieces: Pieces, ids: bytes) -> tuple[bytes, bool]:
    if len(ids) < MERKLE_LEAVES_MIN * reference.HASH_SIZE or len(ids) % reference.HASH_SIZE:
        return reference.merkle_root_of(ids)
    root = np.empty(reference.HASH_SIZE, np.uint8)
    count = len(ids) // reference.HASH_SIZE
    repeated = sha256_compiled.merkle_root(pieces, np.frombuffer(ids, np.uint8), count, root)
    return root.tobytes(), bool(repeated)


def _header_chain(pieces: Pieces, headers: bytes, target_max: int) -> tuple[bytes, bytes]:
    if len(headers) % reference.HEADER_SIZE:
        raise ValueError(f"{len(headers)} bytes, an item has {reference.HEADER_SIZE}")
    count = len(headers) // reference.HEADER_SIZE
    hashes, faults = np.empty(reference.HASH_SIZE * count, np.uint8), np.empty(count, np.uint8)
    limit = np.frombuffer(target_max.to_bytes(reference.HASH_SIZE, "little"), np.uint64).copy()
    sha256_compiled.header_chain(pieces, np.frombuffer(headers, np.uint8), count, limit, hashes, faults)
    return hashes.tobytes(), faults.tobytes()


def _scan_block(
    pieces: Pieces, keys: Any, raw: bytes, start: int, count: int, money_max: int, *, mweb: bool
) -> BlockScan | None:
    if not count or money_max >= MONEY_MAX_LIMIT:
        return None
    starts, doubts = np.empty((2, count), np.int64)
    longs = np.empty((len(raw) // scanning.COPY_SIZE + 1, scanning.LONG_FIELDS), np.int64)
    facts = np.zeros(scanning.FACTS, np.int64)
    digests = np.empty(2 * reference.HASH_SIZE * count, np.uint8)
    whole = scanning.scan_block(
        pieces, np.frombuffer(raw, np.uint8), start, money_max, mweb, keys,
        starts, digests, doubts, longs, facts,
    )  # fmt: skip
    if not whole:
        return None
    found: list[int] = facts.tolist()
    for fields in longs[: found[scanning.LONG]].tolist():
        _hash_long(raw, count, fields, digests)
    ids = digests.tobytes()
    middle = len(ids) // 2
    return BlockScan(
        starts=array("q", starts.tobytes()),
        end=found[scanning.END],
        txids=ids[:middle],
        wtxids=ids[middle:],
        witness_size=found[scanning.WITNESS_SIZE],
        mark_size=found[scanning.MARK_SIZE],
        marked=found[scanning.MARKED],
        ends_marked=found[scanning.LAST_MARK] > 0,
        has_witness=found[scanning.WITNESSES] > 0,
        coinbases=found[scanning.COINBASES],
        begins_with_coinbase=found[scanning.FIRST_COINBASE] > 0,
        pair_sized=found[scanning.PAIR_SIZED] > 0,
        doubted=tuple(doubts[: found[scanning.DOUBTED]].tolist()),
        locked_until_height=found[scanning.LOCK_HEIGHT],
        locked_until_time=found[scanning.LOCK_TIME],
    )


def _scrypt_headers(pieces: ScryptPieces, headers: Sequence[bytes]) -> list[bytes]:
    """Mix as many headers at once as there are lanes; RFC 7914's PBKDF2 before and behind is hashlib's."""
    if len(headers) < SCRYPT_HEADERS_MIN:
        return reference.scrypt_headers(headers)
    digests: list[bytes] = []
    for first in range(0, len(headers), pieces.lanes):
        part = headers[first : first + pieces.lanes]
        begun = b"".join([hashlib.pbkdf2_hmac("sha256", each, each, 1, _SCRYPT_STATE) for each in part])
        states = np.frombuffer(begun.ljust(_SCRYPT_STATE * pieces.lanes, b"\0"), np.uint32).copy()
        mix_states(pieces, states)
        mixed = states.tobytes()
        digests += [
            hashlib.pbkdf2_hmac("sha256", each, mixed[at : at + _SCRYPT_STATE], 1, reference.HASH_SIZE)
            for each, at in zip(part, range(0, len(mixed), _SCRYPT_STATE), strict=False)
        ]
    return digests


def _hash_long(raw: bytes, count: int, fields: list[int], digests: Any) -> None:
    """Hash a transaction that is too long for a lane: hashlib takes in a long message as fast."""
    number, flags, start, body, witness, lock = fields
    version, lock_time = raw[start : start + 4], raw[lock : lock + 4]
    txid = wtxid = reference.sha256d(b"".join((version, raw[body:witness], lock_time)))
    if flags & 1:
        stop = lock - 1 if flags & 8 else lock
        wtxid = reference.sha256d(b"".join((version, b"\0\1", raw[body:stop], lock_time)))
    for place, digest in ((number, txid), (count + number, wtxid)):
        at = reference.HASH_SIZE * place
        digests[at : at + reference.HASH_SIZE] = np.frombuffer(digest, np.uint8)
