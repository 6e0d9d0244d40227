"""Blocks rebuilt from their compact form: whole when all is known, asked for when not, never a wrong one."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import litecoin
from sprint.core.chains.bitcoin_family.transaction import (
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.errors import WireError
from sprint.core.protocols.bitcoin_p2p import rebuild
from sprint.core.protocols.bitcoin_p2p.compact import CompactBlock
from sprint.core.protocols.bitcoin_p2p.rebuild import KnownTransaction, PartialBlock, RebuildFailed
from tests.core.protocols.bitcoin_p2p.compact_blocks import (
    PARAMETERS,
    block_of,
    coinbase,
    compact_of,
    known,
    pool_of,
    spend,
)


def partial_of(message: CompactBlock, version: int = 2) -> PartialBlock:
    size = len(message.encode())
    return PartialBlock(message, PARAMETERS, version=version, size_bytes=size, received_at=0.0)


@given(st.integers(0, 40), st.data())
def test_a_block_is_whole_again_whatever_is_known_prefilled_or_missing(
    count: int, data: st.DataObject
) -> None:
    transactions = [coinbase(), *map(spend, range(count))]
    prefilled = data.draw(st.sets(st.integers(0, count)))
    unknown = data.draw(st.sets(st.integers(0, count)))
    pool = pool_of(each for n, each in enumerate(transactions) if n not in unknown)
    partial = partial_of(compact_of(transactions, prefilled=prefilled))
    missing = partial.match(pool)
    assert set(missing) == ({0} | unknown) - prefilled & set(range(count + 1)), "a coinbase is in no pool"
    partial.fill([transactions[index].encode() for index in missing])
    assert partial.finish() == block_of(transactions)


class Listed:
    """A pool that says what it is told to."""

    def __init__(self, transactions: Iterable[KnownTransaction]) -> None:
        self._transactions = list(transactions)

    def __len__(self) -> int:
        return len(self._transactions)

    def wanted(self, digests: Sequence[bytes], now: float) -> list[bytes]:
        return []

    def add(self, raw: bytes) -> tuple[bytes, bytes]:
        return raw, raw

    def remove(self, txids: Iterable[bytes]) -> None:
        """Nothing is forgotten here."""

    def transactions(self) -> Iterator[KnownTransaction]:
        return iter(self._transactions)


def with_the_id_of(transaction: KnownTransaction, other: KnownTransaction) -> KnownTransaction:
    """What a collision looks like to whoever has only the short id: another transaction under it."""
    return KnownTransaction(other.txid, transaction.wtxid, other.raw)


def test_a_short_id_that_two_known_transactions_have_names_neither() -> None:
    transactions = [coinbase(), spend(1), spend(2)]
    twin = with_the_id_of(known(spend(1)), known(spend(9)))
    partial = partial_of(compact_of(transactions))
    assert partial.match(Listed([known(spend(1)), twin, known(spend(2))])) == (1,)
    partial.fill([spend(1).encode()])
    assert partial.finish() == block_of(transactions)


def test_a_block_rebuilt_with_another_transaction_of_the_same_short_id_is_not_given_out() -> None:
    partial = partial_of(compact_of([coinbase(), spend(1)]))
    assert partial.match(Listed([with_the_id_of(known(spend(1)), known(spend(9)))])) == ()
    with pytest.raises(RebuildFailed, match="not those that the header commits to") as failure:
        partial.finish()
    assert failure.value.block_hash == partial.hash


def test_a_block_with_one_short_id_twice_is_asked_for_whole() -> None:
    message = compact_of([coinbase(), spend(1), spend(1)])
    with pytest.raises(RebuildFailed, match="one short id"):
        partial_of(message).match(pool_of([spend(2)]))
    # Where nothing is known nothing is guessed: by their places both can be asked for.
    assert partial_of(message).match(pool_of([])) == (1, 2)


@pytest.mark.parametrize("count", [0, 2])
def test_an_answer_with_another_number_of_transactions_is_refused(count: int) -> None:
    partial = partial_of(compact_of([coinbase(), spend(1)]))
    partial.match(pool_of([]))
    with pytest.raises(WireError, match=f"{count} transactions, 1 were asked for"):
        partial.fill([spend(1).encode()] * count)


def test_version_1_names_txids_and_version_2_wtxids() -> None:
    transactions = [coinbase(), spend(1)]
    other_witness = pool_of([spend(1, witness=b"another")])
    assert partial_of(compact_of(transactions, version=1), 1).match(other_witness) == ()
    assert partial_of(compact_of(transactions)).match(other_witness) == (1,)


def test_a_witness_that_version_1_cannot_tell_is_judged_before_the_block_is_given_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transactions = [coinbase(), spend(1, witness=b"")]
    partial = partial_of(compact_of(transactions, version=1), 1)
    assert partial.match(pool_of(transactions[1:])) == ()
    assert partial.finish() == block_of(transactions)

    def refuse(*_: object) -> None:
        raise WireError("no such witness", kind="malformed")

    monkeypatch.setattr(rebuild, "check_body", refuse)
    with pytest.raises(RebuildFailed, match="without its witness data: no such witness"):
        partial.finish()


def test_a_thousand_transactions_are_found_among_many(request: pytest.FixtureRequest) -> None:
    numbers = list(range(3_000))
    random.Random(request.node.name).shuffle(numbers)
    transactions = [coinbase(), *map(spend, numbers[:1_000])]
    partial = partial_of(compact_of(transactions))
    assert partial.match(pool_of(map(spend, range(3_000)))) == ()
    assert partial.finish() == block_of(transactions)


@pytest.mark.parametrize(("integrates", "extension"), [(False, b""), (True, b""), (True, b"\x00")])
def test_a_block_whose_extension_block_was_left_out_is_asked_for_whole(
    extension: bytes, *, integrates: bool
) -> None:
    """A real litecoind leaves it out for a peer that does not offer it; the rest alone is no valid block."""
    source = TransactionInput(bytes(31) + b"\x09", 0, b"", 0xFFFF_FFFF)
    output = TransactionOutput(1, b"\x58\x20" + bytes(32))
    hogex = Transaction(2, (source,), (output,), (), 0, integrates=integrates)
    message = compact_of([coinbase(), hogex], prefilled=(0, 1))
    message = CompactBlock(message.header, message.nonce, (), message.prefilled, extension)
    partial = PartialBlock(message, litecoin.REGTEST, version=2, size_bytes=0, received_at=0.0)
    assert partial.match(pool_of([])) == ()
    with pytest.raises(RebuildFailed, match="extension block is not in the compact form"):
        partial.finish()
