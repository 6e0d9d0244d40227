"""Extension blocks (MWEB; LIP 2, LIP 3) of a Litecoin chain on which they hold something and nothing moves.

The first must take coins in, and outputs and their proofs are not made here: it is one that Litecoin Core
0.21.2.1 made on a regtest, for the same height, with two pegins. The block around it pays those in; each
later extension block is empty and states the outputs of the first. A real node follows such a chain.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from sprint.core.chains.bitcoin_family.mweb import COMMITMENT_PREFIX, PEGIN_PREFIX
from sprint.core.chains.bitcoin_family.mweb_format import ExtensionBlock, hash_of, parse_extension
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.wire import Reader, compact_size

_RECORDED = "first_extension_block.bin"
_NO_KERNELS_ROOT = bytes(32)
_NO_STEALTH_OFFSET = bytes(32)


class Integration(msgspec.Struct, frozen=True):
    """What the HogEx of a block stands on.

    `spent` is the id of the transaction whose first output is taken in: of the HogEx below, or for the
    `first` extension block of a coinbase that has matured and pays 50 coins.
    """

    spent: bytes
    first: bool


def integrating_transactions(integration: Integration, height: int) -> list[Transaction]:
    """Make the transactions that end a block with an extension block: the HogEx, before the first a pegin."""
    kernels = _first().kernels
    held = sum(kernel.supply_change for kernel in kernels)
    commitment = COMMITMENT_PREFIX + hash_of(_header(integration, height))
    outputs = (TransactionOutput(held, commitment),)
    if not integration.first:
        return [_spending(integration.spent, 1, outputs, integrates=True)]
    paid_in = tuple(
        TransactionOutput(kernel.pegin, PEGIN_PREFIX + kernel.id)
        for kernel in kernels
        if kernel.pegin is not None
    )
    pegin = _spending(integration.spent, 1, paid_in)
    return [pegin, _spending(pegin.txid, len(paid_in), outputs, integrates=True)]


def extension_bytes(integration: Integration, height: int) -> bytes:
    """Encode what stands behind the last transaction."""
    if integration.first:
        return b"\x01" + _first_bytes()
    return b"\x01" + _header(integration, height) + compact_size(0) * 3


def _header(integration: Integration, height: int) -> bytes:
    """Encode the header of the first extension block, or of an empty one above it."""
    first = _first().header
    if integration.first:
        return _first_bytes()[: _first_header_size()]
    roots = first.output_root + _NO_KERNELS_ROOT + first.leafset_root
    offsets = first.kernel_offset + _NO_STEALTH_OFFSET
    return _varint(height) + roots + offsets + _varint(first.output_count) + _varint(0)


@cache
def _first_bytes() -> bytes:
    return files(__package__).joinpath(_RECORDED).read_bytes()


@cache
def _first() -> ExtensionBlock:
    return parse_extension(Reader(_first_bytes()))


def _first_header_size() -> int:
    first = _first().header
    counts = _varint(first.output_count) + _varint(first.kernel_count)
    return len(_varint(first.height)) + 5 * 32 + len(counts)


def _spending(
    txid: bytes, count: int, outputs: tuple[TransactionOutput, ...], *, integrates: bool = False
) -> Transaction:
    """Spend the first `count` outputs of a transaction, which anyone may."""
    return Transaction(
        version=2,
        inputs=tuple(TransactionInput(txid, index, b"", NULL_INDEX) for index in range(count)),
        outputs=outputs,
        witnesses=(),
        lock_time=0,
        integrates=integrates,
    )


def _varint(value: int) -> bytes:
    """Encode Bitcoin Core's `VARINT`: seven bits a byte, highest first, one less for each further byte."""
    encoded = [value & 0x7F]
    while value > 0x7F:
        value = (value >> 7) - 1
        encoded.append(0x80 | value & 0x7F)
    return bytes(reversed(encoded))
