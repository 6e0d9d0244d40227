"""A whole block's body against its header: the checks of level `full` that need no other block.

The checks run in the order of Bitcoin Core's `CheckBlock`, each under a name that stands in the event's
proof and in a refusal: first what shows whether this body is the one that the header commits to, since a
false body says nothing of the block. What is not checked: scripts, signatures and the UTXO set.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from sprint.core.chains.bitcoin_family.coinbase import height_claimed
from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.chains.bitcoin_family.mweb import (
    PEGIN_PREFIX,
    ExtensionFacts,
    Integration,
    Pegin,
    check_extension,
    pegins_of,
)
from sprint.core.chains.bitcoin_family.mweb_format import EXTENSION_SIZE_MAX
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.chains.bitcoin_family.scan import ScannedTransaction, scan_transaction
from sprint.core.chains.bitcoin_family.transaction import (
    TRANSACTION_SIZE_MIN,
    Transaction,
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
_PAIR_SIZE = 64  # of two ids, which are hashed together in the tree


class BodyFacts(msgspec.Struct, frozen=True):
    """What the checks found on their way and a block's place decides on.

    `height_claimed` is the height that the coinbase states, if it does. `locked_until_height` and
    `locked_until_time` are the greatest lock times that bind in a transaction of this body, else 0.
    `coinbase_script` is the script of the coinbase's input, at most 100 bytes.
    """

    tx_count: int
    coinbase_txid: bytes
    height_claimed: int | None
    witness: WitnessFacts
    locked_until_height: int
    locked_until_time: int
    extension: ExtensionFacts | None
    coinbase_script: bytes = b""


def check_body(
    raw: bytes, body_start: int, parameters: NetworkParameters, *, auxpow_witness_size: int = 0
) -> BodyFacts:
    """Check a raw block's body, which starts at `body_start`, against its own header.

    `auxpow_witness_size` is how many bytes of what stands between the two are witness data.

    Raises WireError where the bytes do not parse and RuleError where a rule is broken; a RuleError with
    `mutated` says that the body is not the one the header commits to.
    """
    size_max = BLOCK_SIZE_MAX + (0 if parameters.mweb_height is None else EXTENSION_SIZE_MAX)
    if len(raw) > size_max:
        raise WireError(f"block of {len(raw)} bytes, limit {size_max}", kind="oversized")
    body = _scan(raw, body_start, parameters, auxpow_witness_size)
    scanned = body.transactions
    txids = [transaction.txid for transaction in scanned]
    _check_merkle_root(parse_header(raw[:HEADER_SIZE]), txids)
    _check_leaves(body)
    _check_sizes(body, parameters.weight_max)
    coinbase = parse_transaction(Reader(raw, body.starts[0]), mweb=parameters.mweb_height is not None)
    check_transaction(coinbase, parameters.money_max, coinbase=True)
    _check_transactions(raw, body, parameters)
    witness = check_witness(parameters, coinbase, txids, [t.wtxid for t in scanned])
    _check_weight(body, parameters.weight_max)
    locks = [transaction.locked_until for transaction in scanned]
    return BodyFacts(
        tx_count=len(scanned),
        coinbase_txid=txids[0],
        height_claimed=height_claimed(coinbase.inputs[0].script),
        witness=witness,
        locked_until_height=max((lock for lock in locks if lock < LOCK_TIME_THRESHOLD), default=0),
        locked_until_time=max((lock for lock in locks if lock >= LOCK_TIME_THRESHOLD), default=0),
        extension=_check_extension(raw, body, parameters, coinbase),
        coinbase_script=coinbase.inputs[0].script,
    )


def body_checks(facts: BodyFacts) -> tuple[str, ...]:
    """Name what `check_body` checked of a body that it passed."""
    if facts.extension is None:
        return BODY_CHECKS
    signatures = ("mweb_signatures",) if facts.extension.signatures_checked else ()
    return (*BODY_CHECKS, "mweb", *signatures)


class _Body(msgspec.Struct, frozen=True):
    """A body's transactions and where each starts; `end` is where the last one ends.

    `auxpow_stripped_size` and `auxpow_witness_size` are of what stands between header and body.
    """

    transactions: list[ScannedTransaction]
    starts: list[int]
    end: int
    auxpow_stripped_size: int
    auxpow_witness_size: int

    @property
    def has_hogex(self) -> bool:
        """Whether the last transaction, and not the only one, is marked to integrate an extension block."""
        return len(self.transactions) > 1 and self.transactions[-1].mark_size > 0


def _scan(raw: bytes, position: int, parameters: NetworkParameters, auxpow_witness_size: int = 0) -> _Body:
    """Scan all transactions. WireError where they, or an extension block, are not all that there is."""
    auxpow_stripped_size = position - HEADER_SIZE - auxpow_witness_size
    reader = Reader(raw, position)
    count = reader.compact_size(len(raw) // TRANSACTION_SIZE_MIN + 1, "transactions")
    position = reader.position
    money_max, mweb = parameters.money_max, parameters.mweb_height is not None
    scanned, starts = [], []
    for _ in range(count):
        transaction = scan_transaction(raw, position, money_max, mweb=mweb)
        scanned.append(transaction)
        starts.append(position)
        position = transaction.stop
    body = _Body(scanned, starts, position, auxpow_stripped_size, auxpow_witness_size)
    if position != len(raw) and not body.has_hogex:
        raise WireError(f"{len(raw) - position} bytes after the last transaction", kind="trailing")
    return body


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


def _check_leaves(body: _Body) -> None:
    """A pair of hashes in the tree has 64 bytes and may parse as a transaction: the root is the same.

    A miner can arrange that of a valid block, but not that the first such pair is a coinbase (Bitcoin Core's
    `IsBlockMutated`).
    """
    if body.transactions[0].is_coinbase:
        return
    sizes = (
        transaction.stop - start - transaction.witness_size - transaction.mark_size
        for start, transaction in zip(body.starts, body.transactions, strict=True)
    )
    if _PAIR_SIZE in sizes:
        raise RuleError(
            "merkle_root",
            f"no coinbase, and a transaction of {_PAIR_SIZE} bytes: it may be a pair of ids of the true body",
            mutated=True,
        )


def _check_sizes(body: _Body, weight_max: int) -> None:
    """An AuxPoW counts, but no hash covers it: a body that is too large by it alone may come with another."""
    size_max = weight_max // _WITNESS_SCALE
    stripped_size = _stripped_size(body)
    if stripped_size > size_max:
        raise RuleError(
            "size",
            f"{stripped_size} bytes without witness data, limit {size_max}",
            mutated=stripped_size - body.auxpow_stripped_size <= size_max,
        )
    if len(body.transactions) > size_max:
        raise RuleError("size", f"{len(body.transactions)} transactions, limit {size_max}")


def _check_weight(body: _Body, weight_max: int) -> None:
    witness_size = sum(t.witness_size for t in body.transactions) + body.auxpow_witness_size
    weight = _WITNESS_SCALE * _stripped_size(body) + witness_size
    auxpow_weight = _WITNESS_SCALE * body.auxpow_stripped_size + body.auxpow_witness_size
    if weight > weight_max:
        raise RuleError(
            "weight", f"weight {weight}, limit {weight_max}", mutated=weight - auxpow_weight <= weight_max
        )


def _stripped_size(body: _Body) -> int:
    """The size without witness data and without whatever belongs to an extension block."""
    witness_size = sum(t.witness_size + t.mark_size for t in body.transactions)
    return body.end - witness_size - body.auxpow_witness_size


def _check_transactions(raw: bytes, body: _Body, parameters: NetworkParameters) -> None:
    """Check every transaction but the first; one that the scan doubts is read again to say what is wrong."""
    coinbases = sum(transaction.is_coinbase for transaction in body.transactions)
    if coinbases > 1:
        raise RuleError("coinbase", f"{coinbases} coinbases in one block, limit 1")
    for start, transaction in zip(body.starts[1:], body.transactions[1:], strict=True):
        if not transaction.sound:
            read = parse_transaction(Reader(raw, start), mweb=parameters.mweb_height is not None)
            check_transaction(read, parameters.money_max, coinbase=False)


def _check_extension(
    raw: bytes, body: _Body, parameters: NetworkParameters, coinbase: Transaction
) -> ExtensionFacts | None:
    """Check the mark of a HogEx, which no id covers, and the extension block where there is one."""
    marked = sum(transaction.mark_size > 0 for transaction in body.transactions)
    if marked > body.has_hogex:
        raise RuleError("mweb", f"{marked} transactions marked as HogEx, only the last may be", mutated=True)
    if not body.has_hogex:
        return None
    hogex = parse_transaction(Reader(raw, body.starts[-1]), mweb=True)
    integration = Integration(coinbase, hogex, _pegins(raw, body))
    return check_extension(raw, body.end, parameters, integration)


def _pegins(raw: bytes, body: _Body) -> list[Pegin]:
    """Find the pegins between coinbase and HogEx, reading only transactions that seem to have one."""
    pegins = []
    found = raw.find(PEGIN_PREFIX, body.starts[1], body.starts[-1])
    while found >= 0:
        number = bisect_right(body.starts, found) - 1
        pegins += pegins_of(parse_transaction(Reader(raw, body.starts[number]), mweb=True))
        found = raw.find(PEGIN_PREFIX, body.starts[number + 1], body.starts[-1])
    return pegins
