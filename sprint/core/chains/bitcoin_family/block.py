"""A whole block's body against its header: the checks of level `full` that need no other block.

The checks run in the order of Bitcoin Core's `CheckBlock`, each under a name that stands in the event's
proof and in a refusal: first what shows whether this body is the one that the header commits to, since a
false body says nothing of the block. What is not checked: scripts, signatures and the UTXO set.
"""

from __future__ import annotations

import msgspec

from sprint.core.chains.bitcoin_family.coinbase import height_claimed
from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.chains.bitcoin_family.scan import ScannedTransaction, scan_transaction
from sprint.core.chains.bitcoin_family.transaction import (
    TRANSACTION_SIZE_MIN,
    check_transaction,
    parse_transaction,
)
from sprint.core.chains.bitcoin_family.witness import WitnessFacts, check_witness
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import merkle_root
from sprint.core.wire import Reader

BLOCK_SIZE_MAX = 4_000_000
BODY_CHECKS = ("merkle_root", "size", "coinbase", "transactions", "witness_commitment", "weight")
LOCK_TIME_THRESHOLD = 500_000_000  # a lock time below is a height, one from here on a Unix time
_WITNESS_SCALE = 4


class BodyFacts(msgspec.Struct, frozen=True):
    """What the checks found on their way and a block's place decides on.

    `height_claimed` is the height that the coinbase states, if it does. `locked_until_height` and
    `locked_until_time` are the greatest lock times that bind in a transaction of this body, else 0.
    """

    tx_count: int
    coinbase_txid: bytes
    height_claimed: int | None
    witness: WitnessFacts
    locked_until_height: int
    locked_until_time: int


def check_body(raw: bytes, body_start: int, parameters: NetworkParameters) -> BodyFacts:
    """Check a raw block's body, which starts at `body_start`, against its own header.

    Raises WireError where the bytes do not parse and RuleError where a rule is broken; a RuleError with
    `mutated` says that the body is not the one the header commits to.
    """
    if len(raw) > BLOCK_SIZE_MAX:
        raise WireError(f"block of {len(raw)} bytes, limit {BLOCK_SIZE_MAX}", kind="oversized")
    first, scanned = _scan(raw, body_start, parameters)
    txids = [transaction.txid for transaction in scanned]
    _check_merkle_root(parse_header(raw[:HEADER_SIZE]), txids)
    stripped_size = len(raw) - sum(transaction.witness_size for transaction in scanned)
    _check_size(stripped_size, len(scanned), parameters.weight_max)
    coinbase = parse_transaction(Reader(raw, first))
    check_transaction(coinbase, parameters.money_max, coinbase=True)
    _check_transactions(raw, first, scanned, parameters)
    witness = check_witness(parameters, coinbase, txids, [t.wtxid for t in scanned])
    _check_weight(len(raw), stripped_size, parameters.weight_max)
    locks = [transaction.locked_until for transaction in scanned]
    return BodyFacts(
        tx_count=len(scanned),
        coinbase_txid=txids[0],
        height_claimed=height_claimed(coinbase.inputs[0].script),
        witness=witness,
        locked_until_height=max((lock for lock in locks if lock < LOCK_TIME_THRESHOLD), default=0),
        locked_until_time=max((lock for lock in locks if lock >= LOCK_TIME_THRESHOLD), default=0),
    )


def _scan(raw: bytes, position: int, parameters: NetworkParameters) -> tuple[int, list[ScannedTransaction]]:
    """Return where the first transaction starts, and what a scan finds of each."""
    reader = Reader(raw, position)
    count = reader.compact_size(len(raw) // TRANSACTION_SIZE_MIN + 1, "transactions")
    first = position = reader.position
    money_max = parameters.money_max
    scanned = []
    for _ in range(count):
        transaction = scan_transaction(raw, position, money_max)
        scanned.append(transaction)
        position = transaction.stop
    if position != len(raw):
        raise WireError(f"{len(raw) - position} bytes after the last transaction", kind="trailing")
    return first, scanned


def _check_merkle_root(header: BlockHeader, txids: list[bytes]) -> None:
    if not txids:
        raise RuleError("merkle_root", "a block without transactions", mutated=True)
    root, repeated = merkle_root(txids)
    if root != header.merkle_root:
        got, wanted = root[::-1].hex(), header.merkle_root[::-1].hex()
        raise RuleError("merkle_root", f"transactions give {got}, the header says {wanted}", mutated=True)
    if repeated:
        raise RuleError(
            "merkle_root", "the list of transactions ends in a repeat (CVE-2012-2459)", mutated=True
        )


def _check_size(stripped_size: int, count: int, weight_max: int) -> None:
    size_max = weight_max // _WITNESS_SCALE
    if stripped_size > size_max:
        raise RuleError("size", f"{stripped_size} bytes without witness data, limit {size_max}")
    if count > size_max:
        raise RuleError("size", f"{count} transactions, limit {size_max}")


def _check_transactions(
    raw: bytes, first: int, scanned: list[ScannedTransaction], parameters: NetworkParameters
) -> None:
    """Check every transaction but the first; one that the scan doubts is read again to say what is wrong."""
    coinbases = sum(transaction.is_coinbase for transaction in scanned)
    if coinbases > 1:
        raise RuleError("coinbase", f"{coinbases} coinbases in one block, limit 1")
    starts = [first, *(transaction.stop for transaction in scanned)]
    for start, transaction in zip(starts[1:], scanned[1:], strict=False):
        if not transaction.sound:
            check_transaction(parse_transaction(Reader(raw, start)), parameters.money_max, coinbase=False)


def _check_weight(size: int, stripped_size: int, weight_max: int) -> None:
    weight = (_WITNESS_SCALE - 1) * stripped_size + size
    if weight > weight_max:
        raise RuleError("weight", f"weight {weight}, limit {weight_max}")
