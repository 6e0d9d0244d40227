"""Transactions, with and without witness data (BIP 144), and what one alone can break.

Two readers of one format. `parse_transaction` gives every field and is the plain one; `scan` finds only
what judging a block needs of most of its transactions. A property test holds them equal.

Behind the marker stands a byte of flags: 1 for witness data; 8, on networks with extension blocks, for the
transaction that integrates one (LIP 2's HogEx). No id covers the flag 8 or the empty byte it brings.
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
SEQUENCE_FINAL = 0xFFFF_FFFF
WITNESS_FLAG = 1
MWEB_FLAG = 8


class TransactionInput(msgspec.Struct, frozen=True, gc=False):
    previous_txid: bytes
    previous_index: int
    script: bytes
    sequence: int

    @property
    def is_null(self) -> bool:
        return self.previous_index == NULL_INDEX and not any(self.previous_txid)


class TransactionOutput(msgspec.Struct, frozen=True, gc=False):
    value: int
    script: bytes


class Transaction(msgspec.Struct, frozen=True):
    """One transaction; `witnesses` is empty or holds one stack for each input.

    `integrates` is set where it is marked as the one that integrates an extension block.
    """

    version: int
    inputs: tuple[TransactionInput, ...]
    outputs: tuple[TransactionOutput, ...]
    witnesses: tuple[tuple[bytes, ...], ...]
    lock_time: int
    integrates: bool = False

    def encode(self, *, witness: bool = True, mark: bool = True) -> bytes:
        """Encode, with witness data if there is any and `witness`, with the flag 8 if set and `mark`."""
        with_witness = witness and bool(self.witnesses)
        flags = with_witness * WITNESS_FLAG | (mark and self.integrates) * MWEB_FLAG
        parts = [i32(self.version), bytes((0, flags)) if flags else b"", compact_size(len(self.inputs))]
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
        parts.append(b"\x00" if flags & MWEB_FLAG else b"")
        parts.append(u32(self.lock_time))
        return b"".join(parts)

    @property
    def txid(self) -> bytes:
        return sha256d(self.encode(witness=False, mark=False))

    @property
    def wtxid(self) -> bytes:
        return sha256d(self.encode(mark=False))

    @property
    def is_coinbase(self) -> bool:
        return len(self.inputs) == 1 and self.inputs[0].is_null

    @property
    def locked_until(self) -> int:
        """The lock time where an input's sequence lets it bind, else 0 (Bitcoin Core's `IsFinalTx`)."""
        return self.lock_time if any(i.sequence != SEQUENCE_FINAL for i in self.inputs) else 0


def parse_transaction(reader: Reader, *, mweb: bool = False, outputs_min: int = 1) -> Transaction:
    """Read one transaction; `mweb`: on a network with extension blocks. WireError if it does not parse."""
    version = reader.i32()
    flags = _parse_flags(reader, WITNESS_FLAG | mweb * MWEB_FLAG)
    input_count = reader.compact_size(reader.remaining // INPUT_SIZE_MIN, "inputs")
    if not input_count:
        raise no_such("input")
    inputs = tuple(
        TransactionInput(reader.hash(), reader.u32(), reader.var_bytes(SCRIPT_SIZE_MAX), reader.u32())
        for _ in range(input_count)
    )
    output_count = reader.compact_size(reader.remaining // OUTPUT_SIZE_MIN, "outputs")
    if output_count < outputs_min:
        raise no_such("output")
    outputs = tuple(
        TransactionOutput(reader.i64(), reader.var_bytes(SCRIPT_SIZE_MAX)) for _ in range(output_count)
    )
    witnesses = tuple(_parse_stack(reader) for _ in inputs) if flags & WITNESS_FLAG else ()
    if flags & WITNESS_FLAG and not any(witnesses):
        raise WireError("witness marker without any witness data", kind="malformed")
    if flags & MWEB_FLAG and reader.u8():
        raise carries_mweb()
    return Transaction(version, inputs, outputs, witnesses, reader.u32(), bool(flags & MWEB_FLAG))


def _parse_flags(reader: Reader, known: int) -> int:
    if reader.data[reader.position : reader.position + 1] != b"\x00":
        return 0
    reader.take(1)
    flags = reader.u8()
    if not flags or flags & ~known:
        raise no_such("input")
    return flags


def _parse_stack(reader: Reader) -> tuple[bytes, ...]:
    count = reader.compact_size(reader.remaining, "witness items")
    return tuple(reader.var_bytes(SCRIPT_SIZE_MAX) for _ in range(count))


def no_such(what: str) -> WireError:
    return WireError(f"a transaction without an {what}", kind="malformed")


def carries_mweb() -> WireError:
    return WireError("a transaction with extension data of its own, which none in a block has")


def check_transaction(transaction: Transaction, money_max: int, *, coinbase: bool) -> None:
    """Check what needs no other transaction (Bitcoin Core's `CheckTransaction`). RuleError if refused."""
    if not transaction.inputs or not transaction.outputs:
        raise RuleError("transactions", "a transaction needs an input and an output")
    total = 0
    for output in transaction.outputs:
        total += output.value
        if not 0 <= output.value <= money_max or total > money_max:
            raise RuleError("transactions", f"outputs reach {total}, limit {money_max}")
    outpoints = {(i.previous_txid, i.previous_index) for i in transaction.inputs}
    if len(outpoints) != len(transaction.inputs):
        raise RuleError("transactions", "the same output is spent twice (CVE-2018-17144)")
    if coinbase:
        _check_coinbase_input(transaction)
    elif any(i.is_null for i in transaction.inputs):
        raise RuleError("transactions", "only a coinbase may spend the null outpoint")


def check_transaction_weight(transaction: Transaction, weight_max: int) -> None:
    """Refuse a transaction that no block has room for."""
    weight = 4 * len(transaction.encode(witness=False, mark=False))
    if weight > weight_max:
        raise RuleError("transactions", f"weight {weight} without witness data, limit {weight_max}")


def _check_coinbase_input(transaction: Transaction) -> None:
    if not transaction.is_coinbase:
        raise RuleError("coinbase", "the first transaction does not spend the one null outpoint")
    size = len(transaction.inputs[0].script)
    if not COINBASE_SCRIPT_SIZE_MIN <= size <= COINBASE_SCRIPT_SIZE_MAX:
        limits = f"{COINBASE_SCRIPT_SIZE_MIN} to {COINBASE_SCRIPT_SIZE_MAX}"
        raise RuleError("coinbase", f"coinbase script of {size} bytes, limit {limits}")
