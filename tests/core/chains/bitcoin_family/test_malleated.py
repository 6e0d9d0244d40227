"""Bodies and proofs of work that somebody changed on their way, and whose header keeps its hash."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.chains import Block, Header, Rejected
from sprint.core.chains.bitcoin_family.auxpow import BRANCH_LENGTH_MAX, Auxpow, header_size
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.parameters import ZERO_HASH
from sprint.core.chains.bitcoin_family.transaction import (
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.kernels import merkle_root
from sprint.core.wire import compact_size
from tests.core.chains.bitcoin_family import merging
from tests.core.chains.bitcoin_family.building import block, coinbase, payment, refused
from tests.core.chains.bitcoin_family.merging import PROCESSOR, Work, merged, tagged

SIZE_MAX = 1_000_000


# A merge-mined block: its hash does not cover its AuxPoW, and nothing the witness data in that.

TRANSACTIONS = (coinbase(), payment(1))
HEADER = BlockHeader(
    merging.VERSION,
    ZERO_HASH,
    merkle_root([transaction.txid for transaction in TRANSACTIONS])[0],
    1_700_000_000,
    merging.REGTEST_BITS,
    0,
).encode()
BODY = compact_size(len(TRANSACTIONS)) + b"".join(t.encode() for t in TRANSACTIONS)


def judged(auxpow: Auxpow, body: bytes = BODY) -> Block | Rejected:
    return PROCESSOR.process_block(HEADER + auxpow.encode() + body)


def with_witness(auxpow: Auxpow, size: int) -> Auxpow:
    changed = msgspec.structs.replace(auxpow.coinbase, witnesses=((bytes(size),),))
    return msgspec.structs.replace(auxpow, coinbase=changed)


@pytest.mark.parametrize("size", [1, SIZE_MAX, 3_900_000])
def test_witness_data_of_a_parents_coinbase_makes_no_valid_block_too_large(size: int) -> None:
    verdict = judged(with_witness(merged(HEADER), size))
    assert isinstance(verdict, Block), verdict


def test_a_block_too_heavy_by_witness_data_that_nothing_commits_to_may_have_another_body() -> None:
    """Anybody could add it to a valid block, and its hash was then refused for good."""
    verdict = judged(with_witness(merged(HEADER), 3_999_000))
    assert isinstance(verdict, Rejected)
    assert (verdict.check, verdict.mutated) == ("weight", True)


def test_a_block_too_large_by_its_auxpow_may_come_with_another_one() -> None:
    large = Work(script=lambda root, size, nonce: tagged(root, size, nonce) + bytes(SIZE_MAX))
    verdict = judged(merged(HEADER, large))
    assert isinstance(verdict, Rejected)
    assert (verdict.check, verdict.mutated) == ("size", True)


def test_a_merge_mined_block_whose_transactions_are_too_large_is_refused_for_good() -> None:
    whole = msgspec.structs.replace(payment(1), outputs=(TransactionOutput(1, bytes(SIZE_MAX)),))
    root, _ = merkle_root([coinbase().txid, whole.txid])
    header = HEADER[:36] + root + HEADER[68:]
    body = b"\x02" + coinbase().encode() + whole.encode()
    verdict = PROCESSOR.process_block(header + merged(header).encode() + body)
    assert isinstance(verdict, Rejected)
    assert (verdict.check, verdict.mutated) == ("size", False)


# A parent need be no block that its own chain would take.


@pytest.mark.parametrize(
    "work",
    [Work(outputs=()), Work(coinbase_branch=(b"\x11" * 32,) * 1_025)],
    ids=["no outputs", "a long branch"],
)
def test_a_parent_that_no_chain_would_take_proves_work_as_well(work: Work) -> None:
    """Dogecoin Core asks of the parent only what its rules of merged mining do."""
    raw = HEADER + merged(HEADER, work).encode()
    assert isinstance(PROCESSOR.process_header(raw), Header)
    assert header_size(raw, 0, PROCESSOR.parameters) == len(raw)
    assert isinstance(PROCESSOR.process_block(raw + BODY), Block)


def test_the_longest_branch_read_is_longer_than_any_that_a_block_has_room_for() -> None:
    longest = Work(coinbase_branch=(b"\x11" * 32,) * BRANCH_LENGTH_MAX)
    verdict = judged(merged(HEADER, longest))
    assert isinstance(verdict, Rejected)
    assert (verdict.check, verdict.mutated) == ("size", True)


# Pairs of ids that are read as transactions.


def pair(number: int, script_size: int = 4) -> Transaction:
    """A transaction of 60 bytes and those of its script; of 64 a pair of ids may have just these."""
    source = TransactionInput(number.to_bytes(32, "little"), 0, b"", 0)
    return Transaction(1, (source,), (TransactionOutput(number, b"\x51" * script_size),), (), 0)


def test_pairs_of_ids_that_parse_as_transactions_do_not_condemn_the_block_they_stand_in() -> None:
    """Such a body has the root of a valid one of twice as many transactions, but no coinbase."""
    assert len(pair(1).encode()) == 64
    spoilt = msgspec.structs.replace(pair(1), outputs=(TransactionOutput(-1, b"\x51" * 4),))
    for transactions in ((pair(1),), (pair(1), pair(2)), (spoilt, pair(2)), (payment(1), pair(2))):
        verdict = refused(block(transactions))
        assert (verdict.check, verdict.mutated) == ("merkle_root", True)


def test_a_block_without_a_coinbase_and_without_such_a_pair_is_refused_for_good() -> None:
    for sizes in ((3, 5), (5,)):
        verdict = refused(block([pair(number, size) for number, size in enumerate(sizes, 1)]))
        assert (verdict.check, verdict.mutated) == ("coinbase", False)


def test_a_transaction_of_64_bytes_behind_a_coinbase_is_like_any_other() -> None:
    verdict = refused(block([coinbase(), pair(1), coinbase()]))
    assert (verdict.check, verdict.mutated) == ("coinbase", False)
