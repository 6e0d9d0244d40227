"""Two readers of one format agree on every input, and a transaction's own rules hold at their edges."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import bitcoin
from sprint.core.chains.bitcoin_family.scan import ScannedTransaction, scan_transaction
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    SEQUENCE_FINAL,
    Transaction,
    TransactionInput,
    TransactionOutput,
    check_transaction,
    parse_transaction,
)
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import sha256d
from sprint.core.wire import Reader
from tests.core.chains.bitcoin_family.building import REGTEST, coinbase, payment

MONEY_MAX = bitcoin.MAIN.money_max
U32 = st.integers(0, 2**32 - 1)
I32 = st.integers(-(2**31), 2**31 - 1)
HASH = st.binary(min_size=32, max_size=32) | st.just(bytes(32))
SCRIPT = st.binary(max_size=40) | st.integers(250, 260).map(bytes)
INPUTS = st.builds(TransactionInput, HASH, U32 | st.just(NULL_INDEX), SCRIPT, U32 | st.just(SEQUENCE_FINAL))
VALUES = st.integers(-(2**63), 2**63 - 1) | st.integers(0, MONEY_MAX) | st.sampled_from([-1, MONEY_MAX + 1])
OUTPUTS = st.builds(TransactionOutput, VALUES, SCRIPT)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    inputs = tuple(draw(st.lists(INPUTS, min_size=1, max_size=4)))
    outputs = tuple(draw(st.lists(OUTPUTS, min_size=1, max_size=4)))
    stacks = draw(
        st.lists(st.lists(SCRIPT, max_size=3).map(tuple), min_size=len(inputs), max_size=len(inputs)).map(
            tuple
        )
    )
    if draw(st.booleans()):
        inputs = (*inputs, draw(st.sampled_from(inputs)))
        stacks = (*stacks, ())
    return Transaction(
        draw(I32), inputs, outputs, stacks if any(stacks) else (), draw(U32), draw(st.booleans())
    )


def scanned(raw: bytes, start: int, *, mweb: bool = True) -> ScannedTransaction | None:
    try:
        return scan_transaction(raw, start, MONEY_MAX, mweb=mweb)
    except WireError:
        return None


def parsed(raw: bytes, start: int, *, mweb: bool = True) -> ScannedTransaction | None:
    """Answer what the scanner answers, by the plain reader."""
    reader = Reader(raw, start)
    try:
        found = parse_transaction(reader, mweb=mweb)
    except WireError:
        return None
    stripped, unmarked = found.encode(witness=False, mark=False), found.encode(mark=False)
    return ScannedTransaction(
        stop=reader.position,
        txid=sha256d(stripped),
        wtxid=sha256d(unmarked),
        witness_size=len(unmarked) - len(stripped),
        mark_size=len(found.encode()) - len(unmarked),
        is_coinbase=found.is_coinbase,
        sound=keeps_the_rules(found),
        locked_until=found.locked_until,
    )


def keeps_the_rules(transaction: Transaction) -> bool:
    try:
        check_transaction(transaction, MONEY_MAX, coinbase=False)
    except RuleError:
        return False
    return True


@given(transactions())
def test_what_is_encoded_is_parsed_back(transaction: Transaction) -> None:
    reader = Reader(transaction.encode())
    assert parse_transaction(reader, mweb=True) == transaction
    reader.finish()
    stripped = parse_transaction(Reader(transaction.encode(witness=False, mark=False)))
    assert stripped == msgspec.structs.replace(transaction, witnesses=(), integrates=False)
    assert stripped.txid == transaction.txid
    assert (transaction.wtxid == transaction.txid) == (not transaction.witnesses)


@given(transactions(), st.binary(max_size=10), st.binary(max_size=10))
def test_the_scanner_finds_what_the_reader_finds(
    transaction: Transaction, before: bytes, after: bytes
) -> None:
    raw = before + transaction.encode() + after
    found = scanned(raw, len(before))
    assert found is not None
    assert found == parsed(raw, len(before))
    assert (found.stop, found.txid, found.wtxid) == (
        len(raw) - len(after),
        transaction.txid,
        transaction.wtxid,
    )


@given(transactions(), st.data())
@settings(max_examples=400)
def test_on_changed_bytes_both_refuse_or_both_find_the_same(
    transaction: Transaction, data: st.DataObject
) -> None:
    raw = bytearray(transaction.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        change = data.draw(st.sampled_from(["flip", "set", "insert", "delete", "cut"]))
        if change == "flip" and raw:
            raw[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "set" and raw:
            raw[at] = data.draw(st.sampled_from([0, 1, 2, 0xFC, 0xFD, 0xFE, 0xFF]))
        elif change == "insert":
            raw[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        elif change == "delete":
            del raw[at : at + data.draw(st.integers(1, 9))]
        else:
            del raw[at:]
    for mweb in (False, True):
        assert scanned(bytes(raw), 0, mweb=mweb) == parsed(bytes(raw), 0, mweb=mweb)


@given(st.binary(max_size=200), st.integers(0, 210))
def test_on_any_bytes_both_refuse_or_both_find_the_same(raw: bytes, start: int) -> None:
    assert scanned(raw, start) == parsed(raw, start)


@given(transactions(), st.data())
def test_every_truncation_is_refused_by_both(transaction: Transaction, data: st.DataObject) -> None:
    raw = transaction.encode()
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    assert scanned(cut, 0) is None
    assert parsed(cut, 0) is None


def test_both_kinds_of_coinbase_are_told_and_nothing_else_is() -> None:
    def told(transaction: Transaction) -> bool:
        found = scanned(transaction.encode(), 0)
        assert found is not None
        return found.is_coinbase

    assert told(coinbase())
    assert told(coinbase(stack=(bytes(32),)))
    assert not told(payment(1, witness=True))
    two = msgspec.structs.replace(payment(1), inputs=coinbase().inputs + payment(1).inputs)
    assert not told(two)


def test_the_mark_of_a_hogex_is_in_no_id_and_known_only_where_there_are_extension_blocks() -> None:
    for plain in (payment(1), payment(1, witness=True)):
        marked = msgspec.structs.replace(plain, integrates=True)
        assert (marked.txid, marked.wtxid) == (plain.txid, plain.wtxid)
        assert marked.encode() != plain.encode()
        assert scanned(marked.encode(), 0, mweb=False) is None
        found = scanned(marked.encode(), 0)
        assert found is not None
        assert found.mark_size == len(marked.encode()) - len(plain.encode())
        assert found.witness_size == len(plain.encode()) - len(plain.encode(witness=False))


EMPTY_STACKS = (
    bytes.fromhex("02000000 0001 01")
    + bytes(36)
    + b"\x00"
    + bytes(4)
    + b"\x01"
    + bytes(9)
    + b"\x00"
    + bytes(4)
)
NO_INPUTS = bytes.fromhex("02000000 00 01") + bytes(9) + bytes(4)
NO_OUTPUTS = bytes.fromhex("02000000 01") + bytes(36) + b"\x00" + bytes(4) + b"\x00" + bytes(4)
LONG_COUNT = bytes.fromhex("02000000 fd0100") + bytes(36) + b"\x00" + bytes(4) + b"\x01" + bytes(9) + bytes(4)


CARRIES_MWEB = msgspec.structs.replace(payment(1), integrates=True).encode()[:-5] + b"\x01" + bytes(4)
UNKNOWN_FLAG = payment(1).encode()[:4] + b"\x00\x02" + payment(1).encode()[4:]


@pytest.mark.parametrize(
    "raw", [EMPTY_STACKS, NO_INPUTS, NO_OUTPUTS, LONG_COUNT, CARRIES_MWEB, UNKNOWN_FLAG], ids=len
)
def test_forms_that_no_chain_allows_are_refused_by_both(raw: bytes) -> None:
    assert scanned(raw, 0) is None
    assert parsed(raw, 0) is None


# The rules of one transaction.


def check_of(transaction: Transaction) -> str | None:
    verdict = REGTEST.validate_transaction(transaction.encode())
    return verdict.check if verdict else None


def with_values(*values: int) -> Transaction:
    outputs = tuple(TransactionOutput(value, b"") for value in values)
    return msgspec.structs.replace(payment(1), outputs=outputs)


def with_outpoints(*outpoints: tuple[bytes, int]) -> Transaction:
    inputs = tuple(TransactionInput(txid, index, b"", 0) for txid, index in outpoints)
    return msgspec.structs.replace(payment(1), inputs=inputs)


@pytest.mark.parametrize("values", [(0,), (MONEY_MAX,), (MONEY_MAX - 1, 1)])
def test_values_up_to_all_the_money_pass(values: tuple[int, ...]) -> None:
    assert check_of(with_values(*values)) is None


@pytest.mark.parametrize("values", [(-1,), (MONEY_MAX + 1,), (MONEY_MAX, 1), (2**63 - 1, 2**63 - 1)])
def test_values_one_over_are_refused(values: tuple[int, ...]) -> None:
    assert check_of(with_values(*values)) == "transactions"


def test_an_output_spent_twice_or_the_null_outpoint_is_refused() -> None:
    one, other = b"\x01" * 32, b"\x02" * 32
    assert check_of(with_outpoints((one, 0), (one, 1), (other, 0))) is None
    assert check_of(with_outpoints((one, 0), (other, 0), (one, 0))) == "transactions"
    assert check_of(with_outpoints((one, 0), (bytes(32), NULL_INDEX))) == "transactions"
    assert check_of(with_outpoints((one, NULL_INDEX), (bytes(32), 0))) is None
    assert check_of(coinbase()) == "transactions"


def test_a_transaction_that_no_block_has_room_for_is_refused() -> None:
    def sized(filling: int) -> Transaction:
        return msgspec.structs.replace(payment(1), outputs=(TransactionOutput(0, bytes(filling)),))

    room = 1_000_000 - len(sized(70_000).encode()) + 70_000
    assert check_of(sized(room)) is None
    assert check_of(sized(room + 1)) == "transactions"
    heavy_witness = msgspec.structs.replace(sized(room), witnesses=((b"x",),))
    assert check_of(heavy_witness) is None


def test_bytes_after_a_transaction_are_refused() -> None:
    verdict = REGTEST.validate_transaction(payment(1).encode() + b"\x00")
    assert verdict is not None
    assert verdict.check == "parse"
