"""Passes over a block's transactions and keeps only what judging it needs of most of them.

The compiled kernel does it once kernels are warm. What it does not take to, which is whatever is not as it
should be, and everything before, is passed over here: what is wrong is said in one place.

Written without a reader: a block has thousands of transactions. Each turn of a loop reads at its position
and moves it on, so a false count or length ends at the end of the bytes. `transaction.parse_transaction` and
`check_transaction` say the same things at length; property tests hold all three equal.
"""

from __future__ import annotations

import struct
from array import array

import msgspec

from sprint.core import kernels
from sprint.core.chains.bitcoin_family.transaction import (
    MWEB_FLAG,
    SCRIPT_SIZE_MAX,
    WITNESS_FLAG,
    carries_mweb,
    no_such,
)
from sprint.core.errors import WireError
from sprint.core.kernels import BlockScan, sha256d
from sprint.core.kernels.block_scan import LOCK_TIME_THRESHOLD, PAIR_SIZE
from sprint.core.wire import Reader

_NULL_OUTPOINT = bytes(32) + b"\xff" * 4
_SEQUENCE_FINAL = b"\xff" * 4
_LONG_COUNT = 0xFD  # from here on a compact size has more bytes
_INPUT_START = struct.Struct("<36sB")  # outpoint, first byte of the script's length
_OUTPUT_START = struct.Struct("<QB")  # value, first byte of the script's length


class ScannedTransaction(msgspec.Struct, frozen=True, gc=False):
    """What a scan found. Sizes are in bytes.

    `stop` is where the next one starts. `witness_size` is what BIP 144 adds, `mark_size` what the mark of a
    HogEx does. `sound` is whether it keeps the rules that need no other transaction, as one that is not a
    coinbase. `locked_until` is its lock time where that binds, else 0.
    """

    stop: int
    txid: bytes
    wtxid: bytes
    witness_size: int
    mark_size: int
    is_coinbase: bool
    sound: bool
    locked_until: int


def scan_block(raw: bytes, start: int, count: int, money_max: int, *, mweb: bool) -> BlockScan:
    """Scan the `count` transactions from `start` on. WireError where one does not parse or is cut off."""
    found = kernels.scan_block(raw, start, count, money_max, mweb=mweb)
    return found or scan_block_plainly(raw, start, count, money_max, mweb=mweb)


def scan_block_plainly(raw: bytes, start: int, count: int, money_max: int, *, mweb: bool) -> BlockScan:
    """Scan one transaction after another: the twin of the compiled scan. WireError as `scan_block`."""
    scanned, starts = [], array("q")
    for _ in range(count):
        starts.append(start)
        scanned.append(scan_transaction(raw, start, money_max, mweb=mweb))
        start = scanned[-1].stop
    locks = [transaction.locked_until for transaction in scanned]
    bare_sizes = (
        found.stop - at - found.witness_size - found.mark_size
        for at, found in zip(starts, scanned, strict=True)
    )
    return BlockScan(
        starts=starts,
        end=start,
        txids=b"".join([transaction.txid for transaction in scanned]),
        wtxids=b"".join([transaction.wtxid for transaction in scanned]),
        witness_size=sum(transaction.witness_size for transaction in scanned),
        mark_size=sum(transaction.mark_size for transaction in scanned),
        marked=sum(transaction.mark_size > 0 for transaction in scanned),
        ends_marked=bool(scanned) and scanned[-1].mark_size > 0,
        has_witness=any(transaction.witness_size for transaction in scanned),
        coinbases=sum(transaction.is_coinbase for transaction in scanned),
        begins_with_coinbase=bool(scanned) and scanned[0].is_coinbase,
        pair_sized=PAIR_SIZE in bare_sizes,
        doubted=tuple(number for number, transaction in enumerate(scanned) if not transaction.sound),
        locked_until_height=max((lock for lock in locks if lock < LOCK_TIME_THRESHOLD), default=0),
        locked_until_time=max((lock for lock in locks if lock >= LOCK_TIME_THRESHOLD), default=0),
    )


