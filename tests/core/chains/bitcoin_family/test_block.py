"""A body against its header: each rule at its edge, on blocks built by hand."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains.bitcoin_family import block as block_module
from sprint.core.chains.bitcoin_family.coinbase import height_claimed
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.chains.bitcoin_family.witness import COMMITMENT_PREFIX
from sprint.core.kernels import merkle_root
from sprint.core.wire import compact_size
from tests.core.chains.bitcoin_family.building import (
    COINBASE_INPUT,
    REGTEST,
    RESERVED,
    accepted,
    at,
    block,
    claiming,
    coinbase,
    commitment,
    mined,
    payment,
    refused,
)

WITNESSED = [payment(1, witness=True), payment(2)]
RIGHT = commitment(WITNESSED)
WRONG = commitment([payment(3, witness=True)])


def verdict_of(raw: bytes) -> tuple[str, bool]:
    rejected = refused(raw)
    return rejected.check, rejected.mutated


# The merkle root.


@pytest.mark.parametrize("count", [3, 5, 6, 7, 11, 13])
def test_a_repeated_tail_keeps_the_root_and_is_refused(count: int) -> None:
    """CVE-2012-2459: at each level of odd length, repeating what the last node covers keeps the root."""
    honest = [coinbase(), *(payment(i) for i in range(1, count))]
    accepted(block(honest))
    covered, width = 1, count
    while width % 2 == 0:
        covered, width = covered * 2, width // 2
    repeated = honest + honest[-covered:]
    root, _ = merkle_root([t.txid for t in honest])
    assert merkle_root([t.txid for t in repeated])[0] == root
    assert verdict_of(block(repeated, root=root)) == ("merkle_root", True)


def test_transactions_in_another_order_are_refused_as_not_the_true_body() -> None:
    one, two = payment(1), payment(2)
    root, _ = merkle_root([t.txid for t in (coinbase(), one, two)])
    assert verdict_of(block([coinbase(), two, one], root=root)) == ("merkle_root", True)


def test_a_block_without_transactions_is_refused() -> None:
    assert verdict_of(block([], root=bytes(32))) == ("merkle_root", True)


@pytest.mark.parametrize("claimed", [0, 1, 3, 0xFFFF_FFFF])
def test_a_false_count_of_transactions_is_refused(claimed: int) -> None:
    raw = block([coinbase(), payment(1)])
    check, mutated = verdict_of(raw[:80] + compact_size(claimed) + raw[81:])
    assert check in ("merkle_root", "parse")
    assert mutated


# The coinbase.


def test_the_first_transaction_must_be_a_coinbase() -> None:
    assert verdict_of(block([payment(1)])) == ("coinbase", False)


@pytest.mark.parametrize("stack", [None, (RESERVED,)], ids=["plain", "witness"])
def test_a_second_coinbase_is_refused(stack: tuple[bytes, ...] | None) -> None:
    second = coinbase(script=b"\x52\x00", stack=stack)
    first = coinbase(commitment([second]), stack=(RESERVED,))
    assert verdict_of(block([first, second])) == ("coinbase", False)


@pytest.mark.parametrize("size", [2, 100])
def test_a_coinbase_script_at_its_limits_is_accepted(size: int) -> None:
    accepted(block([coinbase(script=b"\x51" * size)]))


@pytest.mark.parametrize("size", [0, 1, 101])
def test_a_coinbase_script_one_over_its_limits_is_refused(size: int) -> None:
    assert verdict_of(block([coinbase(script=b"\x51" * size)])) == ("coinbase", False)


@pytest.mark.parametrize(
    "number", [0, 1, 2, 15, 16, 17, 127, 128, 255, 256, 32_767, 32_768, 8_388_607, 8_388_608]
)
def test_a_height_in_its_shortest_form_is_read(number: int) -> None:
    assert height_claimed(shortest_push(number) + b"\x00") == number


@given(st.integers(0, 2**31 - 1))
def test_any_height_in_its_shortest_form_is_read(number: int) -> None:
    assert height_claimed(shortest_push(number)) == number


@given(st.binary(max_size=8))
def test_a_height_in_any_other_form_is_not_a_height(script: bytes) -> None:
    claimed = height_claimed(script)
    assert claimed is None or script.startswith(shortest_push(claimed))


@pytest.mark.parametrize(
    "script_hex",
    ["", "4f", "61", "01", "0100", "0110", "0181", "021100", "03800000", "050101010101", "030101"],
)
def test_what_is_not_the_shortest_push_of_a_height_is_none(script_hex: str) -> None:
    assert height_claimed(bytes.fromhex(script_hex)) is None


def shortest_push(number: int) -> bytes:
    """Write a number as a script does: written out here apart from the code that reads it."""
    if number == 0:
        return b"\x00"
    if number <= 16:
        return bytes([0x50 + number])
    digits = bytearray()
    while number:
        digits.append(number % 256)
        number //= 256
    if digits[-1] > 127:
        digits.append(0)
    return bytes([len(digits)]) + bytes(digits)


def test_another_height_than_the_coinbase_states_is_refused_from_where_the_rule_binds() -> None:
    stated = accepted(block([coinbase(script=b"\x51\x00")]))  # height 1
    assert REGTEST.check_context(stated, at(1), ()) is None
    verdict = REGTEST.check_context(stated, at(2), ())
    assert verdict is not None
    assert (verdict.check, verdict.mutated) == ("coinbase_height", False)
    later = msgspec.structs.replace(REGTEST.parameters, bip34_height=3)
    assert type(REGTEST)(later).check_context(stated, at(2), ()) is None
    assert type(REGTEST)(later).check_context(stated, at(3), ()) is not None


# The other transactions.


def spending(*outpoints: tuple[bytes, int], values: tuple[int, ...] = (1,)) -> Transaction:
    inputs = tuple(TransactionInput(txid, index, b"", 0) for txid, index in outpoints)
    return Transaction(2, inputs, tuple(TransactionOutput(value, b"") for value in values), (), 0)


ONE, OTHER, NULL = (b"\x01" * 32, 0), (b"\x02" * 32, 0), (bytes(32), NULL_INDEX)
MONEY_MAX = REGTEST.parameters.money_max


@pytest.mark.parametrize(
    "transaction",
    [
        spending(ONE, OTHER, ONE),  # CVE-2018-17144
        spending(ONE, NULL),
        spending(ONE, values=(-1,)),
        spending(ONE, values=(MONEY_MAX + 1,)),
        spending(ONE, values=(MONEY_MAX, 1)),
        spending(ONE, values=(2**63 - 1, 2**63 - 1, 2)),  # CVE-2010-5139: the sum passes 64 bits
    ],
    ids=["spent twice", "null outpoint", "negative", "too large", "total too large", "total overflows"],
)
@pytest.mark.parametrize("place", [1, 2])
def test_a_transaction_that_breaks_a_rule_of_its_own_makes_the_block_invalid(
    transaction: Transaction, place: int
) -> None:
    transactions = [coinbase(), payment(1), payment(2)]
    transactions[place] = transaction
    assert verdict_of(block(transactions)) == ("transactions", False)
    assert verdict_of(block(transactions, root=bytes(32))) == ("merkle_root", True)


def test_a_coinbase_keeps_the_rules_of_values_too() -> None:
    outputs = (TransactionOutput(MONEY_MAX, b""), TransactionOutput(1, b""))
    assert verdict_of(block([msgspec.structs.replace(coinbase(), outputs=outputs)])) == (
        "transactions",
        False,
    )


def test_a_block_of_transactions_at_every_limit_is_accepted() -> None:
    accepted(block([coinbase(), spending(ONE, OTHER, values=(0, MONEY_MAX)), spending((bytes(32), 0))]))


# The witness commitment (BIP 141).


def test_a_right_commitment_is_accepted() -> None:
    verdict = accepted(block([coinbase(RIGHT, stack=(RESERVED,)), *WITNESSED]))
    assert not verdict.facts.witness.absent


def test_witness_data_without_a_commitment_is_refused() -> None:
    assert verdict_of(block([coinbase(), *WITNESSED])) == ("witness_commitment", True)
    assert verdict_of(block([coinbase(stack=(RESERVED,))])) == ("witness_commitment", True)


def test_a_missing_reserved_value_beside_witness_data_is_refused() -> None:
    assert verdict_of(block([coinbase(RIGHT), *WITNESSED])) == ("witness_commitment", True)


@pytest.mark.parametrize(
    "stack", [(RESERVED[:31],), (RESERVED + b"\x00",), (RESERVED, b""), (RESERVED, RESERVED), (b"",)]
)
def test_a_reserved_value_that_is_not_one_item_of_32_bytes_is_refused(stack: tuple[bytes, ...]) -> None:
    assert verdict_of(block([coinbase(RIGHT, stack=stack), *WITNESSED])) == ("witness_commitment", True)


def test_a_refusal_is_short_however_many_witness_items_a_coinbase_has() -> None:
    """Reasons are logged and told to every subscriber; the sizes of all items made megabytes of one."""
    verdict = refused(block([coinbase(RIGHT, stack=(b"",) * 100_000), *WITNESSED]))
    assert "100000 witness items" in verdict.reason
    assert len(verdict.reason) < 200


def test_another_reserved_value_is_refused() -> None:
    assert verdict_of(block([coinbase(RIGHT, stack=(bytes(32),)), *WITNESSED])) == (
        "witness_commitment",
        True,
    )


def test_of_two_commitments_the_last_counts() -> None:
    accepted(block([coinbase(WRONG, RIGHT, stack=(RESERVED,)), *WITNESSED]))
    last_wrong = block([coinbase(RIGHT, WRONG, stack=(RESERVED,)), *WITNESSED])
    assert verdict_of(last_wrong) == ("witness_commitment", True)


def test_a_longer_script_with_the_prefix_commits_and_a_shorter_one_does_not() -> None:
    accepted(block([coinbase(RIGHT + b"more", stack=(RESERVED,)), *WITNESSED]))
    accepted(block([coinbase(RIGHT, WRONG[:37], stack=(RESERVED,)), *WITNESSED]))
    assert verdict_of(block([coinbase(RIGHT[:37], stack=(RESERVED,)), *WITNESSED])) == (
        "witness_commitment",
        True,
    )


@pytest.mark.parametrize("position", range(len(COMMITMENT_PREFIX)))
def test_any_other_prefix_does_not_commit(position: int) -> None:
    script = bytearray(RIGHT)
    script[position] ^= 1
    raw = block([coinbase(bytes(script), stack=(RESERVED,)), *WITNESSED])
    assert verdict_of(raw) == ("witness_commitment", True)


def test_an_output_of_another_transaction_does_not_commit() -> None:
    other = msgspec.structs.replace(payment(1, witness=True), outputs=(TransactionOutput(0, WRONG),))
    accepted(block([coinbase(commitment([other]), stack=(RESERVED,)), other]))


def test_a_body_stripped_whole_is_marked_and_only_its_height_decides() -> None:
    transactions = [coinbase(RIGHT, stack=(RESERVED,)), *WITNESSED]
    full, stripped = accepted(block(transactions)), accepted(block(transactions, witness=False))
    assert full.header.hash == stripped.header.hash
    assert stripped.facts.witness.absent
    from_two = type(REGTEST)(msgspec.structs.replace(REGTEST.parameters, witness_height=2))
    assert from_two.check_context(stripped, at(1), ()) is None
    verdict = from_two.check_context(claiming(stripped, 2), at(2), ())
    assert verdict is not None
    assert (verdict.check, verdict.mutated) == ("witness_commitment", True)


def test_a_body_stripped_in_part_is_refused() -> None:
    plain = [msgspec.structs.replace(t, witnesses=()) for t in WITNESSED]
    assert verdict_of(block([coinbase(RIGHT, stack=(RESERVED,)), *plain])) == ("witness_commitment", True)


# Weight and size.


def filled(size: int) -> bytes:
    """Build a block of exactly `size` bytes without witness data."""
    filling = size - len(block([with_filling(70_000)])) + 70_000
    raw = block([with_filling(filling)])
    assert len(raw) == size
    return raw


def with_filling(size: int) -> Transaction:
    return Transaction(1, (COINBASE_INPUT,), (TransactionOutput(0, bytes(size)),), (), 0)


def test_a_block_of_the_size_limit_is_accepted_and_one_byte_more_refused() -> None:
    accepted(filled(1_000_000))
    assert verdict_of(filled(1_000_001)) == ("size", False)


def test_witness_data_weighs_a_quarter() -> None:
    def raw(witness_size: int) -> bytes:
        heavy = msgspec.structs.replace(payment(1), witnesses=((bytes(witness_size),),))
        return block([coinbase(commitment([heavy]), stack=(RESERVED,)), heavy])

    probe = accepted(raw(1_000_000))
    stripped = block(
        [coinbase(commitment([payment(1)])), payment(1)]
    )  # the same size as the heavy one without its witness
    room = REGTEST.parameters.weight_max - (3 * len(stripped) + probe.size)
    accepted(raw(1_000_000 + room))
    assert verdict_of(raw(1_000_001 + room)) == ("weight", False)


def test_more_bytes_than_any_block_has_are_refused_before_they_are_read() -> None:
    raw = mined(bytes(32))
    limit = block_module.BLOCK_SIZE_MAX
    at_limit = refused(raw + bytes(limit - len(raw)))
    assert at_limit.reason == f"{limit - 81} bytes after the last transaction"
    over = refused(raw + bytes(limit + 1 - len(raw)))
    assert (over.check, over.reason) == ("parse", f"block of {limit + 1} bytes, limit {limit}")
