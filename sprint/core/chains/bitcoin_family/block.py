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
from sprint.core.chains.bitcoin_family.scan import scan_block
from sprint.core.chains.bitcoin_family.transaction import (
    TRANSACTION_SIZE_MIN,
    Transaction,
    check_transaction,
    parse_transaction,
)
from sprint.core.chains.bitcoin_family.witness import WitnessFacts, check_witness
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import HASH_SIZE, BlockScan, merkle_root_of
from sprint.core.kernels.block_scan import PAIR_SIZE
from sprint.core.wire import Reader

BLOCK_SIZE_MAX = 4_000_000
BODY_CHECKS = ("merkle_root", "size", "coinbase", "transactions", "witness_commitment", "weight")
_WITNESS_SCALE = 4


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
    scan = body.scan
    _check_merkle_root(parse_header(raw[:HEADER_SIZE]), scan)
    _check_leaves(scan)
    _check_sizes(body, parameters.weight_max)
    coinbase = parse_transaction(Reader(raw, scan.starts[0]), mweb=parameters.mweb_height is not None)
    check_transaction(coinbase, parameters.money_max, coinbase=True)
    _check_transactions(raw, scan, parameters)
    witness = check_witness(parameters, coinbase, scan)
    _check_weight(body, parameters.weight_max)
    return BodyFacts(
        tx_count=scan.tx_count,
        coinbase_txid=scan.txids[:HASH_SIZE],
        height_claimed=height_claimed(coinbase.inputs[0].script),
        witness=witness,
        locked_until_height=scan.locked_until_height,
        locked_until_time=scan.locked_until_time,
        extension=_check_extension(raw, scan, parameters, coinbase),
        coinbase_script=coinbase.inputs[0].script,
    )


def body_checks(facts: BodyFacts) -> tuple[str, ...]:
    """Name what `check_body` checked of a body that it passed."""
    if facts.extension is None:
        return BODY_CHECKS
    signatures = ("mweb_signatures",) if facts.extension.signatures_checked else ()
    return (*BODY_CHECKS, "mweb", *signatures)


class _Body(msgspec.Struct, frozen=True):
    """A body's transactions, and the size in bytes of what stands between header and body."""

    scan: BlockScan
    auxpow_stripped_size: int
    auxpow_witness_size: int


def _scan(raw: bytes, position: int, parameters: NetworkParameters, auxpow_witness_size: int = 0) -> _Body:
    """Scan all transactions. WireError where they, or an extension block, are not all that there is."""
    auxpow_stripped_size = position - HEADER_SIZE - auxpow_witness_size
    reader = Reader(raw, position)
    count = reader.compact_size(len(raw) // TRANSACTION_SIZE_MIN + 1, "transactions")
    mweb = parameters.mweb_height is not None
    scan = scan_block(raw, reader.position, count, parameters.money_max, mweb=mweb)
    if scan.end != len(raw) and not _has_hogex(scan):
        raise WireError(f"{len(raw) - scan.end} bytes after the last transaction", kind="trailing")
    return _Body(scan, auxpow_stripped_size, auxpow_witness_size)


def _has_hogex(scan: BlockScan) -> bool:
    """Tell whether the last transaction, and not the only one, is marked to integrate an extension block."""
    return scan.tx_count > 1 and scan.ends_marked


def _check_merkle_root(header: BlockHeader, scan: BlockScan) -> None:
    if not scan.tx_count:
        raise RuleError("merkle_root", "a block without transactions", mutated=True)
    root, repeated = merkle_root_of(scan.txids)
    if root != header.merkle_root:
        got, wanted = root[::-1].hex(), header.merkle_root[::-1].hex()
        raise RuleError("merkle_root", f"transactions give {got}, the header says {wanted}", mutated=True)
    if repeated:
        raise RuleError(
            "merkle_root", "the list of transactions ends in a repeat (CVE-2012-2459)", mutated=True
        )


def _check_leaves(scan: BlockScan) -> None:
    """A pair of hashes in the tree has 64 bytes and may parse as a transaction: the root is the same.

    A miner can arrange that of a valid block, but not that the first such pair is a coinbase (Bitcoin Core's
    `IsBlockMutated`).
    """
    if scan.pair_sized and not scan.begins_with_coinbase:
        raise RuleError(
            "merkle_root",
            f"no coinbase, and a transaction of {PAIR_SIZE} bytes: it may be a pair of ids of the true body",
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
    if body.scan.tx_count > size_max:
        raise RuleError("size", f"{body.scan.tx_count} transactions, limit {size_max}")


def _check_weight(body: _Body, weight_max: int) -> None:
    witness_size = body.scan.witness_size + body.auxpow_witness_size
    weight = _WITNESS_SCALE * _stripped_size(body) + witness_size
    auxpow_weight = _WITNESS_SCALE * body.auxpow_stripped_size + body.auxpow_witness_size
    if weight > weight_max:
        raise RuleError(
            "weight", f"weight {weight}, limit {weight_max}", mutated=weight - auxpow_weight <= weight_max
        )


def _stripped_size(body: _Body) -> int:
    """The size without witness data and without whatever belongs to an extension block."""
    return body.scan.end - body.scan.witness_size - body.scan.mark_size - body.auxpow_witness_size


def _check_transactions(raw: bytes, scan: BlockScan, parameters: NetworkParameters) -> None:
    """Check every transaction but the first; one that the scan doubts is read again to say what is wrong."""
    if scan.coinbases > 1:
        raise RuleError("coinbase", f"{scan.coinbases} coinbases in one block, limit 1")
    mweb = parameters.mweb_height is not None
    for number in scan.doubted:
        if number:
            read = parse_transaction(Reader(raw, scan.starts[number]), mweb=mweb)
            check_transaction(read, parameters.money_max, coinbase=False)


def _check_extension(
    raw: bytes, scan: BlockScan, parameters: NetworkParameters, coinbase: Transaction
) -> ExtensionFacts | None:
    """Check the mark of a HogEx, which no id covers, and the extension block where there is one."""
    if scan.marked > _has_hogex(scan):
        raise RuleError(
            "mweb", f"{scan.marked} transactions marked as HogEx, only the last may be", mutated=True
        )
    if not _has_hogex(scan):
        return None
    hogex = parse_transaction(Reader(raw, scan.starts[-1]), mweb=True)
    integration = Integration(coinbase, hogex, _pegins(raw, scan))
    return check_extension(raw, scan.end, parameters, integration)


def _pegins(raw: bytes, scan: BlockScan) -> list[Pegin]:
    """Find the pegins between coinbase and HogEx, reading only transactions that seem to have one."""
    pegins = []
    found = raw.find(PEGIN_PREFIX, scan.starts[1], scan.starts[-1])
    while found >= 0:
        number = bisect_right(scan.starts, found) - 1
        pegins += pegins_of(parse_transaction(Reader(raw, scan.starts[number]), mweb=True))
        found = raw.find(PEGIN_PREFIX, scan.starts[number + 1], scan.starts[-1])
    return pegins