def scan_transaction(
    raw: bytes, start: int, money_max: int, *, mweb: bool = False, outputs_min: int = 1
) -> ScannedTransaction:
    """Scan the transaction at `start`; `mweb`: on a network with extension blocks. WireError if cut off."""
    end = len(raw)
    try:
        flags = raw[start + 5] if raw[start + 4] == 0 else 0
        if raw[start + 4] == 0 and (not flags or flags & ~(WITNESS_FLAG | mweb * MWEB_FLAG)):
            raise no_such("input")
        body = start + 6 if flags else start + 4
        position, outpoints, final = _pass_inputs(raw, body)
        position, values_sound = _pass_outputs(raw, position, money_max, outputs_min)
        witness = position
        if flags & WITNESS_FLAG:
            position = _pass_witnesses(raw, position, len(outpoints))
        lock = position
        if flags & MWEB_FLAG:
            if raw[position]:
                raise carries_mweb()
            lock += 1
    except (IndexError, struct.error):
        raise _truncated(end + 1, end) from None
    stop = lock + 4
    if stop > end:
        raise _truncated(stop, end)
    null = _NULL_OUTPOINT in outpoints
    locked_until = 0 if final else int.from_bytes(raw[lock:stop], "little")
    inputs = len(outpoints)
    sound = values_sound and not null and (inputs == 1 or len(set(outpoints)) == inputs)
    coinbase = null and inputs == 1
    if not flags:
        txid = sha256d(raw[start:stop])
        return ScannedTransaction(stop, txid, txid, 0, 0, coinbase, sound, locked_until)
    version, stripped, lock_time = raw[start : start + 4], raw[body:witness], raw[lock:stop]
    txid = sha256d(version + stripped + lock_time)
    if flags == WITNESS_FLAG:
        witness_size = stop - start - len(stripped) - 8
        wtxid = sha256d(raw[start:stop])
        return ScannedTransaction(stop, txid, wtxid, witness_size, 0, coinbase, sound, locked_until)
    if flags == MWEB_FLAG:
        return ScannedTransaction(stop, txid, txid, 0, 3, coinbase, sound, locked_until)
    wtxid = sha256d(version + b"\x00\x01" + raw[body:position] + lock_time)
    witness_size = 2 + position - witness
    return ScannedTransaction(stop, txid, wtxid, witness_size, 1, coinbase, sound, locked_until)


def _pass_inputs(raw: bytes, position: int) -> tuple[int, list[bytes], bool]:
    """Pass over the inputs: (where they end, what they spend, whether every sequence is final)."""
    count, position = _count(raw, position)
    if not count:
        raise no_such("input")
    outpoints = []
    final = True
    for _ in range(count):
        outpoint, length = _INPUT_START.unpack_from(raw, position)
        outpoints.append(outpoint)
        position += 37
        if length >= _LONG_COUNT:
            length, position = _count(raw, position - 1)
        position += length + 4
        if final and raw[position - 4 : position] != _SEQUENCE_FINAL:
            final = False
    return position, outpoints, final


def _pass_outputs(raw: bytes, position: int, money_max: int, outputs_min: int) -> tuple[int, bool]:
    """Pass over the outputs: (where they end, whether their values and all of them together can be)."""
    count, position = _count(raw, position)
    if count < outputs_min:
        raise no_such("output")
    total = 0
    for _ in range(count):
        # Read as unsigned: a negative value is then above any limit, and so is a sum that holds one.
        value, length = _OUTPUT_START.unpack_from(raw, position)
        total += value
        position += 9
        if length >= _LONG_COUNT:
            length, position = _count(raw, position - 1)
        position += length
    return position, total <= money_max


def _pass_witnesses(raw: bytes, position: int, input_count: int) -> int:
    items = 0
    for _ in range(input_count):
        count, position = _count(raw, position)
        items += count
        for _ in range(count):
            length = raw[position]
            position += 1
            if length >= _LONG_COUNT:
                length, position = _count(raw, position - 1)
            position += length
    if not items:
        raise WireError("witness marker without any witness data", kind="malformed")
    return position


def _count(raw: bytes, position: int) -> tuple[int, int]:
    """Read a compact size at `position`: (value, next position). IndexError past the end."""
    first = raw[position]
    if first < _LONG_COUNT:
        return first, position + 1
    reader = Reader(raw, position)
    value = reader.compact_size(SCRIPT_SIZE_MAX)
    return value, reader.position


def _truncated(wanted: int, end: int) -> WireError:
    return WireError(f"transaction runs to {wanted}, the bytes end at {end}", kind="truncated")
