"""Compares compiled kernels with the reference on fixed vectors, before anybody relies on them.

The vectors reach every branch that depends on the processor: whole steps and parts of one, every length of a
padded end, ids with and without witness data, messages on both sides of each limit; and of tables single
calls and batches, also calls that a builtin hands on. That the kernels are equal to their twins everywhere
else is what the property tests are for.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable

from sprint.core.kernels import reference
from sprint.core.kernels.binding import Kernels
from sprint.core.kernels.block_scan import BlockScan
from sprint.core.kernels.dedup import DedupTable, Kind, PlainDedupTable
from sprint.core.kernels.histogram import PlainHistogram

_COUNTS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 101)
_BITS = (
    0x1D00FFFF, 0x207FFFFF, 0x00000000, 0x01800000, 0x03000001, 0x05009234,
    0x22000001, 0x2300FFFF, 0x2100FFFF,
)  # fmt: skip
_TARGET_MAX = 1 << 255
_MONEY_MAX = 21_000_000 * 10**8
_SCRIPT_SIZES = (*range(70), 200, 252, 253, 254, 3_900, 4_100, 16_300, 16_500)


_ENTRIES_MAX, _TTL_S = 48, 40.0
_SHARES = tuple(number / 500 for number in range(501))


def differences(kernels: Kernels) -> list[str]:
    """Return the names of the kernels whose answers are not the reference's."""
    checks: tuple[tuple[str, Callable[[Kernels], bool]], ...] = (
        ("sha256d", _hashes_one),
        ("hash_pairs", _hashes_pairs),
        ("hash_headers", _hashes_headers),
        ("merkle_root", _finds_roots),
        ("header_chain", _judges_headers),
        ("scan_block", _scans_a_block),
        ("scrypt_headers", _mixes_headers),
        ("dedup_table", _knows_what_was_seen),
        ("histogram", _counts_values),
    )
    return [name for name, holds in checks if not holds(kernels)]


def _bytes(size: int) -> bytes:
    return hashlib.shake_256(b"sprint self-test").digest(size)


