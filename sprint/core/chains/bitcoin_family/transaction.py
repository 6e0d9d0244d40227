"""Transactions, with and without witness data (BIP 144).

Two readers of one format. `parse_transaction` gives every field and is the plain one; `scan_transaction`
finds only where a transaction ends and its two ids, which is what judging a block needs for all but the
coinbase. A property test holds them equal.
"""

from __future__ import annotations

import msgspec

from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import sha256d
from sprint.core.wire import Reader, compact_size, i32, i64, u32, var_bytes

INPUT_SIZE_MIN = 41  # outpoint 36, empty script 1, sequence 4
OUTPUT_SIZE_MIN = 9  # value 8, empty script 1
TRANSACTION_SIZE_MIN = 4 + 1 + INPUT_SIZE_MIN + 1 + OUTPUT_SIZE_MIN + 4
SCRIPT_SIZE_MAX = 4_000_000
NULL_INDEX = 0xFFFF_FFFF
COINBASE_SCRIPT_SIZE_MIN = 2
COINBASE_SCRIPT_SIZE_MAX = 100
_WITNESS_MARKER = b"\x00\x01"
_NULL_INPUT = b"\x01" + bytes(32) + b"\xff" * 4  # one input, and it spends the null outpoint
_COINBASE_STARTS = (_NULL_INPUT, _WITNESS_MARKER + _NULL_INPUT)


class TransactionInput(msgspec.Struct, frozen=True):
    previous_txid: bytes
    previous_index: int
    script: bytes
    sequence: int

    @property
    def is_null(self) -> bool:
        return self.previous_index == NULL_INDEX and not any(self.previous_txid)


class TransactionOutput(msgspec.Struct, frozen=True):
    value: int
    script: bytes


class Transaction(msgspec.Struct, frozen=True):
    """One transaction; `witnesses` is empty or holds one stack for each input."""

    version: int
    inputs: tuple[TransactionInput, ...]
    outputs: tuple[TransactionOutput, ...]
    witnesses: tuple[tuple[bytes, ...], ...]
    lock_time: int

    def encode(self, *, witness: bool = True) -> bytes:
        """Encode with witness data if there is any and `witness`, else in the original format."""
        with_witness = witness and bool(self.witnesses)
        parts = [i32(self.version), _WITNESS_MARKER if with_witness else b"", compact_size(len(self.inputs))]
        parts += [
            i.previous_txid + u32(i.previous_index) + var_bytes(i.script) + u32(i.sequence)
            for i in self.inputs
        ]
        parts.append(compact_size(len(self.outputs)))
        parts += [i64(output.value) + var_bytes(output.script) for output in self.outputs]
        if with_witness:
            for stack in self.witnesses:
                parts.append(compact_size(len(stack)))
                parts += [var_bytes(item) for item in stack]
        parts.append(u32(self.lock_time))
        return b"".join(parts)

    @property
    def txid(self) -> bytes:
        return sha256d(self.encode(witness=False))

    @property
    def wtxid(self) -> bytes:
        return sha256d(self.encode())


