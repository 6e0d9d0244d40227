"""A block in its compact form, and single transactions of it: what the serving end gives (BIP 152)."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.scan import ScannedTransaction, scan_transaction
from sprint.core.errors import ProtocolError, WireError
from sprint.core.protocols.bitcoin_p2p.compact import (
    COMPACT_VERSION_TXID,
    COMPACT_VERSION_WTXID,
    TRANSACTIONS_MAX,
    CompactBlock,
)
from sprint.core.wire import Reader


def versions_served(parameters: NetworkParameters) -> tuple[int, ...]:
    """Return the versions to offer, the better one first.

    None on a network with extension blocks: which of its nodes sends and takes them in this form is not
    settled.
    """
    if parameters.mweb_height is not None:
        return ()
    if parameters.witness_height is None:
        return (COMPACT_VERSION_TXID,)
    return (COMPACT_VERSION_WTXID, COMPACT_VERSION_TXID)


def compact_form(raw: bytes, parameters: NetworkParameters, *, nonce: int, version: int) -> CompactBlock:
    """Return a block's compact form; only the coinbase, which nobody can know, is given whole.

    WireError where the block does not parse.
    """
    header, transactions = _split(raw, parameters)
    if not transactions:
        raise WireError("a block without transactions", kind="malformed")
    (_, first), *rest = transactions
    message = CompactBlock(header, nonce, (), ((0, first),))
    ids = [scan.wtxid if version == COMPACT_VERSION_WTXID else scan.txid for scan, _ in rest]
    return CompactBlock(header, nonce, tuple(message.shorten(ids)), message.prefilled)


def transactions_at(raw: bytes, indexes: Sequence[int], parameters: NetworkParameters) -> tuple[bytes, ...]:
    """Return a block's transactions at some indexes. ProtocolError where it has not got as many."""
    _, transactions = _split(raw, parameters)
    if indexes and indexes[-1] >= len(transactions):
        raise ProtocolError(
            f"transaction {indexes[-1]} asked for of a block that has {len(transactions)}", penalty=100
        )
    return tuple(transactions[index][1] for index in indexes)


def _split(raw: bytes, parameters: NetworkParameters) -> tuple[bytes, list[tuple[ScannedTransaction, bytes]]]:
    """Return the header, and each transaction as it was scanned and as it stands there."""
    reader = Reader(raw)
    header = reader.take(header_size(raw, 0, parameters))
    transactions = []
    for _ in range(reader.compact_size(TRANSACTIONS_MAX, "transactions")):
        scanned = scan_transaction(raw, reader.position, parameters.money_max)
        transactions.append((scanned, reader.take(scanned.stop - reader.position)))
    return header, transactions