def _parts(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _hashes_one(kernels: Kernels) -> bool:
    messages = [_bytes(size) for size in (*_COUNTS, reference.PAIR_SIZE, reference.HEADER_SIZE)]
    return all(kernels.sha256d(each) == reference.sha256d(each) for each in messages)


def _hashes_pairs(kernels: Kernels) -> bool:
    items = [_bytes(reference.PAIR_SIZE * count) for count in _COUNTS]
    return all(kernels.hash_pairs(each) == reference.hash_pairs(each) for each in items)


def _hashes_headers(kernels: Kernels) -> bool:
    items = [_bytes(reference.HEADER_SIZE * count) for count in _COUNTS]
    return all(kernels.hash_headers(each) == reference.hash_headers(each) for each in items)


def _finds_roots(kernels: Kernels) -> bool:
    for count in _COUNTS:
        ids = _bytes(reference.HASH_SIZE * count)
        for tree in (ids, ids + ids[-reference.HASH_SIZE :], ids + ids):
            wanted, leaves = reference.merkle_root_of(tree), _parts(tree, reference.HASH_SIZE)
            if kernels.merkle_root_of(tree) != wanted or kernels.merkle_root(leaves) != wanted:
                return False
    return True


def _judges_headers(kernels: Kernels) -> bool:
    headers, parent = b"", bytes(reference.HASH_SIZE)
    for number in range(5 * len(_BITS)):
        bits = _BITS[number % len(_BITS)].to_bytes(4, "little")
        own = parent if number % 7 else bytes(reference.HASH_SIZE)
        header = _bytes(4) + own + _bytes(36) + bits + number.to_bytes(4, "little")
        headers += header
        parent = reference.sha256d(header)
    found = kernels.header_chain(headers, _TARGET_MAX)
    return found == reference.header_chain(headers, _TARGET_MAX)


def _mixes_headers(kernels: Kernels) -> bool:
    """A step that is full and one that is not."""
    headers = _parts(_bytes(reference.HEADER_SIZE * 18), reference.HEADER_SIZE)
    return kernels.scrypt_headers(headers) == reference.scrypt_headers(headers)


def _knows_what_was_seen(kernels: Kernels) -> bool:
    """Hits, misses, entries that have expired, evictions and what was forgotten, in each kind of space."""
    ours, theirs = kernels.new_dedup_table(_ENTRIES_MAX), PlainDedupTable(_ENTRIES_MAX)
    answers = [_asked(table) for table in (ours, theirs)]
    return answers[0] == answers[1] and ours.entries() == theirs.entries()


def _asked(table: DedupTable) -> list[bool]:
    """Return a table's answers, one after the other."""
    answers: list[bool] = []
    digests = _parts(_bytes(reference.HASH_SIZE * _ENTRIES_MAX), reference.HASH_SIZE)
    for kind in Kind:
        space = table.space("self-test", kind, _TTL_S)
        for step in range(0, 3 * _ENTRIES_MAX, 3):
            number = step % _ENTRIES_MAX
            # A time that is an int is what a builtin hands on.
            answers.append(space.seen(digests[number], step if step % 2 else float(step)))
            answers += map(bool, space.seen_many(b"".join(digests[:number]), float(step)))
            if step % 7 == 0:
                answers.append(space.forget(digests[number]))
    return answers


def _counts_values(kernels: Kernels) -> bool:
    """Single values and a batch: each power of two with its neighbours, and some above the limit."""
    values = [max(0, (1 << power) + more) for power in range(66) for more in (-1, 0, 1)]
    batch = array("q", [value for value in values if value < 1 << 63])
    found = []
    for new in (kernels.new_histogram, PlainHistogram):
        histogram = new()
        for value in values:
            histogram.record(value)
        histogram.record_many(batch)
        found.append((len(histogram), histogram.percentiles(_SHARES), histogram.least, histogram.greatest))
    return found[0] == found[1]


def _scans_a_block(kernels: Kernels) -> bool:
    """Scan transactions that are put together here, so that what must be found is known."""
    block, txids, wtxids = b"\x00", [], []
    starts = array("q")
    witness_size = 0
    for number, size in enumerate(_SCRIPT_SIZES):
        body = _body(number, size)
        version, lock = b"\2\0\0\0", number.to_bytes(4, "little")
        stack = b"\x01" + _count(size) + _bytes(size)
        stripped = version + body + lock
        whole = version + b"\0\1" + body + stack + lock if number % 3 else stripped
        starts.append(len(block))
        block += whole
        witness_size += len(whole) - len(stripped)
        txids.append(reference.sha256d(stripped))
        wtxids.append(reference.sha256d(whole))
    wanted = BlockScan(
        starts=starts,
        end=len(block),
        txids=b"".join(txids),
        wtxids=b"".join(wtxids),
        witness_size=witness_size,
        mark_size=0,
        marked=0,
        ends_marked=False,
        has_witness=True,
        coinbases=0,
        begins_with_coinbase=False,
        pair_sized=any(size == 3 for size in _SCRIPT_SIZES),
        doubted=(0,),
        locked_until_height=len(starts) - 1,
        locked_until_time=0,
    )
    return kernels.scan_block(block + _bytes(9), 1, len(starts), _MONEY_MAX, mweb=False) == wanted


def _body(number: int, size: int) -> bytes:
    """Inputs and outputs; the first transaction pays more than there is."""
    outpoint = _bytes(32) + number.to_bytes(4, "little")
    value = (0 if number else _MONEY_MAX + 1).to_bytes(8, "little")
    return b"\x01" + outpoint + b"\0" + b"\0\0\0\0" + b"\x01" + value + _count(size) + _bytes(size)


def _count(size: int) -> bytes:
    return bytes((size,)) if size < 253 else b"\xfd" + size.to_bytes(2, "little")