def parse_transaction(reader: Reader) -> Transaction:
    """Read one transaction."""
    version = reader.i32()
    marked = reader.data[reader.position : reader.position + 2] == _WITNESS_MARKER
    if marked:
        reader.take(2)
    input_count = reader.compact_size(reader.remaining // INPUT_SIZE_MIN, "inputs")
    if not input_count:
        raise _empty("input")
    inputs = tuple(
        TransactionInput(reader.hash(), reader.u32(), reader.var_bytes(SCRIPT_SIZE_MAX), reader.u32())
        for _ in range(input_count)
    )
    output_count = reader.compact_size(reader.remaining // OUTPUT_SIZE_MIN, "outputs")
    if not output_count:
        raise _empty("output")
    outputs = tuple(
        TransactionOutput(reader.i64(), reader.var_bytes(SCRIPT_SIZE_MAX)) for _ in range(output_count)
    )
    witnesses = tuple(_parse_stack(reader) for _ in inputs) if marked else ()
    if marked and not any(witnesses):
        raise WireError("witness marker without any witness data", kind="malformed")
    return Transaction(version, inputs, outputs, witnesses, reader.u32())


def _parse_stack(reader: Reader) -> tuple[bytes, ...]:
    count = reader.compact_size(reader.remaining, "witness items")
    return tuple(reader.var_bytes(SCRIPT_SIZE_MAX) for _ in range(count))


def scan_transaction(raw: bytes, start: int) -> tuple[int, bytes, bytes, int]:
    """Return (where the next one starts, txid, wtxid, bytes of witness data) of the one at `start`.

    Written without a reader: a block has thousands, and this is the plain path until kernels are warm.
    Every variable length is held against the end before it is passed over; each turn of a loop moves on by
    at least one byte, so a false count ends at the end of the bytes.
    """
    end = len(raw)
    try:
        marked = raw[start + 4] == 0 and raw[start + 5] == 1
        body = start + 6 if marked else start + 4
        count, position = _count(raw, body)
        input_count = count
        if not count:
            raise _empty("input")
        for _ in range(count):
            length, position = _count(raw, position + 36)
            position += length + 4
            if position > end:
                raise _truncated(position, end)
        count, position = _count(raw, position)
        if not count:
            raise _empty("output")
        for _ in range(count):
            length, position = _count(raw, position + 8)
            position += length
            if position > end:
                raise _truncated(position, end)
        witness = position
        if marked:
            position = _pass_witnesses(raw, position, input_count)
    except IndexError:
        raise _truncated(end + 1, end) from None
    stop = position + 4
    if stop > end:
        raise _truncated(stop, end)
    if not marked:
        txid = sha256d(raw[start:stop])
        return stop, txid, txid, 0
    stripped = raw[start : start + 4] + raw[body:witness] + raw[position:stop]
    return stop, sha256d(stripped), sha256d(raw[start:stop]), stop - start - len(stripped)


def _pass_witnesses(raw: bytes, position: int, input_count: int) -> int:
    end = len(raw)
    items = 0
    for _ in range(input_count):
        count, position = _count(raw, position)
        items += count
        for _ in range(count):
            length, position = _count(raw, position)
            position += length
            if position > end:
                raise _truncated(position, end)
    if not items:
        raise WireError("witness marker without any witness data", kind="malformed")
    return position


def _count(raw: bytes, position: int) -> tuple[int, int]:
    """Read a compact size at `position`: (value, next position). IndexError past the end."""
    first = raw[position]
    if first < 0xFD:
        return first, position + 1
    reader = Reader(raw, position)
    value = reader.compact_size(SCRIPT_SIZE_MAX)
    return value, reader.position


def starts_as_coinbase(raw: bytes, start: int) -> bool:
    """Tell whether the transaction at `start` has one input that spends the null outpoint."""
    return raw.startswith(_COINBASE_STARTS, start + 4)


def _empty(what: str) -> WireError:
    return WireError(f"a transaction without an {what}", kind="malformed")


def _truncated(wanted: int, end: int) -> WireError:
    return WireError(f"transaction runs to {wanted}, the bytes end at {end}", kind="truncated")


def check_transaction(transaction: Transaction, money_max: int, *, coinbase: bool) -> None:
    """Check what needs no other transaction (Bitcoin Core's `CheckTransaction`). RuleError if refused."""
    if not transaction.inputs or not transaction.outputs:
        raise RuleError("transaction_shape", "a transaction needs an input and an output")
    total = 0
    for output in transaction.outputs:
        total += output.value
        if not 0 <= output.value <= money_max or total > money_max:
            raise RuleError("transaction_value", f"outputs reach {total}, limit {money_max}")
    outpoints = {(i.previous_txid, i.previous_index) for i in transaction.inputs}
    if len(outpoints) != len(transaction.inputs):
        raise RuleError("transaction_inputs", "the same output is spent twice")
    if coinbase:
        _check_coinbase_input(transaction)
    elif any(i.is_null for i in transaction.inputs):
        raise RuleError("transaction_inputs", "only a coinbase may spend the null outpoint")


def check_transaction_weight(transaction: Transaction, weight_max: int) -> None:
    """Refuse a transaction that no block has room for."""
    weight = 4 * len(transaction.encode(witness=False))
    if weight > weight_max:
        raise RuleError("transaction_weight", f"weight {weight} without witness data, limit {weight_max}")


def _check_coinbase_input(transaction: Transaction) -> None:
    if len(transaction.inputs) != 1 or not transaction.inputs[0].is_null:
        raise RuleError("coinbase", "the first transaction does not spend the one null outpoint")
    size = len(transaction.inputs[0].script)
    if not COINBASE_SCRIPT_SIZE_MIN <= size <= COINBASE_SCRIPT_SIZE_MAX:
        limits = f"{COINBASE_SCRIPT_SIZE_MIN} to {COINBASE_SCRIPT_SIZE_MAX}"
        raise RuleError("coinbase", f"coinbase script of {size} bytes, limit {limits}")
