"""Blocks with many transactions, their compact forms, and a pool that is a list: what these tests share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sprint.core.chains.bitcoin import REGTEST
from sprint.core.chains.bitcoin_family.transaction import (
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.kernels import merkle_root
from sprint.core.protocols.bitcoin_p2p.compact import CompactBlock
from sprint.core.protocols.bitcoin_p2p.rebuild import KnownTransaction
from sprint.core.relay.mempool import Mempool
from sprint.core.wire import compact_size

PARAMETERS = REGTEST


def coinbase(height: int = 1) -> Transaction:
    script = b"\x01" + bytes((height,)) + b"\x51"
    spends = TransactionInput(bytes(32), 0xFFFF_FFFF, script, 0xFFFF_FFFF)
    return Transaction(2, (spends,), (TransactionOutput(50, b"\x51"),), (), 0)


def spend(number: int, *, witness: bytes = b"w") -> Transaction:
    source = TransactionInput(number.to_bytes(32, "big"), 0, b"", 0xFFFF_FFFF)
    witnesses = ((witness,),) if witness else ()
    return Transaction(2, (source,), (TransactionOutput(number + 1, b"\x51"),), witnesses, 0)


def block_of(transactions: Sequence[Transaction]) -> bytes:
    """A raw block whose header commits to these transactions; its proof of work is nobody's business."""
    root, _ = merkle_root([each.txid for each in transactions])
    header = bytes(4) + PARAMETERS.genesis_hash + root + bytes(12)
    return header + compact_size(len(transactions)) + b"".join(each.encode() for each in transactions)


def compact_of(
    transactions: Sequence[Transaction], *, prefilled: Iterable[int] = (0,), nonce: int = 7, version: int = 2
) -> CompactBlock:
    given = sorted(prefilled)
    header = block_of(transactions)[:80]
    whole = CompactBlock(header, nonce, (), ())
    rest = [each for index, each in enumerate(transactions) if index not in given]
    ids = whole.shorten([each.wtxid if version == 2 else each.txid for each in rest])
    return CompactBlock(
        header, nonce, tuple(ids), tuple((index, transactions[index].encode()) for index in given)
    )


def known(transaction: Transaction) -> KnownTransaction:
    return KnownTransaction(transaction.txid, transaction.wtxid, transaction.encode())


def pool_of(transactions: Iterable[Transaction]) -> Mempool:
    pool = Mempool(PARAMETERS)
    for each in transactions:
        pool.add(each.encode())
    return pool
